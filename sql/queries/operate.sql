-- Freshness and its incidents (R25), nudges (R27), approval requests for holds (R15).

-- name: club_freshness()
select
    c.club_id,
    c.created_at,
    s.last_success_at,
    s.certified_as_of,
    s.paused,
    s.failing_since,
    s.quarantined_until,
    n.read_at as certified_at
from base.club as c
inner join sync.club_state as s on c.club = s.club
left join sync.snapshot as n on s.club = n.club and s.certified_snapshot = n.snapshot;

-- name: open_incidents()
select
    club,
    kind
from sync.incident
where mended_at is null;

-- name: open_incident(club, kind, since, at)!
-- null: since
insert into sync.incident (club, kind, since, opened_at)
values (:club, :kind, :since, :at)
on conflict (club, kind) where mended_at is null do nothing;

-- name: resolve_incident(club, kind, at)!
update sync.incident set mended_at = :at
where club = :club and kind = :kind and mended_at is null;

-- name: unreported_incidents()
-- Incidents whose beginning or end has not been reported. One that ended before it was reported is left out.
select
    c.club_id,
    i.club,
    i.incident,
    i.kind,
    i.since,
    i.opened_at,
    i.mended_at,
    s.last_error
from sync.incident as i
inner join base.club as c on i.club = c.club
inner join sync.club_state as s on i.club = s.club
where
    (i.mended_at is null and i.told_at is null)
    or (i.mended_at is not null and i.told_at is not null and i.mended_told_at is null)
order by i.opened_at, c.club_id;

-- name: mark_incident_reported(club, incident, resolved, at)!
update sync.incident set
    told_at = case when :resolved then told_at else :at end,
    mended_told_at = case when :resolved then :at else mended_told_at end
where club = :club and incident = :incident;

-- name: quarantine_club(club, until, next_read_at)!
update sync.club_state set quarantined_until = :until, next_read_at = :next_read_at
where club = :club;

-- name: add_nudge(club, source, message_id, at)$
-- The same message twice is one nudge (R27).
insert into sync.nudge (club, source, message_id, received_at)
values (:club, :source, :message_id, :at)
on conflict (club, source, message_id) do nothing
returning nudge;

-- name: first_pending_nudge(club)$
select min(nudge) from sync.nudge
where club = :club and taken_at is null;

-- name: last_nudge(club)$
-- When the club was last nudged, whether a sync has answered it or not.
select max(received_at) from sync.nudge
where club = :club;

-- name: answer_nudges(club, run, at)!
-- A sync that starts now answers them.
update sync.nudge set taken_at = :at, run = :run
where club = :club and taken_at is null;

-- name: nudged_clubs(before)
-- Clubs with a nudge from before that time that no sync has answered.
select
    c.club_id,
    min(n.nudge) as nudge
from sync.nudge as n
inner join base.club as c on n.club = c.club
inner join sync.club_state as s on n.club = s.club
where n.taken_at is null and n.received_at <= :before and not s.paused and s.quarantined_until is null
group by c.club_id;

-- name: delete_old_nudges(club, before)!
delete from sync.nudge
where club = :club and taken_at < :before;

-- name: holds_without_request()
-- Open holds without an approval request, and the list that is to be shown.
select
    c.club,
    c.club_id,
    h.hold,
    h.version
from sync.hold as h
inner join base.club as c on h.club = c.club
where
    h.state = 'open'
    and not exists (
        select 1 from sync.question as q
        where q.club = h.club and q.hold = h.hold
    )
order by h.hold;

-- name: claim_request(club, club_id, run_id, hold, version, plan, at)!
-- null: hold, version, plan
-- A run is about to be started, which will show this for approval.
insert into sync.question (club, club_id, run_id, hold, version, plan, asked_at, told_at)
values (:club, :club_id, :run_id, :hold, :version, :plan, :at, :at)
on conflict (club, run_id) do nothing;

-- name: mark_hold_requested(club, club_id, hold, version, run_id, at)!
with asked as (
    update sync.hold_version set asked_at = :at
    where club = :club and hold = :hold and version = :version
)

insert into sync.question (club, club_id, run_id, hold, version, asked_at)
values (:club, :club_id, :run_id, :hold, :version, :at)
on conflict (club, run_id) do update set asked_at = excluded.asked_at, told_at = null;

-- name: obsolete_requests(decided_before, told_before)
-- Approval requests that need no answer any more, and those whose run was told and has not answered: it was lost. A
-- hold that was just decided is left out: the run of the request probably decided it.
select
    q.club,
    q.club_id,
    q.run_id,
    q.hold,
    q.version
from sync.question as q
left join sync.hold as h on q.club = h.club and q.hold = h.hold
where
    q.hold is not null
    and (
        h.hold is null
        or q.told_at is not null
        or q.version != h.version
        or (h.state != 'open' and h.decided_at < :decided_before)
    )
    and (q.told_at is null or q.told_at < :told_before)
order by q.hold, q.run_id;

-- name: mark_request_notified(club, run_id, at)!
update sync.question set told_at = :at
where club = :club and run_id = :run_id;

-- name: request_of_run(run_id)^
-- Also of a club that is removed; newest: whether it is about the list, or the plan, that is to be decided now; asked_at:
-- when it was last shown.
select
    q.club,
    q.asked_at,
    coalesce((
        select h.version = q.version and h.state = 'open'
        from sync.hold as h
        where h.club = q.club and h.hold = q.hold
    ), (
        select p.list_hash = q.plan and not s.reviewed
        from sync.plan as p
        inner join sync.run as r on p.club = r.club and p.run = r.run
        inner join sync.club_state as s on p.club = s.club
        where p.club = q.club and r.state = 'held' and p.loaded_at is null
        order by p.plan desc
        limit 1
    ), false) as newest
from sync.question as q
where q.run_id = :run_id;

-- name: delete_request(club, run_id)!
delete from sync.question
where club = :club and run_id = :run_id;

-- name: undecided_holds()
-- Open holds of clubs that are not paused, with whom they are about, and when somebody was last reminded of them.
select
    c.club,
    c.club_id,
    h.hold,
    h.opened_at,
    h.causes,
    (
        select count(*) from sync.hold_member as m
        where m.club = h.club and m.hold = h.hold and m.left_version is null and m.loses
    ) as losing,
    coalesce(y.customers, 0) as customers,
    (
        select max(r.sent_at) from sync.hold_reminder as r
        where r.club = h.club and r.hold = h.hold
    ) as reminded_at
from sync.hold as h
inner join base.club as c on h.club = c.club
inner join sync.club_state as s on h.club = s.club
left join sync.club_summary as y on h.club = y.club
where h.state = 'open' and not s.paused
order by h.opened_at, h.hold;

-- name: add_hold_reminder(club, hold, due_at, told, at)!
-- Not of a hold that is gone by now.
insert into sync.hold_reminder (club, hold, due_at, told, sent_at)
select
    club,
    hold,
    :due_at,
    :told,
    :at
from sync.hold
where club = :club and hold = :hold
on conflict (club, hold, due_at) do nothing;

-- name: reminders_of_hold(club, hold)
-- The newest first.
select
    sent_at,
    told
from sync.hold_reminder
where club = :club and hold = :hold
order by sent_at desc;

-- name: request_of_hold(club, hold)^
-- Its approval request in Airflow, if one is open.
select
    version,
    asked_at
from sync.question
where club = :club and hold = :hold and told_at is null
order by asked_at desc
limit 1;

-- name: operation_counts()^
-- The number of clubs in each state, for the gauges.
select
    count(*) filter (where s.paused) as paused,
    count(*) filter (where s.failing_since is not null and not s.paused) as failing,
    count(*) filter (where s.quarantined_until is not null and not s.paused) as quarantined,
    count(*) filter (
        where exists (
            select 1 from sync.hold as h
            where h.club = s.club and h.state = 'open'
        )
    ) as held
from sync.club_state as s;

-- name: due_times()
-- When each club is due next; null: at once.
select
    c.club_id,
    s.next_read_at,
    s.paused,
    s.failing_since is not null as failing
from base.club as c
inner join sync.club_state as s on c.club = s.club;
