-- Queries of the Clubs pages. Those across clubs run as clubsync_reader; the others are about one club.

-- name: summarise_club(club, customers, at)!
-- Call it in the transaction of whatever changed a club. customers: null to have them counted.
-- Findings of severity info are not counted: only `why` uses them (R22).
with open_now as (
    select
        code,
        count(*) as findings,
        min(since) as oldest
    from sync.finding
    where club = :club and closed_at is null and severity != 'info'
    group by code
),

closed as (
    delete from sync.finding_summary as f
    where f.club = :club and not exists (
        select 1 from open_now as o
        where o.code = f.code
    )
),

still_open as (
    insert into sync.finding_summary as f (club, code, findings, oldest)
    select :club, o.code, o.findings, o.oldest
    from open_now as o
    on conflict (club, code) do update set
        findings = excluded.findings,
        oldest = excluded.oldest
    where (f.findings, f.oldest) is distinct from (excluded.findings, excluded.oldest)
)

insert into sync.club_summary (club, customers, findings, at)
values (
    :club,
    coalesce(
        :customers::integer,
        (
            select count(*) from base.customer as b
            where b.club = :club and b.in_customers_group
        )
    ),
    coalesce((select sum(findings) from open_now), 0),
    :at
)
on conflict (club) do update set
    customers = excluded.customers,
    findings = excluded.findings,
    at = excluded.at;

-- name: add_change_counts(club, at, counts)!
insert into sync.change_hour as h (club, hour, kind, changes)
select
    :club,
    date_trunc('hour', :at::timestamptz, 'UTC'),
    c.key,
    c.value::integer
from jsonb_each_text(:counts::jsonb) as c
where c.value::integer > 0
on conflict (club, hour, kind) do update set changes = h.changes + excluded.changes;

-- name: set_airflow_run(club, number, dag, run, task, index)!
update sync.run set airflow_dag = :dag, airflow_run = :run, airflow_task = :task, airflow_index = :index
where club = :club and sync.run.run = :number;

-- name: add_action(club, at, actor, kind, detail, people)$
insert into sync.act (club, at, actor, kind, detail, people)
values (:club, :at, :actor, :kind, :detail, :people::text[])
returning act;

-- name: end_action(club, act, outcome, told, detail)!
-- null: told
update sync.act set outcome = :outcome, told = :told, detail = detail || :detail::jsonb
where club = :club and act = :act;

-- name: find_action(club, act)^
select act, at, actor, kind, detail, people, outcome, told from sync.act
where club = :club and act = :act;

-- name: recent_actions(club, max_rows)
select act, at, actor, kind, detail, people, outcome, told from sync.act
where club = :club
order by act desc
limit :max_rows;

-- name: erase_from_actions(club, people)!
-- Removes erased people from the actions that concerned them (R20).
update sync.act set
    people = array(
        select p from unnest(people) as p
        where p != all(:people::text[])
    ),
    detail = detail - 'erp_id' - 'one' - 'other'
where club = :club and people && :people::text[];

-- name: club_board(at, clubs, of, reads, completes, datas, read, complete, data, unlisted, words, erp, state, sort, down, max_rows, skip)
-- null: reads[], completes[], datas[], data
-- A page of clubs with their state; each row also has the number of clubs in each state and of each ERP.
-- read, complete, data: the promises of most clubs (R25). reads, completes, datas: other promises, in seconds;
-- `of` tells which of them (from 1) each of `clubs` has. unlisted: clubs that clubs.yaml no longer has.
-- The inner queries carry few columns of all clubs; the outer one fetches the rest for the page.
with other as (
    select
        o.number,
        make_interval(secs => o.read) as read,
        make_interval(secs => o.complete) as complete,
        make_interval(secs => o.data) as data
    from
        unnest(:reads::double precision[], :completes::double precision[], :datas::double precision[])
        with ordinality as o (read, complete, data, number)
),

promised as (
    select
        p.club,
        o.read,
        o.complete,
        o.data
    from unnest(:clubs::integer[], :of::integer[]) as p (club, number)
    inner join other as o on p.number = o.number
),

waiting as (
    select h.club from sync.hold as h
    where h.state = 'open'
),

board as materialized (
    select
        c.club,
        c.erp,
        lower(c.name) as name,
        coalesce(y.customers, 0) as customers,
        coalesce(y.findings, 0) as findings,
        coalesce(s.certified_at, s.certified_as_of) as certified_at,
        case
            when c.club = any(:unlisted::integer[]) then 'gone'
            when s.paused then 'paused'
            when s.quarantined_until is not null then 'quarantined'
            when s.failing_since is not null then 'failing'
            when w.club is not null then 'held'
            when
                s.last_success_at is null
                and not s.reviewed
                and exists (
                    select from sync.run as r
                    where r.club = c.club and r.state = 'held'
                )
                then 'held'
            when s.last_success_at is null then 'new'
            when
                :at - coalesce(s.last_success_at, c.created_at) > coalesce(p.read, :read::interval)
                or :at - coalesce(s.certified_at, s.certified_as_of, c.created_at)
                > coalesce(p.complete, :complete::interval)
                or coalesce(
                    :at - coalesce(s.certified_as_of, c.created_at)
                    > case when p.club is null then :data::interval else p.data end,
                    false
                )
                then 'late'
            else 'fresh'
        end as state
    from base.club as c
    inner join sync.club_state as s on c.club = s.club
    left join sync.club_summary as y on c.club = y.club
    left join waiting as w on c.club = w.club
    left join promised as p on c.club = p.club
    where
        :words::text is null
        or strpos(lower(c.name), lower(:words)) > 0
        or strpos(c.club_id, lower(:words)) > 0
),

counted as materialized (
    select
        erp,
        state,
        count(*) as n
    from board
    group by erp, state
),

counts as (
    select
        coalesce((
            select jsonb_object_agg(b.state, b.n)
            from (
                select
                    state,
                    sum(n) as n
                from counted
                where :erp::text is null or erp = :erp
                group by state
            ) as b
        ), '{}') as states,
        coalesce((
            select jsonb_object_agg(b.erp, b.n)
            from (
                select
                    erp,
                    sum(n) as n
                from counted
                group by erp
            ) as b
        ), '{}') as erps
),

page as (
    select
        o.*,
        row_number() over () as place
    from (
        select * from board as b
        where (:erp::text is null or b.erp = :erp) and (:state::text is null or b.state = :state)
        order by
            case
                when :sort = 'state'
                    then case b.state
                        when 'failing' then 1
                        when 'quarantined' then 2
                        when 'held' then 3
                        when 'late' then 4
                        when 'new' then 5
                        when 'fresh' then 6
                        when 'paused' then 7
                        else 8
                    end
                when :sort = 'customers' then b.customers
                when :sort = 'findings' then b.findings
                when :sort = 'age' then -extract(epoch from b.certified_at)::double precision
            end * case when :down then -1 else 1 end nulls last,
            case when :sort = 'name' and :down then b.name end collate "C" desc,
            b.name collate "C",
            b.club
        limit :max_rows offset :skip
    ) as o
)

select
    n.states,
    n.erps,
    g.club,
    g.state,
    g.customers,
    g.findings,
    g.certified_at,
    c.club_id,
    c.name,
    c.erp,
    c.created_at,
    s.last_success_at,
    s.certified_as_of,
    s.next_read_at,
    s.failing_since,
    s.quarantined_until,
    s.last_error,
    s.remove_at
from counts as n
left join page as g on true
left join base.club as c on g.club = c.club
left join sync.club_state as s on g.club = s.club
order by g.place;

-- name: reasons_of_clubs(clubs, since)
-- What the state of a club comes from, for a page of clubs: the last failure and those since then, what awaits
-- approval or a second reading, who paused it, and why its last reading was incomplete.
select
    s.club,
    f.run as failed_run,
    f.runbook,
    e.failures,
    h.hold,
    h.causes,
    v.size as held,
    p.run as first_run,
    p.additions,
    u.suspected,
    a.paused_at,
    a.paused_by,
    l.run as read_run,
    l.doubts
from sync.club_state as s
left join lateral (
    select
        r.run,
        r.runbook
    from sync.run as r
    where r.club = s.club and r.state = 'failed'
    order by r.run desc
    limit 1
) as f on s.failing_since is not null
left join (
    select
        r.club,
        count(*) as failures
    from sync.run as r
    where r.state = 'failed' and r.started_at >= :since and not starts_with(r.trigger, 'by hand:')
    group by r.club
) as e on s.club = e.club
left join sync.hold as h on s.club = h.club and h.state = 'open'
left join sync.hold_version as v on h.club = v.club and h.hold = v.hold and h.version = v.version
left join lateral (
    select
        q.run,
        (q.counts ->> 'addition')::integer as additions
    from sync.plan as q
    where
        q.club = s.club
        and q.loaded_at is null
        and exists (
            select from sync.run as d
            where d.club = q.club and d.run = q.run and d.state = 'held'
        )
    order by q.plan desc
    limit 1
) as p on not s.reviewed and s.last_success_at is null
left join lateral (
    select count(distinct x.erp_id) as suspected from sync.suspicion as x
    where x.club = s.club
) as u on true
left join lateral (
    select
        r.started_at as paused_at,
        (
            select t.actor from sync.act as t
            where
                t.club = r.club
                and t.kind = 'pause'
                and t.at between r.started_at - interval '1 minute' and r.started_at
            order by t.act desc
            limit 1
        ) as paused_by
    from sync.run as r
    where r.club = s.club and r.trigger = 'by hand: paused'
    order by r.run desc
    limit 1
) as a on s.paused
left join lateral (
    select
        r.run,
        n.doubts
    from sync.run as r
    inner join sync.snapshot as n on r.club = n.club and r.snapshot = n.snapshot
    where r.club = s.club and r.state in ('done', 'held')
    order by r.run desc
    limit 1
) as l on true
where s.club = any(:clubs::integer[]);

-- name: count_failures(club, since)$
-- row: always
-- A club's failed syncs since then.
select count(*) from sync.run as r
where
    r.club = :club
    and r.state = 'failed'
    and r.started_at >= :since
    and not starts_with(r.trigger, 'by hand:');

-- name: failures_by_erp(since, unlisted)
-- The clubs of each ERP: how many there are, how many had a sync that failed since then, and how often.
select
    c.erp,
    count(*) as clubs,
    count(e.club) as failing,
    coalesce(sum(e.failures), 0)::bigint as failures
from base.club as c
left join (
    select
        r.club,
        count(*) as failures
    from sync.run as r
    where r.state = 'failed' and r.started_at >= :since and not starts_with(r.trigger, 'by hand:')
    group by r.club
) as e on c.club = e.club
where not c.club = any(:unlisted::integer[])
group by c.erp
order by c.erp;

-- name: failing_clubs_by_runbook(unlisted)
-- How many clubs fail now with what each runbook is about.
select
    f.runbook,
    count(*) as clubs
from sync.club_state as s
inner join lateral (
    select r.runbook from sync.run as r
    where r.club = s.club and r.state = 'failed'
    order by r.run desc
    limit 1
) as f on true
where
    s.failing_since is not null
    and not s.paused
    and f.runbook is not null
    and not s.club = any(:unlisted::integer[])
group by f.runbook;

-- name: clubs_failing_by_runbook(runbook, unlisted, max_rows)
-- The clubs that fail now with what a runbook is about, those that fail for longest first.
select
    c.club_id,
    c.name,
    s.failing_since,
    f.error,
    count(*) over () as total
from sync.club_state as s
inner join base.club as c on s.club = c.club
inner join lateral (
    select
        r.runbook,
        r.error
    from sync.run as r
    where r.club = s.club and r.state = 'failed'
    order by r.run desc
    limit 1
) as f on f.runbook = :runbook
where
    s.failing_since is not null
    and not s.paused
    and not s.club = any(:unlisted::integer[])
order by s.failing_since, c.club_id
limit :max_rows;

-- name: last_failed_run(club)
-- Of a club that fails: the newest run that failed.
select
    r.run,
    r.trigger,
    r.started_at,
    r.finished_at,
    r.state,
    r.stage,
    r.plan,
    r.read,
    r.counts,
    r.rows_written,
    r.used,
    r.suspected,
    r.error,
    r.remedy,
    r.runbook,
    r.airflow_dag,
    r.airflow_run,
    r.airflow_task,
    r.airflow_index,
    r.profile,
    n.certified,
    n.doubts,
    n.as_of
from sync.run as r
inner join sync.club_state as s on r.club = s.club
left join sync.snapshot as n on r.club = n.club and r.snapshot = n.snapshot
where r.club = :club and r.state = 'failed' and s.failing_since is not null
order by r.run desc
limit 1;

-- name: changes_by_part_of_day(clubs, since)
-- For the sparklines of the list of clubs.
select
    p.club,
    array_agg(p.part) as parts,
    array_agg(p.changes) as changes
from (
    select
        h.club,
        (extract(epoch from h.hour - :since::timestamptz) / 21600)::integer as part,
        sum(h.changes)::integer as changes
    from (
        select
            club,
            date_bin('6 hours', hour, :since::timestamptz) as hour,
            changes
        from sync.change_hour
        where club = any(:clubs::integer[]) and hour >= :since
    ) as h
    group by 1, 2
) as p
group by p.club;

-- name: club_facts(club)^
-- row: always
select
    c.name,
    c.erp,
    c.created_at,
    s.last_success_at,
    s.last_attempt_at,
    s.next_read_at,
    coalesce(s.certified_at, s.certified_as_of) as certified_at,
    s.certified_as_of,
    s.failing_since,
    s.failures,
    s.quarantined_until,
    s.last_error,
    s.paused,
    s.remove_at,
    s.similar_upto,
    (
        s.last_success_at is null
        and not s.reviewed
        and exists (
            select from sync.run as r
            where r.club = c.club and r.state = 'held'
        )
    ) as first_sync_waits,
    coalesce(y.customers, 0) as customers,
    coalesce(y.findings, 0) as findings,
    (
        select h.hold from sync.hold as h
        where h.club = c.club and h.state = 'open'
    ) as hold,
    (
        select count(*) from sync.similar_pair as p
        where p.club = c.club
    ) as "similar"
from base.club as c
inner join sync.club_state as s on c.club = s.club
left join sync.club_summary as y on c.club = y.club
where c.club = :club;

-- name: readings_by_hour(club, since)
-- The number of syncs in each hour, of those that failed, and of those that were complete. What a run has not read
-- itself is none: a replay, an approval, an interval of a backfill that another reading covers.
select
    date_trunc('hour', r.started_at, 'UTC') as hour,
    count(*) as readings,
    count(*) filter (where r.state = 'failed') as failed,
    count(*) filter (where r.state in ('done', 'held') and r.used and n.certified) as complete
from sync.run as r
left join sync.snapshot as n on r.club = n.club and r.snapshot = n.snapshot
where
    r.club = :club
    and r.started_at >= :since
    and not starts_with(r.trigger, 'by hand:')
    and r.state != 'running'
    and (n.read_at >= r.started_at or (r.state = 'failed' and n.read_at is null))
group by 1
order by 1;

-- name: changes_by_hour(club, since)
select hour, kind, changes from sync.change_hour
where club = :club and hour >= :since
order by hour, kind;

-- name: runs_of(club, before, max_rows)
select
    r.run,
    r.trigger,
    r.started_at,
    r.finished_at,
    r.state,
    r.stage,
    r.plan,
    r.read,
    r.counts,
    r.rows_written,
    r.used,
    r.suspected,
    r.error,
    r.remedy,
    r.runbook,
    r.airflow_dag,
    r.airflow_run,
    r.airflow_task,
    r.airflow_index,
    r.profile,
    n.certified,
    n.doubts,
    n.as_of,
    n.read_at
from sync.run as r
left join sync.snapshot as n on r.club = n.club and r.snapshot = n.snapshot
where r.club = :club and (:before::bigint is null or r.run < :before)
order by r.run desc
limit :max_rows;

-- name: changes_of_run_page(club, run, kind, skip, max_rows)
select
    ch.change,
    ch.at,
    ch.kind,
    ch.customer,
    ch.erp_id,
    ch.before::jsonb as before,
    ch.after::jsonb as after,
    ch.reason,
    ch.actor
from sync.change as ch
where ch.club = :club and ch.run = :run and (:kind::text is null or ch.kind = :kind)
order by ch.change
limit :max_rows offset :skip;

-- name: changes_of_run_by_kind(club, run)
select
    kind,
    count(*) as changes
from sync.change
where club = :club and run = :run
group by kind
order by kind;

-- name: plan_of_run(club, run)^
select plan, list_hash, made_at, counts, customers, held, path, loaded_at from sync.plan
where club = :club and run = :run
order by plan desc
limit 1;

-- name: runs_of_airflow(dag, run)
-- What an Airflow run did in each club; the last run of each club and task first.
select
    c.club_id,
    c.name,
    r.run,
    r.trigger,
    r.started_at,
    r.finished_at,
    r.state,
    r.stage,
    r.read,
    r.counts,
    r.rows_written,
    r.used,
    r.suspected,
    r.error,
    r.remedy,
    r.runbook,
    r.airflow_dag,
    r.airflow_run,
    r.airflow_task,
    r.airflow_index,
    r.profile,
    n.certified,
    n.doubts,
    n.as_of,
    n.read_at
from sync.run as r
inner join base.club as c on r.club = c.club
left join sync.snapshot as n on r.club = n.club and r.snapshot = n.snapshot
where r.airflow_dag = :dag and r.airflow_run = :run
order by lower(c.name), r.run desc;

-- name: finding_groups(club)
select
    code,
    severity,
    count(*) as findings,
    min(since) as oldest
from sync.finding
where club = :club and closed_at is null and severity != 'info'
group by code, severity
order by findings desc, code;

-- name: findings_of_code(club, code, skip, max_rows)
select
    f.code,
    f.severity,
    f.detail,
    f.since,
    f.run,
    nullif(f.erp_id, '') as erp_id,
    m.first_name,
    m.last_name,
    m.email
from sync.finding as f
left join sync.erp_customer as m on f.club = m.club and f.erp_id = m.erp_id
where
    f.club = :club
    and f.closed_at is null
    and f.severity != 'info'
    and (:code::text is null or f.code = :code)
order by f.since, f.erp_id, f.code
limit :max_rows offset :skip;

-- name: finding_board(words, erp, code, before, sort, down, unlisted, max_rows, skip)
-- Open findings of all clubs, one row for each club and code; each row also has the number of each code.
with board as materialized (
    select
        c.club_id,
        c.name,
        c.erp,
        f.code,
        f.findings,
        f.oldest
    from sync.finding_summary as f
    inner join base.club as c on f.club = c.club
    where
        (:erp::text is null or c.erp = :erp)
        and (:before::timestamptz is null or f.oldest < :before)
        and (
            :words::text is null
            or strpos(lower(c.name), lower(:words)) > 0
            or strpos(c.club_id, lower(:words)) > 0
        )
        and not c.club = any(:unlisted::integer[])
),

counts as (
    select
        coalesce((
            select jsonb_object_agg(b.code, b.n)
            from (
                select code, sum(findings) as n from board
                group by code
            ) as b
        ), '{}') as codes,
        (
            select count(*) from board
            where :code::text is null or code = :code
        ) as total
),

page as (
    select
        o.*,
        row_number() over () as place
    from (
        select * from board as b
        where :code::text is null or b.code = :code
        order by
            case
                when :sort = 'findings' then b.findings
                when :sort = 'age' then extract(epoch from b.oldest)::double precision
            end * case when :down then -1 else 1 end,
            case when :sort = 'name' and :down then lower(b.name) end collate "C" desc,
            lower(b.name) collate "C",
            b.code
        limit :max_rows offset :skip
    ) as o
)

select *
from counts
left join page as g on true
order by g.place;

-- name: erps()
select distinct erp from base.club
order by erp;

-- name: groups_with_counts(club)
-- Groups with the number of their members; an automatic group counts members with access only.
with fed as (
    select
        g.group_id,
        count(*) as customers
    from base.customer as b
    cross join lateral unnest(b.auto_groups) as g (group_id)
    where b.club = :club and b.in_customers_group
    group by g.group_id
),

by_hand as (
    select
        m.group_id,
        count(*) as customers
    from base.membership as m
    where m.club = :club
    group by m.group_id
)

select
    g.name,
    g.kind,
    e.active,
    e.listed,
    coalesce(f.customers, h.customers, 0) as customers
from base.customer_group as g
left join lateral (
    -- several ERP groups may feed one (R4): it is in use while any of them is
    select
        bool_or(p.active) as active,
        bool_or(p.listed) as listed
    from sync.erp_group as p
    where g.club = p.club and g.group_id = p.group_id and g.kind = 'automatic'
    having count(*) > 0
) as e on true
left join fed as f on g.group_id = f.group_id
left join by_hand as h on g.group_id = h.group_id
where g.club = :club and not coalesce(starts_with(g.erp_group_id, '@'), false)
order by g.kind, customers desc, lower(g.name);

-- name: hold_board(state, unlisted, max_rows, skip)
-- Holds of all clubs: open ones oldest first, decided ones newest first.
select
    c.club_id,
    c.name,
    c.erp,
    h.hold,
    h.opened_at,
    h.state,
    h.version,
    h.list_hash,
    h.causes,
    h.limit_was,
    h.decided_at,
    h.decided_by,
    h.comment,
    coalesce(y.customers, 0) as customers,
    v.size,
    count(*) over () as total
from sync.hold as h
inner join base.club as c on h.club = c.club
left join sync.club_summary as y on h.club = y.club
left join sync.hold_version as v on h.club = v.club and h.hold = v.hold and h.version = v.version
where
    case when :state = 'open' then h.state = 'open' else h.state != 'open' end
    and not c.club = any(:unlisted::integer[])
order by
    case when :state = 'open' then h.opened_at end,
    h.decided_at desc,
    h.hold
limit :max_rows offset :skip;

-- name: holds_of(club, max_rows)
select
    h.hold,
    h.opened_at,
    h.state,
    h.causes,
    h.decided_at,
    h.decided_by,
    h.comment,
    v.size
from sync.hold as h
left join sync.hold_version as v on h.club = v.club and h.hold = v.hold and h.version = v.version
where h.club = :club
order by h.hold desc
limit :max_rows;

-- name: causes_of_hold(club, hold, version)
-- Why people are on a version of its list, the most frequent cause first, and how many would lose access.
select
    m.cause,
    count(*) as people,
    count(*) filter (where m.loses) as losing
from sync.hold_member as m
where
    m.club = :club and m.hold = :hold
    and m.joined_version <= :version and (m.left_version is null or m.left_version > :version)
group by m.cause
order by people desc, m.cause;

-- name: people_of_hold(club, hold, version, skip, max_rows)
select
    m.customer,
    m.erp_id,
    m.reason,
    m.cause,
    b.first_name,
    b.last_name,
    b.email
from sync.hold_member as m
left join base.customer as b on m.club = b.club and m.customer = b.customer
where
    m.club = :club and m.hold = :hold
    and m.joined_version <= :version and (m.left_version is null or m.left_version > :version)
order by m.cause, m.customer
limit :max_rows offset :skip;

-- name: clubs_of_person(clubs, erp_id, email, max_rows)
-- null: erp_id, email
-- Those of these clubs that have somebody with that ERP id or email: one index lookup for each club.
select
    c.club_id,
    c.name,
    k.erp_id,
    k.customer
from base.club as c
cross join
    lateral (
        (
            select m.erp_id, null::bigint as customer from sync.erp_customer as m
            where m.club = c.club and m.erp_id = :erp_id
            limit 1
        )
        union all
        (
            select b.erp_id, b.customer from base.customer as b
            where b.club = c.club and b.email = :email
            limit 1
        )
        union all
        (
            select m.erp_id, null::bigint from sync.erp_customer as m
            where m.club = c.club and m.access != 'yes' and m.email_norm = :email
            limit 1
        )
        limit 1
    ) as k
where c.club_id = any(:clubs::text[])
order by lower(c.name)
limit :max_rows;

-- name: customers_of_roster(club)
select
    customer,
    erp_id,
    email,
    first_name,
    last_name,
    in_customers_group
from base.customer
where club = :club;

-- name: clubs_of_account(clubs, user_id, max_rows)
-- Those of these clubs in which an app account is linked to a customer, or has asked to become one (R9, R11).
select
    c.club_id,
    c.name,
    k.erp_id,
    k.customer
from base.club as c
cross join
    lateral (
        (
            select b.erp_id, b.customer from base.customer as b
            where b.club = c.club and b.linked_user = :user_id
            limit 1
        )
        union all
        (
            select null::text as erp_id, null::bigint as customer from base.attachment_request as r
            where r.club = c.club and r.user_id = :user_id and r.state = 'pending'
            limit 1
        )
        limit 1
    ) as k
where c.club_id = any(:clubs::text[])
order by lower(c.name)
limit :max_rows;

-- name: people_by_name(clubs, fragment, max_rows)
-- Across these clubs; only for a database with few people.
select
    c.club_id,
    c.name,
    p.erp_id,
    p.customer,
    p.first_name,
    p.last_name,
    p.email,
    p.in_customers_group
from base.club as c
inner join (
    select
        coalesce(m.club, b.club) as club,
        coalesce(b.erp_id, m.erp_id) as erp_id,
        b.customer,
        coalesce(b.first_name, m.first_name) as first_name,
        coalesce(b.last_name, m.last_name) as last_name,
        coalesce(b.email, m.email_norm) as email,
        coalesce(b.in_customers_group, false) as in_customers_group
    from sync.erp_customer as m
    full join base.customer as b on m.club = b.club and m.erp_id = b.erp_id
) as p on c.club = p.club
where
    c.club_id = any(:clubs::text[])
    and strpos(lower(concat_ws(' ', p.first_name, p.last_name)), lower(:fragment)) > 0
order by p.last_name, p.first_name, p.erp_id
limit :max_rows;

-- name: people_by_key(club, key, max_rows)
-- People with a full name, in a club of any size, by the keys of similar records (R23).
select
    m.erp_id,
    b.customer,
    coalesce(b.first_name, m.first_name) as first_name,
    coalesce(b.last_name, m.last_name) as last_name,
    coalesce(b.email, m.email_norm) as email,
    coalesce(b.in_customers_group, false) as in_customers_group
from sync.similar_key as k
inner join sync.erp_customer as m on k.club = m.club and k.erp_id = m.erp_id
left join base.customer as b on m.club = b.club and m.erp_id = b.erp_id
where k.club = :club and k.key = :key
limit :max_rows;

-- name: count_all_records()$
select coalesce(sum(certified_rows), 0) from sync.club_state;

-- name: count_records(club)$
-- row: always
select coalesce(certified_rows, 0) from sync.club_state
where club = :club;

-- name: person(club, customer, erp_id)^
-- null: erp_id
-- A person by customer or ERP id.
select
    b.customer,
    coalesce(b.erp_id, m.erp_id) as erp_id,
    coalesce(b.first_name, m.first_name) as first_name,
    coalesce(b.last_name, m.last_name) as last_name,
    coalesce(b.email, m.email_norm) as email,
    coalesce(b.phone, m.phone) as phone,
    b.origin,
    coalesce(b.in_customers_group, false) as in_customers_group,
    m.status,
    m.status_raw,
    m.gone_at
from (
    select
        c.customer,
        c.erp_id
    from base.customer as c
    where c.club = :club and c.customer = :customer::bigint
    union all
    select
        c.customer,
        c.erp_id
    from base.customer as c
    where c.club = :club and c.erp_id = :erp_id and :customer::bigint is null
    union all
    select
        null,
        r.erp_id
    from sync.erp_customer as r
    where r.club = :club and r.erp_id = :erp_id and :customer::bigint is null
    limit 1
) as w
left join base.customer as b on b.club = :club and w.customer = b.customer
left join sync.erp_customer as m on m.club = :club and w.erp_id = m.erp_id;

-- name: records_of_email(club, email)
-- The base customer with an email, and the ERP records without access that have it.
select
    b.erp_id,
    true as holds
from base.customer as b
where b.club = :club and b.email = :email
union all
select
    m.erp_id,
    false
from sync.erp_customer as m
where m.club = :club and m.access != 'yes' and m.email_norm = :email
limit 3;

-- name: pairs_of_person(club, erp_id)
select
    case when p.erp_id_a = :erp_id then p.erp_id_b else p.erp_id_a end as other,
    p.reasons
from sync.similar_pair as p
where p.club = :club and (p.erp_id_a = :erp_id or p.erp_id_b = :erp_id)
order by p.score desc;

-- name: requests_of_person(club, email)
select
    r.request_id as id,
    r.created_at
from base.attachment_request as r
inner join base.app_user as u on r.user_id = u.user_id
where r.club = :club and r.state = 'pending' and u.email = :email;

-- name: count_pending_requests(club)$
select count(*) from base.attachment_request
where club = :club and state = 'pending';

-- name: pending_requests(club, max_rows, skip)
select
    r.request_id as id,
    r.created_at,
    u.email,
    u.confirmed
from base.attachment_request as r
inner join base.app_user as u on r.user_id = u.user_id
where r.club = :club and r.state = 'pending'
order by r.request_id
limit :max_rows offset :skip;

-- name: similar_pairs_page(club, skip, max_rows)
-- Both records of each pair, the most similar first.
select
    p.score,
    p.reasons,
    count(*) over () as total,
    p.erp_id_a as a_erp_id,
    a.first_name as a_first_name,
    a.last_name as a_last_name,
    a.email as a_email,
    a.phone as a_phone,
    a.birth_date as a_birth_date,
    a.status as a_status,
    a.access = 'yes' as a_access,
    p.erp_id_b as b_erp_id,
    b.first_name as b_first_name,
    b.last_name as b_last_name,
    b.email as b_email,
    b.phone as b_phone,
    b.birth_date as b_birth_date,
    b.status as b_status,
    b.access = 'yes' as b_access
from sync.similar_pair as p
cross join
    lateral (
        select * from sync.erp_customer as m
        where m.club = p.club and m.erp_id = p.erp_id_a
        offset 0
    ) as a
cross join
    lateral (
        select * from sync.erp_customer as m
        where m.club = p.club and m.erp_id = p.erp_id_b
        offset 0
    ) as b
where p.club = :club
order by p.score desc, p.erp_id_a, p.erp_id_b
limit :max_rows offset :skip;

-- name: hash_keys()
-- Of every club, the key of its keyed hashes.
select s.club, c.club_id, s.hash_key
from sync.club_state as s
inner join base.club as c on s.club = c.club;

-- name: clubs_that_erased(clubs, key_hashes)
-- Clubs with an order about somebody that nobody has lifted (R20), by their own keyed hashes; the newest order first.
select c.club_id
from unnest(:clubs::integer[], :key_hashes::text[]) as h (club, key_hash)
inner join sync.erasure_key as k on h.club = k.club and h.key_hash = k.key_hash
inner join sync.erasure as e on k.club = e.club and k.erasure = e.erasure
inner join base.club as c on k.club = c.club
where e.lifted_at is null
group by c.club_id
order by max(e.ordered_at) desc;
