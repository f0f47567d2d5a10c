-- Retention: history is deleted after a time; the base and its audit stay.

-- name: old_snapshots(club, before)
-- Snapshots from before that time, except those that the base is based on.
select s.snapshot, s.path
from sync.snapshot as s
inner join sync.club_state as c on s.club = c.club
where
    s.club = :club
    and s.as_of < :before
    and s.snapshot is distinct from c.certified_snapshot
    and s.snapshot is distinct from c.last_snapshot;

-- name: delete_snapshots(club, snapshots)!
delete from sync.snapshot
where club = :club and snapshot = any(:snapshots::bigint[]);

-- name: old_plans(club, before)
select plan, path from sync.plan
where club = :club and made_at < :before;

-- name: delete_plans(club, plans)!
delete from sync.plan
where club = :club and plan = any(:plans::bigint[]);

-- name: runs_without_plan(club, runs, before)
-- Of these runs those that have no stored plan and were not started since.
select r.run
from unnest(:runs::bigint[]) as r (run)
where
    not exists (
        select 1 from sync.plan as p
        where p.club = :club and p.run = r.run
    )
    and not exists (
        select 1 from sync.run as s
        where s.club = :club and s.run = r.run and s.started_at >= :before
    );

-- name: delete_idle_runs(club, before)!
-- Deletes runs that changed nothing. The others stay with their audit rows and findings (R22: which run saw it).
delete from sync.run as r
where
    r.club = :club
    and r.started_at < :before
    and r.rows_written = 0
    and not exists (
        select 1 from sync.change as ch
        where ch.club = r.club and ch.run = r.run
    )
    and not exists (
        select 1 from sync.hold as h
        where h.club = r.club and h.run = r.run
    )
    and not exists (
        select 1 from sync.finding as f
        where f.club = r.club and r.run in (f.run, f.closed_run)
    );

-- name: thin_idle_runs(club, before)!
-- Of the runs before that time that changed nothing and went well, the first of each hour stays.
delete from sync.run as r
using (
    select
        i.run,
        row_number() over (
            partition by date_trunc('hour', i.started_at)
            order by i.run
        ) as place
    from sync.run as i
    where
        i.club = :club
        and i.started_at < :before
        and i.state = 'done'
        and i.used
        and i.rows_written = 0
        and i.suspected = 0
) as idle
where
    r.club = :club
    and r.run = idle.run
    and idle.place > 1
    and not exists (
        select 1 from sync.change as ch
        where ch.club = r.club and ch.run = r.run
    )
    and not exists (
        select 1 from sync.hold as h
        where h.club = r.club and h.run = r.run
    )
    and not exists (
        select 1 from sync.plan as p
        where p.club = r.club and p.run = r.run
    )
    and not exists (
        select 1 from sync.finding as f
        where f.club = r.club and r.run in (f.run, f.closed_run)
    );

-- name: thin_repeated_snapshots(club, before)!
-- Of the snapshots before that time that say what the one before them says, the first of each hour stays.
with said as (
    select
        n.snapshot,
        concat_ws(' ', n.content_hash, n.path, n.epoch, n.certified, n.doubts, date_trunc('hour', n.as_of)) as what
    from sync.snapshot as n
    where n.club = :club
),

told as (
    select
        said.snapshot,
        said.what = lag(said.what) over (order by said.snapshot) as repeats
    from said
)

delete from sync.snapshot as s
using told, sync.club_state as c
where
    s.club = :club
    and c.club = s.club
    and s.snapshot = told.snapshot
    and told.repeats
    and s.as_of < :before
    and s.snapshot is distinct from c.certified_snapshot
    and s.snapshot is distinct from c.last_snapshot
    and not exists (
        select 1 from sync.plan as p
        where p.club = s.club and p.snapshot = s.snapshot
    );

-- name: delete_old_change_hours(club, before)!
delete from sync.change_hour
where club = :club and hour < :before;

-- name: delete_old_findings(club, before)!
delete from sync.finding
where club = :club and closed_at < :before;

-- name: add_folder(club, path, at)!
-- Before the first file of a snapshot is written.
insert into sync.folder (club, path, made_at) values (:club, :path, :at)
on conflict (
    club, path) do update set made_at = excluded.made_at
where folder.made_at < excluded.made_at - interval '1 hour';

-- name: folders(club)
select path from sync.folder
where club = :club;

-- name: delete_folder(club, path)!
-- After its last file was removed.
delete from sync.folder
where club = :club and path = :path;

-- name: unused_folders(club, paths, before)
-- Folders that no snapshot is in and no run under way writes to: of these, and of those that have a row.
select p.path
from (
    select k.path from sync.folder as k
    where k.club = :club
    union
    select g.path
    from unnest(:paths::text[]) as g (path)
) as p
left join sync.folder as f on f.club = :club and p.path = f.path
where
    (f.made_at is null or f.made_at < :before)
    and not exists (
        select from sync.snapshot as s
        where s.club = :club and s.path = p.path
    )
order by p.path;
