-- Webhooks: what was delivered of the feed to whom (R30).

-- name: see_webhook(webhook, start_position, at)!
insert into sync.webhook (webhook, start_position, seen_at) values (:webhook, :start_position, :at)
on conflict (webhook) do nothing;

-- name: start_webhook(webhook, start_position)!
update sync.webhook set start_position = :start_position
where webhook = :webhook;

-- name: lanes_to_serve(webhook, now)
-- Clubs of which something is to be sent now: the longest waiting first, and last those that were tried before.
select c.club
from base.club as c
inner join sync.webhook as w on w.webhook = :webhook
left join sync.webhook_lane as l on c.club = l.club and w.webhook = l.webhook
left join lateral (
    select e.position from sync.feed as e
    where e.club = c.club and e.position > coalesce(l.position, w.start_position)
    order by e.position
    limit 1
) as f on true
where
    l.dead_at is null
    and case
        when l.message is not null then l.next_try_at <= :now
        else coalesce(l.more, false) or f.position is not null
    end
order by coalesce(l.tries, 0), coalesce(f.position, l.position), c.club;

-- name: open_lane(club, webhook)!
-- After the whole entry at that position.
insert into sync.webhook_lane (club, webhook, position, change)
select
    :club,
    w.webhook,
    w.start_position,
    9223372036854775807
from sync.webhook as w
where w.webhook = :webhook
on conflict (club, webhook) do nothing;

-- name: lane(club, webhook)^
-- row: always
select * from sync.webhook_lane
where club = :club and webhook = :webhook
for update;

-- name: pass_events(club, webhook, position, change, mark, more)!
-- Nothing of what follows is wanted, or is left of a message: on from here.
update sync.webhook_lane set
    position = :position,
    change = :change,
    mark = :mark,
    more = :more,
    message = null,
    tries = 0,
    first_try_at = null,
    next_try_at = null,
    problem = null
where club = :club and webhook = :webhook;

-- name: store_message(club, webhook, message, at, position, change, mark, more, kinds, events)!
-- null: kinds
update sync.webhook_lane set
    message = :message,
    made_at = :at,
    upto_position = :position,
    upto_change = :change,
    upto_mark = :mark,
    upto_more = :more,
    kinds = :kinds,
    events = :events,
    tries = 0,
    first_try_at = null,
    next_try_at = :at,
    problem = null
where club = :club and webhook = :webhook;

-- name: message_delivered(club, webhook, message, at)!
-- Only while this is the message under way: it was not replayed meanwhile.
update sync.webhook_lane set
    position = upto_position,
    change = upto_change,
    mark = upto_mark,
    more = upto_more,
    delivered_at = :at,
    message = null,
    tries = 0,
    first_try_at = null,
    next_try_at = null,
    problem = null
where club = :club and webhook = :webhook and message = :message;

-- name: message_failed(club, webhook, message, at, next_try_at, problem, dead)!
update sync.webhook_lane set
    tries = tries + 1,
    first_try_at = coalesce(first_try_at, :at),
    next_try_at = :next_try_at,
    problem = :problem,
    dead_at = case when :dead::boolean then :at::timestamptz end
where club = :club and webhook = :webhook and message = :message;

-- name: webhook_states()
-- Each webhook with its clubs: how many there are that wait for events, fail, or were given up.
select
    w.webhook,
    w.seen_at,
    count(l.club) as clubs,
    count(l.club) filter (where l.message is not null and l.tries > 0 and l.dead_at is null) as failing,
    count(l.club) filter (where l.dead_at is not null) as dead,
    max(l.delivered_at) as delivered_at,
    min(l.first_try_at) as failing_since,
    (array_agg(l.problem order by l.next_try_at) filter (where l.problem is not null))[1] as problem
from sync.webhook as w
left join sync.webhook_lane as l on w.webhook = l.webhook
group by w.webhook
order by w.webhook;

-- name: dead_lanes(webhook)
-- Messages that were given up, the oldest first.
select
    l.webhook,
    c.club_id,
    l.club,
    l.message,
    l.events,
    l.position,
    l.change,
    l.mark,
    l.tries,
    l.first_try_at,
    l.dead_at,
    l.problem
from sync.webhook_lane as l
inner join base.club as c on l.club = c.club
where l.dead_at is not null and (:webhook::text is null or l.webhook = :webhook)
order by l.dead_at, c.club_id;

-- name: lanes_of_webhook(webhook)
select
    l.club,
    c.club_id,
    l.dead_at
from sync.webhook_lane as l
inner join base.club as c on l.club = c.club
where l.webhook = :webhook
order by c.club_id;

-- name: retry_message(club, webhook, at)!
-- The message that failed or was given up, again from now on, under the same id.
update sync.webhook_lane set
    tries = 0,
    first_try_at = null,
    next_try_at = :at,
    dead_at = null
where club = :club and webhook = :webhook and message is not null;

-- name: skip_message(club, webhook)!
-- A message that was given up is never sent; what follows is.
update sync.webhook_lane set
    position = upto_position,
    change = upto_change,
    mark = upto_mark,
    more = upto_more,
    message = null,
    tries = 0,
    first_try_at = null,
    next_try_at = null,
    problem = null,
    dead_at = null
where club = :club and webhook = :webhook and dead_at is not null;

-- name: replay_lane(club, webhook, position, change, mark)!
-- Everything after that cursor again, in new messages.
update sync.webhook_lane set
    position = :position,
    change = :change,
    mark = :mark,
    more = true,
    message = null,
    tries = 0,
    first_try_at = null,
    next_try_at = null,
    problem = null,
    dead_at = null
where club = :club and webhook = :webhook;
