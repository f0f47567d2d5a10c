-- A first load of a large club also makes the primary key of base.customer after its rows, and whatever refers to it.

-- False: somebody is using one of the tables.
create or replace function sync.lock_for_first_load() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    lock table base.customer, sync.change, sync.erp_customer, base.membership in access exclusive mode nowait;
    return true;
exception when lock_not_available then
    return false;
end
$$;

create or replace function sync.open_for_first_load(which text) returns void
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
        select * from (
            -- whatever is granted but INSERT
            select
                1 as place,
                format('revoke %s on %s from %s', g.privilege_type, opened, g.grantee::regrole) as take,
                format('grant %s on %s to %s', g.privilege_type, opened, g.grantee::regrole) as make
            from pg_class as t
            cross join aclexplode(t.relacl) as g
            where t.oid = opened and g.grantee not in (0, t.relowner) and g.privilege_type != 'INSERT'
            union all
            -- each foreign key that refers to it
            select
                2,
                format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname),
                format(
                    'alter table %s add constraint %I %s',
                    c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)
                )
            from pg_constraint as c
            where c.confrelid = opened and c.contype = 'f'
            union all
            -- each constraint that has an index
            select
                3,
                format('alter table %s drop constraint %I', opened, c.conname),
                format('alter table %s add constraint %I %s', opened, c.conname, pg_get_constraintdef(c.oid))
            from pg_constraint as c
            where c.conrelid = opened and c.contype in ('p', 'u', 'x')
            union all
            -- each index that belongs to no constraint
            select
                4,
                format('drop index %s', i.indexrelid::regclass),
                pg_get_indexdef(i.indexrelid)
            from pg_index as i
            where
                i.indrelid = opened
                and not exists (
                    select from pg_constraint as c
                    where c.conindid = i.indexrelid
                )
        ) as s
        order by s.place
    loop
        execute step.take;
        -- made in the opposite order: a foreign key needs the primary key
        again := step.make || again;
    end loop;
    execute format('alter table %s add constraint first_load check (club = %s) not valid', opened, mine);
    execute format('alter table %s disable row level security', opened);
    insert into sync.first_load (table_name, statements) values (which, again);
end
$$;
