-- R21: the engine logs in as a role of its own, which owns nothing and can become clubsync_club and clubsync_reader
-- only; sync.change is append-only for it (R18). What takes the owner's rights is a function of the owner's.

-- What is no club's own is granted to clubsync_engine; a login is a member of it.
do $$
begin
    if not exists (select from pg_roles where rolname = 'clubsync_engine') then
        create role clubsync_engine nologin nobypassrls;
    end if;
exception when unique_violation or duplicate_object then
    -- another database of the same server is being migrated at this moment
    null;
end
$$;

do $$
begin
    if not pg_has_role(current_user, 'clubsync_engine', 'member') then
        execute format('grant clubsync_engine to %I', current_user);
    end if;
    if not has_schema_privilege('clubsync_engine', 'public', 'usage') then
        grant usage on schema public to clubsync_engine;
    end if;
    if not has_database_privilege('clubsync_club', current_database(), 'temporary') then
        execute format('grant temporary on database %I to clubsync_club', current_database());
    end if;
end
$$;

-- Lets a login work as the engine. It is made if there is none; its password is set only where it is the engine's.
create function sync.admit_login(login text, verifier text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from pg_roles where rolname = login) then
        begin
            execute format('create role %I login', login);
            execute format('grant clubsync_engine to %I with inherit true, set false', login);
        exception when unique_violation or duplicate_object then
            null;
        end;
    end if;
    if verifier is not null and pg_has_role(login, 'clubsync_engine', 'member') then
        execute format('alter role %I password %L', login, verifier);
    end if;
    execute format('grant clubsync_engine to %I with inherit true, set false', login);
    execute format('grant clubsync_club, clubsync_reader to %I with inherit false, set true', login);
    perform sync.grant_maintenance();
end
$$;

-- Erasures remove dead rows and statistics (R20), which PostgreSQL 17 and later can leave to others than the owner.
create function sync.grant_maintenance() returns void
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('server_version_num')::integer >= 170000 then
        execute 'grant maintain on all tables in schema base, sync to clubsync_engine';
    end if;
end
$$;

revoke all on function sync.admit_login(text, text), sync.grant_maintenance() from public;

-- ---------------------------------------------------------------------------------------------
-- what is no club's own

grant usage on schema base, sync to clubsync_engine;
grant select on public.clubsync_version to clubsync_engine;

-- the list of clubs
grant select on base.club to clubsync_engine;
grant insert (club_id, name, erp, created_at), update (name, erp) on base.club to clubsync_engine;
create policy list_of_clubs on base.club to clubsync_engine using (true);
grant select (club), insert (club) on sync.club_state to clubsync_engine;
create policy list_of_clubs on sync.club_state to clubsync_engine using (true);

-- app users, and the files of the snapshot store
revoke insert, update on base.app_user from clubsync_club;
grant select, insert, update on base.app_user to clubsync_engine;
grant select, insert, update, delete on sync.stored_file, sync.removed_club to clubsync_engine;
revoke insert, update on sync.removed_club from clubsync_club;

-- ---------------------------------------------------------------------------------------------
-- what is a club's: row-level security keeps deletions to its own rows

-- for erasure and retention
grant delete on base.customer, sync.erp_customer, sync.finding, sync.hold_member, sync.ignored_pair,
sync.plan, sync.run, sync.snapshot to clubsync_club;

-- R18: the audit is only added to; so are the actions of people on the pages and the orders to erase somebody
revoke update, delete on sync.change from clubsync_club;
revoke update, delete on sync.act from clubsync_club;
grant update (outcome, told, detail, people) on sync.act to clubsync_club;
revoke update, delete on sync.erasure from clubsync_club;
grant update (ids, files, lifted_at, completed_at) on sync.erasure to clubsync_club;

-- ---------------------------------------------------------------------------------------------
-- R20: erasure is what takes rows out of the audit: those that an order names, of the transaction's club

-- JSON values without these ERP ids where they name people: left out of lists, null elsewhere. The same in
-- clubsync.manual.erasure_rows.
create function sync.without_people(value jsonb, ids text[]) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'object' then
        return value;
    end if;
    return (
        select coalesce(jsonb_object_agg(e.key, case
            when e.key not in (
                'conflicting_ids', 'erp_id', 'not_the_same_as', 'others', 'owner', 'successor'
            ) then sync.without_people(e.value, ids)
            when jsonb_typeof(e.value) = 'array' then (
                select coalesce(jsonb_agg(i.item order by i.n), '[]')
                from jsonb_array_elements(e.value) with ordinality as i (item, n)
                where jsonb_typeof(i.item) != 'string' or i.item #>> '{}' != all(ids)
            )
            when jsonb_typeof(e.value) = 'string' and e.value #>> '{}' = any(ids) then 'null'
            else e.value
        end), '{}')
        from jsonb_each(value) as e
    );
end
$$;

create function sync.erase_changes(which bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    mine constant integer := current_setting('clubsync.club')::integer;
    person record;
    words text[];
begin
    select e.customers, e.ids into strict person
    from sync.erasure as e
    where e.club = mine and e.erasure = which;

    delete from sync.change as c
    where c.club = mine and (c.customer = any(person.customers) or c.erp_id = any(person.ids));

    -- what is said of others: an id stands there as it is, or escaped
    words := person.ids || '\'::text;
    update sync.change as c set
        before = sync.without_people(c.before::jsonb, person.ids)::text,
        after = sync.without_people(c.after::jsonb, person.ids)::text
    where
        c.club = mine
        and exists (
            select from unnest(words) as w (word)
            where strpos(c.before, w.word) > 0 or strpos(c.after, w.word) > 0
        )
        and (
            sync.without_people(c.before::jsonb, person.ids) is distinct from c.before::jsonb
            or sync.without_people(c.after::jsonb, person.ids) is distinct from c.after::jsonb
        );
end
$$;

revoke all on function sync.erase_changes(bigint) from public;
grant execute on function sync.erase_changes(bigint) to clubsync_club;

-- Transactions that may still see what that one deleted: until they end its rows cannot be removed. As the owner, whom
-- the server may show the sessions of others.
create function sync.open_transactions(deleted_by xid8)
returns table (pid bigint, xact_start timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
select
    a.pid::bigint,
    a.xact_start
from pg_stat_activity as a
where
    a.pid != pg_backend_pid()
    and a.backend_type != 'autovacuum worker'
    and (a.datname is null or a.datname = current_database())
    and greatest(age(a.backend_xmin), age(a.backend_xid)) >= age(deleted_by::xid)
union all
select
    null,
    p.prepared
from pg_prepared_xacts as p
where p.database = current_database() and age(p.transaction) >= age(deleted_by::xid)
$$;

revoke all on function sync.open_transactions(xid8) from public;
grant execute on function sync.open_transactions(xid8) to clubsync_club;

-- R28: all rows of a club whose removal is due; its id, null: it is not due. Its files are still to be removed.
create function sync.purge_club(which integer, at timestamptz) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    purged text;
begin
    select c.club_id into purged
    from base.club as c
    inner join sync.club_state as s on c.club = s.club
    where c.club = which and s.remove_at <= at
    for update;
    if not found then
        return null;
    end if;
    delete from base.customer as t where t.club = which;
    delete from sync.similar_key as t where t.club = which;
    delete from sync.similar_pair as t where t.club = which;
    delete from sync.finding as t where t.club = which;
    delete from sync.erp_customer as t where t.club = which;
    delete from sync.change as t where t.club = which;
    -- and with it the rows of all other tables
    delete from base.club as t where t.club = which;
    insert into sync.removed_club (club_id, removed_at) values (purged, at)
    on conflict (club_id) do update set removed_at = excluded.removed_at;
    return purged;
end
$$;

revoke all on function sync.purge_club(integer, timestamptz) from public;
grant execute on function sync.purge_club(integer, timestamptz) to clubsync_engine;

-- ---------------------------------------------------------------------------------------------
-- A first load of a large club has the large tables to itself: its rows are copied in directly, and the indexes are
-- made after them. PostgreSQL has no COPY into a table under row-level security, so until the table is closed again
-- nobody can read or change anything in it, and a check lets in no row but the club's own. All of it is part of one
-- transaction, which cannot commit before.

create table sync.first_load (
    table_name text primary key,
    -- what makes the table as it was
    statements text[] not null
);

create function sync.check_first_load_closed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from sync.first_load as f where f.table_name = new.table_name) then
        raise exception '% was not closed after a first load', new.table_name;
    end if;
    return null;
end
$$;

create constraint trigger closed after insert on sync.first_load
deferrable initially deferred
for each row execute function sync.check_first_load_closed();

-- False: somebody is using one of the tables.
create function sync.lock_for_first_load() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    lock table base.customer, sync.change, sync.erp_customer in access exclusive mode nowait;
    return true;
exception when lock_not_available then
    return false;
end
$$;

create function sync.open_for_first_load(which text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    mine constant integer := current_setting('clubsync.club')::integer;
    opened regclass;
    again text[];
    step record;
begin
    if which not in ('base.customer', 'sync.change', 'sync.erp_customer') then
        raise exception 'no table of a first load: %', which;
    end if;
    opened := which::regclass;
    execute format('lock table %s in access exclusive mode nowait', opened);
    again := array[
        format('alter table %s enable row level security', opened),
        format('alter table %s drop constraint first_load', opened)
    ];
    for step in
        -- whatever is granted but INSERT
        select
            format('revoke %s on %s from %s', g.privilege_type, opened, g.grantee::regrole) as take,
            format('grant %s on %s to %s', g.privilege_type, opened, g.grantee::regrole) as make
        from pg_class as t
        cross join aclexplode(t.relacl) as g
        where t.oid = opened and g.grantee not in (0, t.relowner) and g.privilege_type != 'INSERT'
        union all
        -- each unique constraint, and a primary key that no foreign key refers to
        select
            format('alter table %s drop constraint %I', opened, c.conname),
            format('alter table %s add constraint %I %s', opened, c.conname, pg_get_constraintdef(c.oid))
        from pg_constraint as c
        where
            c.conrelid = opened
            and (
                c.contype = 'u'
                or (
                    c.contype = 'p'
                    and not exists (
                        select from pg_constraint as f
                        where f.confrelid = c.conrelid and f.contype = 'f'
                    )
                )
            )
        union all
        -- each index that belongs to no constraint
        select
            format('drop index %s', i.indexrelid::regclass),
            pg_get_indexdef(i.indexrelid)
        from pg_index as i
        where
            i.indrelid = opened
            and not exists (
                select from pg_constraint as c
                where c.conindid = i.indexrelid
            )
    loop
        execute step.take;
        again := again || step.make;
    end loop;
    execute format('alter table %s add constraint first_load check (club = %s) not valid', opened, mine);
    execute format('alter table %s disable row level security', opened);
    insert into sync.first_load (table_name, statements) values (which, again);
end
$$;

create function sync.close_after_first_load(which text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    again text[];
    step text;
begin
    delete from sync.first_load as f
    where f.table_name = which
    returning f.statements into strict again;
    foreach step in array again loop
        execute step;
    end loop;
end
$$;

revoke all on function sync.lock_for_first_load(), sync.open_for_first_load(text), sync.close_after_first_load(text)
from public;
grant execute on function sync.lock_for_first_load(), sync.open_for_first_load(text),
sync.close_after_first_load(text) to clubsync_club;

select sync.grant_maintenance();
