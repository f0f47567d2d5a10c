-- name: start_run(club, trigger, at)$
insert into sync.run (club, trigger, started_at) values (:club, :trigger, :at)
returning run;

-- name: hold_run(club, run, holder)!
update sync.run set holder = :holder
where club = :club and run = :run;

-- name: close_interrupted_runs(club, at, before, error, remedy, runbook)!
-- Runs whose process is gone: the lock of a run of the shell is free; a run of Airflow's is followed by another of the
-- same Dag; whatever it is, it began before that time. Between two tasks of Airflow nobody holds a run.
update sync.run as r set
    state = 'failed',
    finished_at = :at,
    error = :error,
    remedy = :remedy,
    runbook = :runbook
where
    r.club = :club
    and r.state = 'running'
    and (
        r.started_at < :before
        or (
            r.airflow_run is null
            and r.holder is not null
            and not exists (
                select from pg_locks as l
                where
                    l.locktype = 'advisory'
                    and l.classid = 7255
                    and l.objid::bigint = r.holder
                    and l.database = (
                        select d.oid from pg_database as d
                        where d.datname = current_database()
                    )
            )
        )
        or (
            r.airflow_run is not null
            and r.trigger != 'backfill'
            and exists (
                select from sync.run as n
                where n.club = r.club and n.airflow_dag = r.airflow_dag and n.run > r.run
            )
        )
    );

-- name: clubs_with_running_runs()
select distinct r.club from sync.run as r
where r.state = 'running';

-- name: end_run(club, run, at, state, stage, snapshot, plan, read, counts, rows_written, used, suspected, error, remedy, runbook, profile)!
-- null: error, remedy, runbook
update sync.run set
    finished_at = :at,
    state = :state,
    stage = :stage,
    snapshot = coalesce(:snapshot, snapshot),
    plan = coalesce(:plan, plan),
    read = coalesce(:read, read),
    counts = :counts,
    rows_written = :rows_written,
    used = :used,
    suspected = :suspected,
    error = :error,
    remedy = :remedy,
    runbook = :runbook,
    profile = :profile
where club = :club and run = :run;

-- name: loaded_run(club, run)^
-- What came of a run that was loaded; null: it was not, or nothing is known of it.
select
    state,
    plan,
    counts,
    rows_written as rows,
    used,
    suspected
from sync.run
where club = :club and run = :run and stage = 'load' and state in ('done', 'held');

-- name: run_snapshot(club, run, snapshot, read)!
update sync.run set snapshot = :snapshot, read = :read
where club = :club and run = :run;

-- name: add_snapshot(club, as_of, began_at, read_at, consistency, memberships, certified, doubts, customers, rows_read, content_hash, path, epoch, columns, column_of, file, reading_hash)^
-- null: file, memberships, reading_hash
insert into sync.snapshot
(
    club, as_of, began_at, read_at, consistency, memberships, certified, doubts, customers, rows_read, content_hash,
    path, epoch, columns, column_of, file, reading_hash
)
values
(
    :club, :as_of, :began_at, :read_at, :consistency, :memberships, :certified, :doubts, :customers, :rows_read,
    :content_hash, :path, :epoch, :columns, :column_of, :file, :reading_hash
)
returning snapshot, began_at, read_at, consistency, memberships;

-- name: comparable_reading(club)^
-- row: always
-- What a reading may be compared with: the club's newest snapshot, where it is certified, of the content that is loaded,
-- and has the hash of its reading; and what else decides what a reading becomes.
-- erased: whom the ERP still sends, and whose records are therefore left out.
select
    s.epoch,
    s.hash_key,
    s.certified_as_of,
    n.snapshot,
    n.path,
    n.customers,
    n.reading_hash,
    (
        select coalesce(max(e.erasure), 0) from sync.erasure as e
        where e.club = s.club
    ) as orders,
    (
        select coalesce(string_agg(d.key_hash, ',' order by d.key_hash), '') from sync.erased as d
        where d.club = s.club
    ) as erased
from sync.club_state as s
left join sync.snapshot as n
    on
        s.club = n.club
        and s.epoch = n.epoch
        and s.content_hash = n.content_hash
        and n.certified
        and n.reading_hash is not null
        and n.snapshot = (
            select max(l.snapshot) from sync.snapshot as l
            where l.club = s.club
        )
where s.club = :club;

-- name: add_same_snapshot(club, run, snapshot, as_of, began_at, read_at)^
-- A reading that has said what an earlier one said: the same snapshot, seen again.
with added as (
    insert into sync.snapshot
    (
        club, as_of, began_at, read_at, consistency, memberships, certified, doubts, customers, rows_read, content_hash,
        path, epoch, columns, column_of, file, reading_hash
    )
    select
        club,
        :as_of,
        :began_at,
        :read_at,
        consistency,
        memberships,
        certified,
        doubts,
        customers,
        rows_read,
        content_hash,
        path,
        epoch,
        columns,
        column_of,
        file,
        reading_hash
    from sync.snapshot
    where club = :club and snapshot = :snapshot
    returning snapshot, customers
),

noted as (
    update sync.run as r set snapshot = a.snapshot, read = a.customers
    from added as a
    where r.club = :club and r.run = :run
)

select
    snapshot,
    customers
from added;

-- name: last_certified_file(club)$
-- What is known of the file of the snapshot that is loaded; null: it was not read from a file.
select n.file from sync.club_state as s
inner join sync.snapshot as n on s.club = n.club and s.certified_snapshot = n.snapshot
where s.club = :club;

-- name: overtaken(club, run, at)$
-- Whether the snapshot that is loaded was read after that run had started: a slow run, not an old source (R16).
-- at: now; what is still to come by this clock shows that it was set back, unless a later run read it.
select exists(
    select from sync.club_state as s
    inner join sync.snapshot as n on s.club = n.club and s.certified_snapshot = n.snapshot
    inner join sync.run as r on s.club = r.club and r.run = :run
    where
        s.club = :club
        and n.read_at > r.started_at
        and (
            n.read_at <= :at
            or exists (
                select from sync.run as l
                where l.club = s.club and l.snapshot = n.snapshot and l.run > r.run
            )
        )
) as overtaken;

-- name: snapshot(club, snapshot)^
select * from sync.snapshot
where club = :club and snapshot = :snapshot;

-- name: last_full_reading(club, epoch, only_changes)$
-- The last full read, complete or not.
select max(s.as_of) from sync.snapshot as s
where
    s.club = :club
    and s.epoch = :epoch
    and not exists (
        select from unnest(s.doubts) as d (doubt)
        where starts_with(d.doubt, :only_changes)
    );

-- name: snapshots_between(club, start, until)
select * from sync.snapshot
where
    club = :club
    and as_of >= coalesce(:start, '-infinity'::timestamptz)
    and as_of <= coalesce(:until, 'infinity'::timestamptz)
order by as_of, snapshot;

-- name: newest_snapshot_in(club, start, until)^
select * from sync.snapshot
where club = :club and as_of >= :start and as_of < :until
order by as_of desc, snapshot desc
limit 1;

-- One row per run: where a run planned again, its row says what was planned last.
-- name: add_plan(club, run, snapshot, made_at, revision, list_hash, counts, customers, held, path)$
with planned_again as (
    update sync.plan
    set
        snapshot = :snapshot,
        made_at = :made_at,
        revision = :revision,
        list_hash = :list_hash,
        counts = :counts,
        customers = :customers,
        held = :held,
        path = :path
    where club = :club and run = :run
    returning plan
),

added as (
    insert into sync.plan
    (club, run, snapshot, made_at, revision, list_hash, counts, customers, held, path)
    select
        :club, :run, :snapshot, :made_at, :revision, :list_hash, :counts, :customers, :held, :path
    where not exists (select from planned_again)
    returning plan
)

select plan from planned_again
union all
select plan from added;

-- name: plans(club)
select plan, run, made_at, counts, customers, held, path from sync.plan
where club = :club
order by plan;

-- name: plan_loaded(club, plan, at)!
update sync.plan set loaded_at = :at
where club = :club and plan = :plan;

-- name: erp_groups(club)
-- The ERP's groups, each with the key of the automatic group that it feeds (R4), and the automatic groups that none of
-- them feeds.
with
erp as (
    select
        erp_group_id,
        name,
        active,
        listed,
        group_id
    from sync.erp_group
    where club = :club
),

fed as (
    select
        group_id,
        erp_group_id as key
    from base.customer_group
    where club = :club and kind = 'automatic'
)

select
    e.erp_group_id as id,
    e.name,
    e.active,
    coalesce(e.listed, false) as listed,
    coalesce(e.group_id, f.group_id) as group_id,
    f.key
from erp as e
full join fed as f on e.group_id = f.group_id;

-- name: access_lost_since(club, since)$
-- The number of customers from whom syncs have taken access since then (R15), also when they are back; what a
-- person did or approved has an actor.
select count(distinct ch.customer) from sync.change as ch
where ch.club = :club and ch.access_lost and ch.at > :since and ch.actor is null;

-- name: customers_in_group(club)$
-- row: always
-- As `summarise_club` last counted them; everything that changes customers calls it.
select coalesce(
    (
        select y.customers from sync.club_summary as y
        where y.club = :club
    ),
    (
        select count(*) from base.customer as c
        where c.club = :club and c.in_customers_group
    )
);
