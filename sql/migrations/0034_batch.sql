-- R21: a batch of clubs is read at once, by a role that sees the rows of exactly the clubs that the transaction names, and
-- writes nothing. What a batch needs is granted, and nothing else.
do $$
begin
    if not exists (select from pg_roles where rolname = 'clubsync_batch') then
        create role clubsync_batch nologin nobypassrls;
    end if;
exception when unique_violation or duplicate_object then
    -- another database of the same server is being migrated at this moment
    null;
end
$$;

grant usage on schema base, sync to clubsync_batch;
grant select on base.app_user to clubsync_batch;

do $$
declare
    t text;
begin
    foreach t in array array[
        'base.customer', 'base.customer_group', 'sync.chain_move', 'sync.change', 'sync.club_state', 'sync.club_vector',
        'sync.erased', 'sync.erasure', 'sync.erasure_key', 'sync.erp_customer', 'sync.erp_group', 'sync.finding',
        'sync.hold', 'sync.hold_member', 'sync.hold_rejected', 'sync.recheck', 'sync.same_person', 'sync.snapshot',
        'sync.suspicion', 'sync.undone'
    ]
    loop
        execute format('grant select on %s to clubsync_batch', t);
        -- the statement is one literal, as format() takes it: it is longer than a line
        execute format(
            'create policy clubs_of_batch on %s for select to clubsync_batch using (club = any ((select current_setting(''clubsync.clubs''))::integer[]))', -- noqa: LT05
            t);
    end loop;
end
$$;

-- The logins that work as the engine may become it too; so may those that come.
do $$
declare
    login text;
begin
    if not pg_has_role(current_user, 'clubsync_batch', 'set') then
        execute format('grant clubsync_batch to %I', current_user);
    end if;
    for login in
        select l.rolname
        from pg_roles as l
        inner join pg_auth_members as m on l.oid = m.member
        where m.roleid = 'clubsync_engine'::regrole and l.rolcanlogin and not l.rolsuper and l.rolname != current_user
    loop
        execute format('grant clubsync_batch to %I with inherit false, set true', login);
    end loop;
end
$$;

create or replace function sync.admit_login(login text, verifier text) returns void
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
    execute format(
        'grant clubsync_club, clubsync_batch, clubsync_reader to %I with inherit false, set true', login);
    perform sync.grant_maintenance();
end
$$;
