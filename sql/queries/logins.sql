-- Who is logged in (R21).

-- name: login_state(logins)^
-- row: always
-- lifts: whether this session could lift row-level security: it may be the tables' owner, or has rights above theirs.
-- made: whether there are tables. admitted: which of these logins may work as the engine.
select
    r.rolsuper or r.rolbypassrls or r.rolcreaterole or exists (
        select from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname in ('base', 'sync') and pg_has_role(r.oid, c.relowner, 'member')
    ) as lifts,
    to_regclass('public.clubsync_version') is not null as made,
    array(
        select l.rolname::text
        from pg_roles as l
        inner join pg_roles as g on pg_has_role(l.oid, g.oid, 'member')
        where
            l.rolname = any(:logins::text[])
            and g.rolname in ('clubsync_club', 'clubsync_batch', 'clubsync_reader', 'clubsync_engine')
        group by l.rolname
        having count(*) = 4
    ) as admitted
from pg_roles as r
where r.rolname = session_user;

-- name: admit_login(login, verifier)$
-- null: verifier
select sync.admit_login(:login, :verifier);
