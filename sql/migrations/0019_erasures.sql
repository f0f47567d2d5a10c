-- R20: an erasure is a stored order, carried out until nothing is left. Everything in the store has a row.

-- An order to erase a person. customers: ids of the base customers that it deleted, which stored plans name. ids: the
-- person's ERP ids, which stored files name beside their own rows; none once the order is complete.
-- snapshot: the highest number that sync.snapshot had then; what was read later is not the order's.
-- deleted_by: the transaction that deleted the rows; who began before it may keep their dead versions alive.
create table sync.erasure (
    club integer not null references base.club on delete cascade,
    erasure bigint generated always as identity,
    run bigint not null,
    ordered_at timestamptz not null,
    actor text not null,
    customers bigint[] not null,
    ids text[] not null default '{}',
    records integer not null,
    snapshot bigint not null,
    deleted_by xid8 not null default pg_current_xact_id(),
    -- by PostgreSQL's own clock, as it tells when a table was cleaned
    deleted_at timestamptz not null default clock_timestamp(),
    files integer not null default 0,
    -- somebody added the person by hand
    lifted_at timestamptz,
    completed_at timestamptz,
    primary key (club, erasure)
);

create index erasure_open on sync.erasure (club, erasure) where completed_at is null;

-- Keyed hashes of the person's ERP ids and emails: by them the person is found in files, and the order is found
-- when somebody asks again.
create table sync.erasure_key (
    club integer not null,
    erasure bigint not null,
    kind text not null check (kind in ('erp_id', 'email')),
    key_hash text not null,
    primary key (club, erasure, kind, key_hash),
    foreign key (club, erasure) references sync.erasure on delete cascade
);

create index erasure_key_hash on sync.erasure_key (club, key_hash);

-- What remains to be done: a row goes when its part is done.
-- store: look for folders that no row names. snapshot, run: clean that folder. unfinished: remove interrupted reads.
-- database: remove dead rows, and renew the statistics of PostgreSQL.
create table sync.erasure_part (
    club integer not null,
    erasure bigint not null,
    kind text not null check (kind in ('store', 'snapshot', 'run', 'unfinished', 'database')),
    name text not null default '',
    -- the last try: why it could not be reached, and what to do
    tried_at timestamptz,
    problem text,
    remedy text,
    primary key (club, erasure, kind, name),
    foreign key (club, erasure) references sync.erasure on delete cascade
);

-- Erasures of earlier versions are orders from now on: whatever they left is cleaned.
alter table sync.erased add column erasure bigint;

do $$
declare
    e record;
    number bigint;
begin
    for e in select club, key_hash, erased_at from sync.erased order by erased_at loop
        insert into sync.erasure (club, run, ordered_at, actor, customers, records, snapshot)
        values (
            e.club, 0, e.erased_at, '', '{}', 1,
            coalesce((select max(s.snapshot) from sync.snapshot as s where s.club = e.club), 0)
        )
        returning erasure into number;
        update sync.erased set erasure = number
        where club = e.club and key_hash = e.key_hash;
    end loop;
end
$$;

insert into sync.erasure_key (club, erasure, kind, key_hash)
select club, erasure, 'erp_id', key_hash
from sync.erased
where erasure is not null
union
select club, erasure, 'email', email_hash
from sync.erased
where erasure is not null and email_hash is not null;

insert into sync.erasure_part (club, erasure, kind)
select e.club, e.erasure, k.kind
from sync.erasure as e
cross join unnest(array['store', 'unfinished', 'database']) as k (kind);

alter table sync.erased alter column erasure set not null;
alter table sync.erased drop column email_hash;

-- A folder of a snapshot: the row is there before the first file is, and goes after the last one.
create table sync.folder (
    club integer not null references base.club on delete cascade,
    path text not null,
    made_at timestamptz not null,
    primary key (club, path)
);

insert into sync.folder (club, path, made_at)
select
    club,
    path,
    max(read_at)
from sync.snapshot
group by club, path;

-- Clubs that were removed (R28), until their files are removed too.
create table sync.removed_club (
    club_id text primary key,
    removed_at timestamptz not null
);

grant select on sync.removed_club to clubsync_reader;

-- R21, as for the tables before.
do $$
declare
    t text;
begin
    foreach t in array array['erasure', 'erasure_key', 'erasure_part', 'folder'] loop
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
