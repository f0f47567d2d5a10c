-- Digests for clubs (R31): what changed since the last one, and how far the next one is.

-- name: digest_states()
-- Of every club that syncs: the last day that was looked at, and the digest that is to be sent.
select
    c.club,
    c.club_id,
    s.paused or s.last_success_at is null as silent,
    d.day,
    p.digest as pending,
    p.attempts,
    p.tried_at
from base.club as c
inner join sync.club_state as s on c.club = s.club
left join lateral (
    select max(o.day) as day from sync.digest as o
    where o.club = c.club
) as d on true
left join lateral (
    select
        o.digest,
        o.attempts,
        o.tried_at
    from sync.digest as o
    where o.club = c.club and o.state = 'pending'
    order by o.digest desc
    limit 1
) as p on true
order by p.tried_at nulls first, c.club_id;

-- name: digest_troubles()
-- Clubs with a digest that somebody has to do something about: the last one that was sent, or one since.
select distinct on (d.club)
    c.club_id,
    d.club,
    coalesce(d.tried_at, d.made_at) as since,
    d.problem
from sync.digest as d
inner join base.club as c on d.club = c.club
where
    d.alarming
    and d.problem is not null
    and d.digest >= coalesce((
        select max(s.digest) from sync.digest as s
        where s.club = d.club and s.state = 'sent'
    ), 0)
order by d.club, d.digest desc;

-- name: end_older_digests(club, at)!
-- A digest that is still to be sent when the next one is made is not sent any more. Whoever has it was told.
update sync.digest set
    state = case when cardinality(delivered) > 0 then 'sent' else 'dropped' end,
    sent_at = case when cardinality(delivered) > 0 then :at::timestamptz end
where club = :club and state = 'pending';

-- name: add_digest(club, day, message_id, at)$
-- Its number; null: that day was looked at already.
insert into sync.digest (club, day, state, message_id, made_at)
values (:club, :day, 'unchanged', :message_id, :at)
on conflict (club, day) do nothing
returning digest;

-- name: add_digest_items(club, digest)!
-- What is open now, and what was told as open and no longer is. A finding is told by its record and code. What is ours
-- to fix is left out: what is about clubs.yaml, and what somebody undid.
with last_sent as (
    select max(d.digest) as digest from sync.digest as d
    where d.club = :club and d.state = 'sent'
),

told as (
    select
        i.erp_id,
        i.code,
        i.severity
    from sync.digest_item as i
    inner join last_sent as l on i.digest = l.digest
    where i.club = :club and i.what != 'fixed'
),

open_now as (
    select
        f.erp_id,
        f.code,
        f.severity
    from sync.finding as f
    where
        f.club = :club
        and f.closed_at is null
        and f.severity != 'info'
        and f.erp_id != ''
        and f.code != 'UNDONE'
        and not (f.code = 'GROUP_UNKNOWN' and jsonb_exists(f.detail, 'about'))
)

insert into sync.digest_item (club, digest, erp_id, code, severity, what)
select
    :club,
    :digest,
    coalesce(o.erp_id, t.erp_id),
    coalesce(o.code, t.code),
    coalesce(o.severity, t.severity),
    case when o.erp_id is null then 'fixed' when t.erp_id is null then 'new' else 'open' end
from open_now as o
full join told as t on o.erp_id = t.erp_id and o.code = t.code;

-- name: settle_digest(club, digest)!
-- Where nothing is new and nothing fixed there is nothing to send. Not the same as `add_digest`: between the two the
-- items are written.
update sync.digest as d set state = 'pending'
where
    d.club = :club and d.digest = :digest
    and exists (
        select from sync.digest_item as i
        where i.club = d.club and i.digest = d.digest and i.what != 'open'
    );

-- name: delete_unsent_items(club)!
-- Only the last digest that was sent, and one that is to be sent, need their items.
delete from sync.digest_item as i using sync.digest as d
where
    i.club = :club
    and d.club = i.club
    and d.digest = i.digest
    and d.state != 'pending'
    and d.digest is distinct from (
        select max(s.digest) from sync.digest as s
        where s.club = :club and s.state = 'sent'
    );

-- name: digest_counts(club, digest)
-- What it tells, by what is to be done; the most frequent first.
select
    i.what,
    i.code,
    i.severity,
    count(*) as findings,
    min(f.since) as oldest
from sync.digest_item as i
left join sync.finding as f
    on i.club = f.club and i.erp_id = f.erp_id and i.code = f.code and f.closed_at is null
where i.club = :club and i.digest = :digest
group by i.what, i.code, i.severity
order by findings desc, i.code, i.severity;

-- name: digest_people(club, digest, most)
-- Whom it is about, by name; of each group at most that many.
select
    r.what,
    r.code,
    r.severity,
    r.erp_id,
    r.first_name,
    r.last_name,
    r.email,
    r.since
from (
    select
        i.what,
        i.code,
        i.severity,
        i.erp_id,
        m.first_name,
        m.last_name,
        m.email,
        f.since,
        row_number() over (
            partition by i.what, i.code, i.severity
            order by lower(m.last_name), lower(m.first_name), i.erp_id
        ) as place
    from sync.digest_item as i
    left join sync.erp_customer as m on i.club = m.club and i.erp_id = m.erp_id
    left join sync.finding as f
        on i.club = f.club and i.erp_id = f.erp_id and i.code = f.code and f.closed_at is null
    where i.club = :club and i.digest = :digest
) as r
where r.place <= :most
order by r.what, r.code, r.severity, r.place;

-- name: was_told(club)$
-- Whether the club was sent a digest before.
select exists(
    select from sync.digest
    where club = :club and state = 'sent'
);

-- name: digest_of_day(club, day)^
select
    digest,
    state,
    sent_at,
    problem,
    remedy
from sync.digest
where club = :club and day = :day;

-- name: begin_digest(club, digest, at)^
-- An attempt begins. One whose end is not noted was killed: nobody knows how it ended.
update sync.digest set
    attempts = attempts + 1,
    tried_at = :at,
    uncertain = uncertain + in_flight::integer,
    in_flight = true
where club = :club and digest = :digest and state = 'pending'
returning message_id, made_at, attempts, uncertain, delivered, refused;

-- name: end_digest(club, digest, state, at, uncertain, delivered, refused, problem, remedy, alarming)!
-- null: problem, remedy
update sync.digest set
    state = :state,
    in_flight = false,
    uncertain = uncertain + :uncertain::boolean::integer,
    delivered = :delivered::text[],
    refused = :refused::text[],
    problem = :problem,
    remedy = :remedy,
    alarming = :alarming,
    sent_at = case when :state = 'sent' then :at::timestamptz end
where club = :club and digest = :digest;

-- name: forget_digests(club)!
-- The club names no contact any more: whoever it names next is told everything again.
delete from sync.digest
where club = :club;

-- name: delete_old_digests(club, before)!
-- The last one that was sent stays: the next one is compared with it.
delete from sync.digest as d
where
    d.club = :club
    and d.made_at < :before
    and d.state != 'pending'
    and d.digest is distinct from (
        select max(s.digest) from sync.digest as s
        where s.club = :club and s.state = 'sent'
    );

-- name: erase_digest_items(club, ids)!
-- R20.
delete from sync.digest_item
where club = :club and erp_id = any(:ids::text[]);

-- name: forget_digest_items(club)!
-- The ids of a former ERP (R1): nothing of it was fixed.
delete from sync.digest_item
where club = :club;

-- name: delete_unchanged_day(club, day)!
-- So that the day can be looked at again.
delete from sync.digest
where club = :club and day = :day and state = 'unchanged';

-- name: try_sender(club)$
-- Whether nobody else sends a digest of this club, in any process; the lock is the session's.
select pg_try_advisory_lock(7256, :club);

-- name: any_digest()$
select exists(
    select from sync.digest
);
