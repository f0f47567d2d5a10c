-- The lifecycle of a club (R28), and what people confirm about implausible snapshots (R14).

-- name: pause_club(club, paused)!
-- Both pausing and resuming end a quarantine: a resumed club is to be synced.
update sync.club_state set
    paused = :paused,
    next_read_at = case when quarantined_until is null then next_read_at end,
    quarantined_until = null
where club = :club;

-- name: confirm_empty(club)!
-- The club has no customers: the next empty snapshot is accepted, once.
update sync.club_state set confirmed_empty = true
where club = :club;

-- name: confirm_source(club)!
-- The next snapshot is accepted as this club's, however few ids it shares, once.
update sync.club_state set confirmed_same_club = true
where club = :club;

-- name: first_sync_plan(club)^
-- The newest plan of a first sync that awaits approval.
select
    p.plan,
    p.run,
    p.snapshot,
    p.list_hash,
    p.counts,
    p.made_at,
    p.path
from sync.plan as p
inner join sync.run as r on p.club = r.club and p.run = r.run
inner join sync.club_state as s on p.club = s.club
where
    p.club = :club
    and r.state = 'held'
    and p.loaded_at is null
    and not s.reviewed
    and s.last_success_at is null
order by p.plan desc
limit 1;

-- name: first_sync_plans()
-- That of each club that has one.
select distinct on (c.club_id)
    c.club_id,
    p.run,
    p.list_hash,
    p.counts
from sync.plan as p
inner join sync.run as r on p.club = r.club and p.run = r.run
inner join sync.club_state as s on p.club = s.club
inner join base.club as c on p.club = c.club
where
    r.state = 'held'
    and p.loaded_at is null
    and not s.reviewed
    and s.last_success_at is null
order by c.club_id, p.plan desc;

-- name: approve_first_sync(club, list_hash)!
update sync.club_state set reviewed_plan = :list_hash
where club = :club;

-- name: first_sync_reviewed(club)!
-- The plan that a person approved is loaded; from now on plans load by themselves. The reading that it is of counts.
update sync.club_state as s set
    reviewed = true,
    last_success_at = coalesce(s.last_success_at, (
        select n.read_at from sync.snapshot as n
        where n.club = s.club and n.snapshot = s.last_snapshot
    )),
    certified_at = coalesce(s.certified_at, (
        select n.read_at from sync.snapshot as n
        where n.club = s.club and n.snapshot = s.last_snapshot and n.certified
    ))
where s.club = :club;

-- name: first_sync_read(club)!
-- The club was read, and its plan awaits approval: an earlier failure is over.
update sync.club_state set
    failing_since = null,
    quarantined_until = null,
    failures = 0,
    last_error = null
where club = :club;

-- name: first_syncs_without_request()
-- First syncs that await approval without an approval request, and the plan that is to be shown.
select distinct on (c.club)
    c.club,
    c.club_id,
    p.list_hash as plan
from sync.plan as p
inner join sync.run as r on p.club = r.club and p.run = r.run
inner join sync.club_state as s on p.club = s.club
inner join base.club as c on p.club = c.club
where
    r.state = 'held'
    and p.loaded_at is null
    and not s.reviewed
    and s.last_success_at is null
    and not exists (
        select 1 from sync.question as q
        where q.club = c.club and q.hold is null
    )
order by c.club asc, p.plan desc;

-- name: obsolete_first_syncs(told_before)
-- Approval requests for first syncs whose run shows another plan than awaits approval, or whose club awaits none; and
-- those whose run was told and has not answered: it was lost.
select
    q.club,
    q.club_id,
    q.run_id,
    q.plan
from sync.question as q
left join sync.club_state as s on q.club = s.club
where
    q.hold is null
    and (q.told_at is null or q.told_at < :told_before)
    and (
        s.club is null
        or q.told_at is not null
        or s.reviewed
        or s.last_success_at is not null
        or q.plan is distinct from (
            select p.list_hash from sync.plan as p
            inner join sync.run as r on p.club = r.club and p.run = r.run
            where p.club = q.club and r.state = 'held' and p.loaded_at is null
            order by p.plan desc
            limit 1
        )
    )
order by q.run_id;

-- name: mark_first_sync_requested(club, club_id, run_id, plan, at)!
insert into sync.question (club, club_id, run_id, plan, asked_at)
values (:club, :club_id, :run_id, :plan, :at)
on conflict (club, run_id) do update set asked_at = excluded.asked_at, told_at = null;

-- name: schedule_removal(club, at)!
update sync.club_state set remove_at = :at, paused = :at::timestamptz is not null
where club = :club;

-- name: clubs_to_remove(now)
select c.club, c.club_id
from base.club as c
inner join sync.club_state as s on c.club = s.club
where s.remove_at <= :now and s.paused;

-- name: prefix_record_ids(club, prefix, at)!
-- A new ERP or tenant: its ids name other people, so the old ids get a prefix.
update sync.erp_customer set
    erp_id = :prefix || erp_id,
    guardian_id = :prefix || guardian_id,
    replaced_by = :prefix || replaced_by,
    gone_at = coalesce(gone_at, :at),
    access = 'no'
where club = :club and not starts_with(erp_id, '@');

-- name: prefix_customer_ids(club, prefix)!
update base.customer set erp_id = :prefix || erp_id
where club = :club and erp_id is not null and not starts_with(erp_id, '@');

-- name: prefix_group_ids(club, prefix)!
update sync.erp_group set erp_group_id = :prefix || erp_group_id, listed = false
where club = :club and not starts_with(erp_group_id, '@');

-- name: prefix_automatic_group_ids(club, prefix)!
update base.customer_group set erp_group_id = :prefix || erp_group_id
where club = :club and kind = 'automatic' and not starts_with(erp_group_id, '@');

-- name: close_all_findings(club, at)!
update sync.finding set closed_at = :at
where club = :club and closed_at is null;

-- name: clear_record_index(club)!
with similar_keys as (
    delete from sync.similar_key
    where club = :club
),

similar_pairs as (
    delete from sync.similar_pair
    where club = :club
)

delete from sync.club_vector
where club = :club;

-- name: clear_erased(club)!
-- The ids of an earlier source are other people's in the next one (R1).
delete from sync.erased
where club = :club;

-- name: start_epoch(club)!
update sync.club_state set
    epoch = epoch + 1,
    revision = revision + 1,
    policy_hash = null,
    certified_as_of = null,
    certified_at = null,
    certified_snapshot = null,
    certified_rows = null,
    content_hash = null,
    next_recheck = null,
    last_snapshot = null
where club = :club;

-- name: clear_suspicions(club)!
delete from sync.suspicion
where club = :club;

-- name: purge_club(club, at)$
-- Deletes all rows of a club whose removal is due, and notes that its files are to go; its id.
select sync.purge_club(:club, :at);

-- name: removed_clubs()
-- Clubs whose rows are gone and whose files may not be. back: a club of that id was registered since.
select
    r.club_id,
    exists(
        select from base.club as c
        where c.club_id = r.club_id
    ) as back
from sync.removed_club as r
order by r.club_id;

-- name: delete_removed_club(club_id)!
delete from sync.removed_club
where club_id = :club_id;
