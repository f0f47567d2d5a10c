-- What the Clubs pages show: counts kept where they are written, so that no page counts customers; which
-- Airflow run a run was part of; and the activity of people on the pages.

-- Totals, as of the last run or manual edit that changed the club.
create table sync.club_summary (
    club integer primary key references base.club on delete cascade,
    customers integer not null,
    findings integer not null,
    at timestamptz not null
);

-- Open findings that count as open (R22), by code.
create table sync.finding_summary (
    club integer not null references base.club on delete cascade,
    code text not null,
    findings integer not null,
    oldest timestamptz not null,
    primary key (club, code)
);

create table sync.change_hour (
    club integer not null references base.club on delete cascade,
    hour timestamptz not null,
    kind text not null,
    changes integer not null,
    primary key (club, hour, kind)
);

-- Each action of a person on the pages, written before it is carried out. people: whose data was shown or
-- changed, by ERP id, or #number for a customer without one; erasure (R20) removes them.
create table sync.act (
    club integer not null references base.club on delete cascade,
    act bigint generated always as identity,
    at timestamptz not null,
    actor text not null,
    kind text not null,
    detail jsonb not null default '{}',
    people text[] not null default '{}',
    outcome text not null default 'asked' check (outcome in ('asked', 'done', 'refused')),
    told text,
    primary key (club, act)
);

create index act_people on sync.act using gin (people) where people != '{}';

-- The task of Airflow that began a run; none for the shell.
alter table sync.run add column airflow_dag text;
alter table sync.run add column airflow_run text;
alter table sync.run add column airflow_task text;
alter table sync.run add column airflow_index integer;

create index run_airflow on sync.run (airflow_run, airflow_dag) where airflow_run is not null;

-- When the last complete reading was loaded: a join less for each club of a list.
alter table sync.club_state add column certified_at timestamptz;

update sync.club_state as s set certified_at = n.read_at
from sync.snapshot as n
where n.club = s.club and n.snapshot = s.certified_snapshot;

insert into sync.finding_summary (club, code, findings, oldest)
select
    club,
    code,
    count(*),
    min(since)
from sync.finding
where closed_at is null and severity != 'info'
group by club, code;

insert into sync.club_summary (club, customers, findings, at)
select
    c.club,
    (
        select count(*) from base.customer as b
        where b.club = c.club and b.in_customers_group
    ),
    coalesce((
        select sum(f.findings) from sync.finding_summary as f
        where f.club = c.club
    ), 0),
    now()
from base.club as c;

insert into sync.change_hour (club, hour, kind, changes)
select
    club,
    date_trunc('hour', at, 'UTC'),
    kind,
    count(*)
from sync.change
where at > now() - interval '30 days'
group by 1, 2, 3;

-- R21, as for the tables before.
do $$
declare
    t text;
begin
    foreach t in array array['club_summary', 'finding_summary', 'change_hour', 'act'] loop
        execute format('grant select on sync.%I to clubsync_club, clubsync_reader', t);
        execute format('grant insert, update, delete on sync.%I to clubsync_club', t);
        execute format('alter table sync.%I enable row level security', t);
        execute format(
            'create policy one_club on sync.%I to clubsync_club using (club = (select current_setting(''clubsync.club'')::integer))',
            t);
        execute format('create policy all_clubs on sync.%I for select to clubsync_reader using (true)', t);
    end loop;
end
$$;
