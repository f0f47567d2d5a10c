-- The club base (schema base) and what keeps it in sync (schema sync).
--
-- Every row belongs to one club and its key starts with the club (R21). `club` is clubsync's own
-- number of it; its id in clubs.yaml is base.club.club_id.

create schema base;
create schema sync;

-- ---------------------------------------------------------------------------------------------
-- base: what the club has

create table base.club (
    club integer generated always as identity primary key,
    club_id text not null unique,
    name text not null,
    erp text not null,
    created_at timestamptz not null
);

-- A person's own account in the club's app; one person, whatever clubs they are in.
create table base.app_user (
    user_id bigint generated always as identity primary key,
    email text,
    email_raw text,
    confirmed boolean not null default false,
    provider text not null default 'email' check (provider in ('email', 'facebook', 'apple')),
    created_at timestamptz not null
);

create unique index app_user_confirmed_email on base.app_user (email) where confirmed;
create index app_user_email on base.app_user (email) where not confirmed;

-- The Customers group itself is not listed here: being in it is customer.in_customers_group.
create table base.customer_group (
    club integer not null references base.club on delete cascade,
    group_id integer generated always as identity,
    name text not null,
    kind text not null check (kind in ('automatic', 'manual', 'team')),
    erp_group_id text,
    created_at timestamptz not null,
    primary key (club, group_id),
    check ((kind = 'automatic') = (erp_group_id is not null))
);

create unique index customer_group_erp on base.customer_group (club, erp_group_id) where kind = 'automatic';

create sequence base.customer_seq;

-- A block of new customer ids, contiguous, so that a plan of a million can be numbered before it is
-- copied in. Every new id comes from here; the lock lasts for this call only.
create function base.take_customer_ids(how_many bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog
as $$
declare
    first_id bigint;
begin
    perform pg_advisory_lock(7253);
    first_id := nextval('base.customer_seq');
    if how_many > 1 then
        perform setval('base.customer_seq', first_id + how_many - 1);
    end if;
    perform pg_advisory_unlock(7253);
    return first_id;
end
$$;

-- R1: the id is permanent. R2: email is normalised, unique in the club, and may be given up (null).
-- Deferred, because swaps and chains of emails (R9) pass through states that are not unique.
-- No foreign key to base.club here and on the other large tables: checking it row by row costs more
-- than writing the rows; row-level security sees to it that a run writes its own club only.
-- auto_groups: ids of the automatic groups, ascending. The sync writes them as a whole with the
-- customer's row, and nothing else does; manual memberships are in base.membership.
create table base.customer (
    club integer not null,
    customer bigint not null default base.take_customer_ids(1),
    erp_id text,
    email text,
    email_raw text,
    first_name text,
    last_name text,
    phone text,
    origin text not null check (origin in ('erp', 'manual', 'request')),
    in_customers_group boolean not null,
    auto_groups integer[] not null default '{}',
    reason text,
    reason_at timestamptz,
    detached_at timestamptz,
    linked_user bigint,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (club, customer),
    unique (club, email) deferrable initially deferred,
    unique (club, erp_id) deferrable initially deferred,
    -- one customer of the club for each user; customers without a user cost nothing
    exclude using btree (club with =, linked_user with =)
    where (linked_user is not null) deferrable initially deferred,
    check (in_customers_group = (reason is null)),
    check (in_customers_group or auto_groups = '{}'),
    check (not (in_customers_group and detached_at is not null)),
    check (not (in_customers_group and email is null))
) with (fillfactor = 90);  -- room for an update beside its row spares every index an entry

-- Manual groups and teams; the sync never touches them.
create table base.membership (
    club integer not null,
    customer bigint not null,
    group_id integer not null,
    primary key (club, customer, group_id),
    foreign key (club, customer) references base.customer on delete cascade,
    foreign key (club, group_id) references base.customer_group on delete cascade
);

create table base.attachment_request (
    club integer not null references base.club on delete cascade,
    request_id bigint generated always as identity,
    user_id bigint not null references base.app_user,
    state text not null default 'pending' check (state in ('pending', 'accepted', 'refused')),
    customer bigint,
    created_at timestamptz not null,
    decided_at timestamptz,
    primary key (club, request_id)
);

create unique index attachment_request_pending on base.attachment_request (club, user_id) where state = 'pending';

-- R9: a link, once made, stays with its customer; it is live while the two emails agree.
create view base.customer_link with (security_invoker = true) as
select
    c.club,
    c.customer,
    case
        when c.linked_user is not null and u.confirmed and u.email = c.email then 'linked'
        when c.linked_user is not null and u.email = c.email then 'email_unconfirmed'
        when c.linked_user is not null then 'email_mismatch'
        when
            exists (
                select 1 from base.app_user as w
                where w.email = c.email and not w.confirmed
            ) then 'email_unconfirmed'
        else 'not_registered'
    end as link
from base.customer as c
left join base.app_user as u on c.linked_user = u.user_id;

-- ---------------------------------------------------------------------------------------------
-- sync: the machinery

-- The sync state of a club, and the lock's row. revision goes up with every write to the club's base: a
-- plan made from an older revision is made again before it is loaded.
create table sync.club_state (
    club integer primary key references base.club on delete cascade,
    revision bigint not null default 0,
    policy_hash text,
    certified_as_of timestamptz,
    certified_snapshot bigint,
    certified_rows integer,
    content_hash text,
    next_recheck date,
    last_snapshot bigint,
    last_success_at timestamptz,
    last_attempt_at timestamptz,
    next_read_at timestamptz,
    failing_since timestamptz,
    failures integer not null default 0,
    last_error text,
    paused boolean not null default false,
    confirmed_empty boolean not null default false,
    confirmed_same_club boolean not null default false,
    -- for the keyed hashes of people: ids where the source has none (R1), the erased (R20)
    hash_key uuid not null default gen_random_uuid(),
    -- goes up when the club changes its ERP or tenant: its ids come from another source then (R1)
    epoch integer not null default 1,
    -- R28: the first sync was approved; when a removed club's data is deleted
    reviewed boolean not null default false,
    remove_at timestamptz
);

-- The ids, row hashes, keys of emails and due dates of all ERP records at once, packed (Arrow IPC):
-- comparing a snapshot with it costs less than asking for a million rows. Written in the load's
-- transaction. Part 0 is the whole index at one time, the others are its patches, oldest first.
create table sync.club_vector (
    club integer not null references base.club on delete cascade,
    part integer not null,
    vector bytea not null,
    primary key (club, part)
);

alter table sync.club_vector alter column vector set storage external;

create table sync.snapshot (
    club integer not null references base.club on delete cascade,
    snapshot bigint generated always as identity,
    as_of timestamptz not null,
    read_at timestamptz not null,
    certified boolean not null,
    doubts text[] not null default '{}',
    customers integer not null,
    rows_read integer not null,
    content_hash text not null,
    path text not null,
    epoch integer not null default 1,
    columns text[] not null default '{}',
    column_of jsonb not null default '{}',
    primary key (club, snapshot)
);

create table sync.run (
    club integer not null references base.club on delete cascade,
    run bigint generated always as identity,
    trigger text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    state text not null default 'running' check (state in ('running', 'done', 'held', 'failed', 'dry')),
    stage text,
    snapshot bigint,
    plan bigint,
    read integer,
    counts jsonb not null default '{}',
    rows_written integer not null default 0,
    error text,
    remedy text,
    runbook text,
    primary key (club, run)
);

create unique index run_number on sync.run (run);

-- What a run is going to change; the changes themselves are stored beside the snapshot (path), hashed over
-- ids and kinds, personal values in a file of their own.
create table sync.plan (
    club integer not null references base.club on delete cascade,
    plan bigint generated always as identity,
    run bigint not null,
    snapshot bigint not null,
    made_at timestamptz not null,
    revision bigint not null,
    list_hash text not null,
    counts jsonb not null,
    -- what the guard weighed (R15): the group's size before, and how many were held
    customers integer not null,
    held integer not null,
    path text not null,
    loaded_at timestamptz,
    primary key (club, plan)
);

-- The ERP as we last saw it (R3's memory, R13's third side). Never deleted: gone_at says when the
-- record was missing from a certified snapshot.
create table sync.erp_customer (
    club integer not null,
    erp_id text not null,
    email text,
    email_norm text,
    first_name text,
    last_name text,
    phone text,
    birth_date date,
    status text not null,
    status_raw text,
    -- JSON, as text: written and read as a whole, and only text costs nothing to take in
    groups text not null default '[]',
    remembered text not null default '[]',
    valid_from date,
    valid_until date,
    guardian_id text,
    replaced_by text,
    created_at timestamptz,
    is_company boolean not null default false,
    placeholder boolean not null default false,
    row_hash bigint not null,
    as_of timestamptz not null,
    snapshot bigint not null,
    first_seen timestamptz not null,
    gone_at timestamptz,
    access text not null check (access in ('yes', 'no', 'unknown')),
    lapsed boolean not null default false,
    primary key (club, erp_id)
) with (fillfactor = 90);

-- Without the records that have access: they are found by email through a base customer and the record index,
-- and an index over all emails would be most of the cost of writing a large club's records. Over the text
-- itself: under row-level security PostgreSQL does not use an index over a hash of it.
create index erp_customer_outside_email on sync.erp_customer (club, email_norm)
where access != 'yes' and email_norm is not null;
create index erp_customer_guardian on sync.erp_customer (club, guardian_id) where guardian_id is not null;
create index erp_customer_replaced on sync.erp_customer (club, replaced_by) where replaced_by is not null;

create table sync.erp_group (
    club integer not null references base.club on delete cascade,
    erp_group_id text not null,
    name text not null,
    active boolean,
    listed boolean not null,
    group_id integer,
    as_of timestamptz not null,
    primary key (club, erp_group_id)
);

-- R18: one row for every change, in the same transaction.
create table sync.change (
    club integer not null,
    change bigint generated always as identity,
    run bigint not null,
    at timestamptz not null,
    kind text not null,
    customer bigint not null,
    erp_id text,
    before jsonb,
    after jsonb,
    reason text,
    actor text,
    primary key (club, run, change)
);

create index change_customer on sync.change (club, customer);
create index change_deactivations on sync.change (club, at) where kind = 'deactivation';

-- R22. detail holds ids only (the other records of a cluster, group ids).
create table sync.finding (
    club integer not null references base.club on delete cascade,
    finding bigint generated always as identity,
    erp_id text not null,
    code text not null,
    severity text not null check (severity in ('error', 'warning', 'info')),
    detail jsonb not null default '{}',
    since timestamptz not null,
    run bigint not null,
    closed_at timestamptz,
    closed_run bigint,
    primary key (club, finding)
);

create unique index finding_open on sync.finding (club, erp_id, code) where closed_at is null;

-- Records to look at again whatever their row hash says (somebody changed the base by hand, a
-- partial snapshot left something unsettled).
create table sync.recheck (
    club integer not null references base.club on delete cascade,
    recheck bigint generated always as identity,
    erp_id text,
    email text,
    why text not null,
    primary key (club, recheck)
);

-- R15: a plan awaiting approval. Its members are those who would be deactivated.
create table sync.hold (
    club integer not null references base.club on delete cascade,
    hold bigint generated always as identity,
    run bigint not null,
    opened_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'approved', 'rejected', 'emptied')),
    version integer not null default 1,
    list_hash text not null,
    causes jsonb not null,
    limit_was integer not null,
    decided_at timestamptz,
    decided_by text,
    decided_hash text,
    comment text,
    primary key (club, hold)
);

create unique index hold_open on sync.hold (club) where state = 'open';
create unique index hold_number on sync.hold (hold);

create table sync.hold_member (
    club integer not null,
    hold bigint not null,
    customer bigint not null,
    erp_id text,
    reason text not null,
    cause text not null,
    row_hash bigint,
    joined_version integer not null,
    left_version integer,
    primary key (club, hold, customer, joined_version),
    foreign key (club, hold) references sync.hold on delete cascade
);

-- Every version of a hold's list by its hash, so that a decision can name the one that was seen.
create table sync.hold_version (
    club integer not null,
    hold bigint not null,
    version integer not null,
    list_hash text not null,
    size integer not null,
    made_at timestamptz not null,
    primary key (club, hold, version),
    foreign key (club, hold) references sync.hold on delete cascade
);

-- R15: after a rejection these people stay until that time, or until their ERP record changes.
create table sync.hold_rejected (
    club integer not null references base.club on delete cascade,
    customer bigint not null,
    erp_id text,
    row_hash bigint,
    until timestamptz not null,
    primary key (club, customer)
);

-- R18: a change that was undone is not made again while the ERP record is the same (finding UNDONE).
create table sync.undone (
    club integer not null references base.club on delete cascade,
    customer bigint not null,
    erp_id text,
    row_hash bigint,
    run bigint not null,
    undone_at timestamptz not null,
    primary key (club, customer)
);

-- R23: ignoring a pair is permanent.
create table sync.ignored_pair (
    club integer not null references base.club on delete cascade,
    erp_id_a text not null,
    erp_id_b text not null,
    ignored_at timestamptz not null,
    actor text,
    primary key (club, erp_id_a, erp_id_b),
    check (erp_id_a < erp_id_b)
);

-- R20: all that stays of an erased person: keyed hashes of ERP id and email, so that the ERP record does not
-- bring them back. Adding them by hand does.
create table sync.erased (
    club integer not null references base.club on delete cascade,
    key_hash text not null,
    email_hash text,
    erased_at timestamptz not null,
    primary key (club, key_hash)
);

-- ---------------------------------------------------------------------------------------------
-- R21: one club's run sees one club's rows. The engine works as role clubsync_club, which cannot
-- bypass row-level security; pages that look across clubs read as clubsync_reader.

do $$
begin
    if not exists (select 1 from pg_roles where rolname = 'clubsync_club') then
        create role clubsync_club nologin nobypassrls;
    end if;
    if not exists (select 1 from pg_roles where rolname = 'clubsync_reader') then
        create role clubsync_reader nologin nobypassrls;
    end if;
    execute format('grant clubsync_club, clubsync_reader to %I', current_user);
exception when unique_violation or duplicate_object then
    -- another database of the same server is being migrated at this moment
    null;
end
$$;

grant usage on schema base, sync to clubsync_club, clubsync_reader;
grant select on all tables in schema base, sync to clubsync_club, clubsync_reader;
grant insert, update on all tables in schema base, sync to clubsync_club;
grant delete on base.membership, base.attachment_request, sync.club_vector, sync.recheck, sync.hold_rejected,
sync.undone, sync.erased to clubsync_club;
revoke insert, update on base.club from clubsync_club;
grant usage on all sequences in schema base, sync to clubsync_club;

do $$
declare
    t record;
begin
    for t in
        select c.table_schema, c.table_name
        from information_schema.columns as c
        inner join information_schema.tables as b using (table_schema, table_name)
        where c.table_schema in ('base', 'sync') and c.column_name = 'club' and b.table_type = 'BASE TABLE'
    loop
        execute format('alter table %I.%I enable row level security', t.table_schema, t.table_name);
        execute format(
            'create policy one_club on %I.%I to clubsync_club using (club = (select current_setting(''clubsync.club'')::integer))',
            t.table_schema, t.table_name);
        execute format(
            'create policy all_clubs on %I.%I for select to clubsync_reader using (true)',
            t.table_schema, t.table_name);
    end loop;
end
$$;
