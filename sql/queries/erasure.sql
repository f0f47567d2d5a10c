-- Erasure on request, in one club (R20). Runs in the club's transaction, under its lock.

-- name: erased_hashes(club, snapshot)
-- ERP ids of erased people. Those whose order is older than this snapshot are not in it; null: all.
select d.key_hash
from sync.erased as d
inner join sync.erasure as e on d.club = e.club and d.erasure = e.erasure
where d.club = :club and (:snapshot::bigint is null or e.snapshot >= :snapshot);

-- name: erased_emails(club, snapshot, run)
-- null: snapshot, run
-- Emails of erased people. recent: the order is newer than this snapshot, or was made since this run began.
select
    k.key_hash,
    bool_or(coalesce(e.snapshot >= :snapshot, false) or coalesce(e.run > :run, false)) as recent
from sync.erasure as e
inner join sync.erasure_key as k on e.club = k.club and e.erasure = k.erasure
where e.club = :club and k.kind = 'email' and e.lifted_at is null
group by k.key_hash;

-- name: last_erasure(club)$
select coalesce(max(erasure), 0) from sync.erasure
where club = :club;

-- name: forget_readings(club)!
-- What the club's readings were compared by: a hash over what the ERP said of everybody.
update sync.snapshot set reading_hash = null
where club = :club and reading_hash is not null;

-- name: lift_erasure(club, email_hash, at)!
with lifted as (
    update sync.erasure as e set lifted_at = :at
    from sync.erasure_key as k
    where
        e.club = :club
        and e.lifted_at is null
        and k.club = e.club
        and k.erasure = e.erasure
        and k.kind = 'email'
        and k.key_hash = :email_hash
    returning e.erasure
)

delete from sync.erased as d using lifted as e
where d.club = :club and d.erasure = e.erasure;

-- name: add_erasure(club, run, at, actor, customers, ids, records)$
-- row: always
insert into sync.erasure (club, run, ordered_at, actor, customers, ids, records, snapshot)
select
    :club,
    :run,
    :at,
    :actor,
    :customers,
    :ids,
    :records,
    coalesce(max(s.snapshot), 0)
from sync.snapshot as s
where s.club = :club
returning erasure;

-- name: add_erasure_keys(club, erasure, kind, key_hashes)!
insert into sync.erasure_key (club, erasure, kind, key_hash)
select
    :club,
    :erasure,
    :kind,
    h.key_hash
from unnest(:key_hashes::text[]) as h (key_hash)
on conflict do nothing;

-- name: add_erased(club, erasure, key_hashes, at)!
insert into sync.erased (club, key_hash, erasure, erased_at)
select
    :club,
    h.key_hash,
    :erasure,
    :at
from unnest(:key_hashes::text[]) as h (key_hash)
on conflict (club, key_hash) do nothing;

-- name: add_erasure_parts(club, erasure)!
-- All that the database knows to be in the store, and what else remains to be done.
insert into sync.erasure_part (club, erasure, kind, name)
select
    :club,
    :erasure,
    p.kind,
    p.name
from (
    select
        k.kind,
        '' as name
    from unnest(array['store', 'unfinished', 'database']) as k (kind)
    union
    select
        'snapshot' as kind,
        s.path as name
    from sync.snapshot as s
    where s.club = :club
    union
    select
        'snapshot' as kind,
        f.path as name
    from sync.folder as f
    where f.club = :club
    union
    select
        'run' as kind,
        r.path as name
    from sync.plan as r
    where r.club = :club
) as p;

-- name: add_found_parts(club, erasure, kind, names)!
insert into sync.erasure_part (club, erasure, kind, name)
select
    :club,
    :erasure,
    :kind,
    n.name
from unnest(:names::text[]) as n (name)
on conflict do nothing;

-- name: erasures_by_hash(club, key_hashes)
select distinct erasure from sync.erasure_key
where club = :club and key_hash = any(:key_hashes::text[])
order by erasure;

-- name: erasure_of_person(club, key_hashes)^
-- The newest order about one of these ERP ids and emails that nobody has lifted (R24).
select e.ordered_at, e.run
from sync.erasure_key as k
inner join sync.erasure as e on k.club = e.club and k.erasure = e.erasure
where k.club = :club and k.key_hash = any(:key_hashes::text[]) and e.lifted_at is null
order by e.erasure desc
limit 1;

-- name: erasure(club, erasure)^
select
    erasure,
    run,
    ordered_at,
    actor,
    customers,
    ids,
    records,
    files,
    snapshot,
    deleted_by::text as deleted_by,
    completed_at
from sync.erasure
where club = :club and erasure = :erasure;

-- name: erasures(club, include_all)
-- Orders with what remains, the newest first.
select
    e.erasure,
    e.ordered_at,
    e.actor,
    e.completed_at,
    cardinality(e.customers) as customers,
    e.records,
    e.files,
    count(p.kind) as remaining,
    count(p.problem) as unreachable
from sync.erasure as e
left join sync.erasure_part as p on e.club = p.club and e.erasure = p.erasure
where e.club = :club and (:include_all::boolean or e.completed_at is null)
group by e.club, e.erasure
order by e.erasure desc;

-- name: open_erasures()
-- Orders that are not complete, of all clubs, the oldest first.
select
    e.club,
    c.club_id,
    c.name,
    e.erasure
from sync.erasure as e
inner join base.club as c on e.club = c.club
where e.completed_at is null
order by e.erasure;

-- name: erasure_hashes(club, erasure, kind)
select key_hash from sync.erasure_key
where club = :club and erasure = :erasure and kind = :kind;

-- name: erasure_parts(club, erasure)
-- The database last: by then nothing else changes its rows.
select kind, name, tried_at, problem, remedy from sync.erasure_part
where club = :club and erasure = :erasure
order by array_position(array['store', 'unfinished', 'snapshot', 'run', 'database'], kind), name;

-- name: end_erasure_part(club, erasure, kind, name, files)!
with ended as (
    delete from sync.erasure_part
    where club = :club and erasure = :erasure and kind = :kind and name = :name
)

update sync.erasure set files = files + :files
where club = :club and erasure = :erasure and :files > 0;

-- name: note_erasure_part(club, erasure, kind, name, at, problem, remedy)!
-- null: problem, remedy
update sync.erasure_part set tried_at = :at, problem = :problem, remedy = :remedy
where club = :club and erasure = :erasure and kind = :kind and name = :name;

-- name: forget_erasure_ids(club, erasure)!
update sync.erasure set ids = '{}'
where club = :club and erasure = :erasure and ids != '{}';

-- name: complete_erasure(club, erasure, at)!
update sync.erasure as e set completed_at = :at
where
    e.club = :club and e.erasure = :erasure and e.completed_at is null
    and not exists (
        select from sync.erasure_part as p
        where p.club = e.club and p.erasure = e.erasure
    );

-- name: open_transactions(deleted_by)
-- Transactions that may still see what that one deleted: until they end its rows cannot be removed.
select pid, xact_start from sync.open_transactions(:deleted_by::text::xid8);

-- name: cleaned_since(club, erasure, tables)
-- Those of these tables whose dead rows were removed, and whose statistics were renewed, by whomever, since the order.
select t.name
from unnest(:tables::text[]) as t (name)
inner join pg_stat_user_tables as s on t.name::regclass = s.relid
inner join sync.erasure as e on e.club = :club and e.erasure = :erasure
where
    greatest(s.last_vacuum, s.last_autovacuum) > e.deleted_at
    and greatest(s.last_analyze, s.last_autoanalyze) > e.deleted_at;

-- name: columns(table_name)
select attname::text as attname from pg_attribute
where attrelid = :table_name::regclass and attnum > 0 and not attisdropped;

-- name: merged_records(club, ids)
-- These records, and those that the ERP states to be the same people (R10), in both directions.
with recursive same as (
    select i.erp_id
    from unnest(:ids::text[]) as i (erp_id)
    union
    select r.erp_id
    from same as s
    inner join lateral (
        select m.erp_id from sync.erp_customer as m
        where m.club = :club and m.replaced_by = s.erp_id
        union all
        select n.erp_id
        from sync.erp_customer as m
        inner join sync.erp_customer as n on m.club = n.club and m.replaced_by = n.erp_id
        where m.club = :club and m.erp_id = s.erp_id
    ) as r on true
)

select
    s.erp_id,
    c.customer
from same as s
left join base.customer as c on c.club = :club and s.erp_id = c.erp_id;

-- name: findings_naming(club, words)
select
    finding,
    detail
from sync.finding
where
    club = :club
    and exists (
        select from unnest(:words::text[]) as w (word)
        where strpos(detail::text, w.word) > 0
    );

-- name: write_finding_detail(club, finding, detail)!
update sync.finding set detail = :detail
where club = :club and finding = :finding;

-- name: erase_references(club, ids, emails)!
-- Records that name the person as their guardian, and the ends of files that list them.
with guardians as (
    update sync.erp_customer set
        guardian_id = null,
        email = case when email_norm = any(:emails::text[]) then null else email end,
        email_norm = case when email_norm = any(:emails::text[]) then null else email_norm end
    where club = :club and guardian_id = any(:ids::text[])
)

update sync.snapshot
set
    file = jsonb_set(
        file,
        '{last}',
        (
            select coalesce(jsonb_agg(l.erp_id order by l.n), '[]')
            from jsonb_array_elements_text(file -> 'last') with ordinality as l (erp_id, n)
            where l.erp_id != all(:ids::text[])
        )
    )
where club = :club and jsonb_exists_any(file -> 'last', :ids::text[]);

-- name: move_snapshots(club, path, to_path, content_hash, removed, upto)!
-- A person's rows were taken out of the stored files: their content is another, in another folder. Of the snapshot that
-- the base is based on, the club's state names the content too.
with moved as (
    update sync.snapshot
    set
        path = :to_path,
        content_hash = :content_hash,
        customers = customers - :removed
    where club = :club and path = :path and snapshot <= :upto
    returning snapshot
)

update sync.club_state
set content_hash = :content_hash
where
    club = :club
    and content_hash is not null
    and coalesce(last_snapshot, certified_snapshot) in (select snapshot from moved);

-- name: move_erasure_parts(club, erasure, path, to_path)!
-- Other orders that have to clean the old folder have to clean the new one.
insert into sync.erasure_part (club, erasure, kind, name)
select
    p.club,
    p.erasure,
    p.kind,
    :to_path
from sync.erasure_part as p
where p.club = :club and p.erasure != :erasure and p.kind = 'snapshot' and p.name = :path
on conflict do nothing;

-- name: is_planned(club, run)$
-- row: always
select exists(
    select from sync.plan
    where club = :club and run = :run
) as planned;

-- name: snapshots_at(club, path, upto)$
-- row: always
select count(*) from sync.snapshot
where club = :club and path = :path and snapshot <= :upto;

-- name: erase_memberships(club, customers)!
delete from base.membership
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_requests(club, customers)!
delete from base.attachment_request as r
where
    r.club = :club
    and (
        r.customer = any(:customers::bigint[])
        or r.user_id in (
            select c.linked_user from base.customer as c
            where c.club = :club and c.customer = any(:customers::bigint[])
        )
    );

-- name: erase_customers(club, customers)!
delete from base.customer
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_records(club, ids)!
delete from sync.erp_customer
where club = :club and erp_id = any(:ids::text[]);

-- name: erase_changes(erasure)$
-- R18: nothing but an order takes rows, and ids in the rows of others, out of the audit.
select sync.erase_changes(:erasure);

-- name: erase_findings(club, ids)!
delete from sync.finding
where club = :club and erp_id = any(:ids::text[]);

-- name: erase_hold_members(club, customers, ids)!
delete from sync.hold_member
where club = :club and (customer = any(:customers::bigint[]) or erp_id = any(:ids::text[]));

-- name: erase_rejections(club, customers, ids)!
delete from sync.hold_rejected
where club = :club and (customer = any(:customers::bigint[]) or erp_id = any(:ids::text[]));

-- name: erase_undone(club, customers, ids)!
delete from sync.undone
where club = :club and (customer = any(:customers::bigint[]) or erp_id = any(:ids::text[]));

-- name: erase_identities(club, customers, ids)!
delete from sync.same_person
where club = :club and (customer = any(:customers::bigint[]) or erp_id = any(:ids::text[]));

-- name: erase_rechecks(club, ids, emails)!
delete from sync.recheck
where club = :club and (erp_id = any(:ids::text[]) or email = any(:emails::text[]));

-- name: erase_suspicions(club, ids, signs)!
delete from sync.suspicion
where club = :club and (erp_id = any(:ids::text[]) or split_part(sign, '|', 1) = any(:signs::text[]));

-- name: erase_pairs(club, ids)!
with similar_keys as (
    delete from sync.similar_key
    where club = :club and erp_id = any(:ids::text[])
),

similar_pairs as (
    delete from sync.similar_pair
    where club = :club and (erp_id_a = any(:ids::text[]) or erp_id_b = any(:ids::text[]))
)

delete from sync.ignored_pair
where club = :club and (erp_id_a = any(:ids::text[]) or erp_id_b = any(:ids::text[]));

-- name: records_naming(club, ids)
-- Records whose findings name one of these records.
select distinct erp_id from sync.finding
where
    club = :club
    and (jsonb_exists_any(detail -> 'others', :ids::text[]) or detail ->> 'owner' = any(:ids::text[]));

-- name: reset_content_hash(club)!
update sync.club_state set content_hash = null, revision = revision + 1
where club = :club;

-- name: snapshot_paths(club)
-- The newest first.
select path from sync.snapshot
where club = :club
group by path
order by max(snapshot) desc;
