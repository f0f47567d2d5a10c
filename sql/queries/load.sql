-- Load a plan: COPY into session-local tables, then set-based statements, all in one transaction of the club.

-- name: make_plan_tables#
create temp table if not exists plan_customer (
    customer bigint, erp_id text, email text, email_raw text, first_name text,
    last_name text, phone text, in_customers_group boolean, auto_groups integer[], reason text,
    detached boolean, linked_user bigint, relink boolean, linked_now boolean
) on commit delete rows;

create temp table if not exists plan_record (
    vanished boolean, erp_id text, email text, email_norm text, first_name text, last_name text,
    phone text, birth_date date, status text, status_raw text, groups text,
    remembered text, valid_from date, valid_until date, guardian_id text, replaced_by text,
    created_at timestamptz, is_company boolean, placeholder boolean, unreadable text,
    row_hash bigint, access text, lapsed boolean, former boolean
) on commit delete rows;

create temp table if not exists plan_finding (
    erp_id text, code text, severity text, detail jsonb
) on commit delete rows;

-- New rows, until they are let in.
create temp table if not exists new_customer on commit delete rows as
select * from base.customer
with no data;

create temp table if not exists new_change on commit delete rows as
select * from sync.change
with no data;

create temp table if not exists new_record on commit delete rows as
select * from sync.erp_customer
with no data;

-- name: drop_suspicions(club, ids, signs, shown)!
-- Suspicions that a snapshot has settled, all but the given ones; shown: only of these records.
delete from sync.suspicion as s
where
    s.club = :club
    and (:shown::text[] is null or s.erp_id = any(:shown::text[]))
    and not exists (
        select 1 from unnest(:ids::text[], :signs::text[]) as g (erp_id, sign)
        where g.erp_id = s.erp_id and g.sign = s.sign
    );

-- name: add_suspicions(club, ids, signs, losses, snapshot, read_at)$
-- Those that are known stay as the first reading found them.
with added as (
    insert into sync.suspicion (club, erp_id, sign, loss, snapshot, read_at)
    select :club, g.erp_id, g.sign, g.loss, :snapshot, :read_at
    from unnest(:ids::text[], :signs::text[], :losses::boolean[]) as g (erp_id, sign, loss)
    on conflict (club, erp_id, sign) do nothing
    returning 1
)

select count(*) from added;

-- name: suspected_losses(club)$
select count(distinct erp_id) from sync.suspicion
where club = :club and loss;

-- name: read_club_again(club, at)!
update sync.club_state set next_read_at = :at
where club = :club;

-- name: take_customer_ids(count)$
select base.take_customer_ids(:count);

-- name: add_automatic_groups(club, ids, names, now)!
-- The automatic groups that ERP groups feed, by their keys (R4).
insert into base.customer_group (club, name, kind, erp_group_id, created_at)
select
    :club,
    g.name,
    'automatic',
    g.id,
    :now
from unnest(:ids::text[], :names::text[]) as g (id, name)
on conflict (club, erp_group_id) where kind = 'automatic' do nothing;

-- name: rename_automatic_groups(club, ids, names)!
update base.customer_group as c set name = g.name
from unnest(:ids::text[], :names::text[]) as g (id, name)
where c.club = :club and c.kind = 'automatic' and c.erp_group_id = g.id and c.name != g.name;

-- name: write_erp_groups(club, ids, names, actives, feeds, as_of)!
-- null: actives[], feeds[]
insert into sync.erp_group (club, erp_group_id, name, active, listed, group_id, as_of)
select
    :club,
    g.id,
    g.name,
    g.active,
    true,
    c.group_id,
    :as_of
from unnest(:ids::text[], :names::text[], :actives::boolean[], :feeds::text[]) as g (id, name, active, feeds)
left join base.customer_group as c
    on c.club = :club and c.kind = 'automatic' and g.feeds = c.erp_group_id
on conflict (club, erp_group_id) do update set
    name = excluded.name,
    active = excluded.active,
    listed = true,
    group_id = excluded.group_id,
    as_of = excluded.as_of
where
(erp_group.name, erp_group.active, erp_group.listed, erp_group.group_id)
is distinct from (excluded.name, excluded.active, true, excluded.group_id);

-- name: unlist_erp_groups(club, ids, as_of)!
-- Groups that a certified snapshot no longer lists (R14).
update sync.erp_group set listed = false, as_of = :as_of
where club = :club and listed and erp_group_id != all(:ids::text[]);

-- name: group_numbers(club)
select
    erp_group_id as id,
    group_id
from base.customer_group
where club = :club and kind = 'automatic' and erp_group_id is not null;

-- name: link_users(club)!
-- Links a customer with a new email to the user who has confirmed it, unless that user is linked in this club
-- already: only confirming another email moves a link (R9).
update plan_customer as p set linked_user = u.user_id, linked_now = true
from base.app_user as u
where
    p.relink
    and p.linked_user is null
    and u.confirmed
    and u.email = p.email
    and not exists (
        select 1 from base.customer as c
        where c.club = :club and c.linked_user = u.user_id
    );

-- name: link_new_users(club, first)!
-- The same for new customers: those from that id on.
update base.customer as n set linked_user = u.user_id
from base.app_user as u
where
    n.club = :club
    and n.customer >= :first
    and n.linked_user is null
    and u.confirmed
    and u.email = n.email
    and not exists (
        select 1 from base.customer as c
        where c.club = :club and c.linked_user = u.user_id
    );

-- name: audit_links()!
-- A link that a new email made is part of that change, so that undoing one undoes the other (R18).
update new_change as h set
    before = (h.before::jsonb || '{"linked_user": null}')::text,
    after = (h.after::jsonb || jsonb_build_object('linked_user', c.linked_user))::text
from plan_customer as c
where
    c.linked_now
    and h.customer = c.customer
    and h.before is not null
    and h.after::jsonb ? 'email';

-- name: update_customers(club, at)!
update base.customer as c set
    erp_id = p.erp_id,
    email = p.email,
    email_raw = p.email_raw,
    first_name = p.first_name,
    last_name = p.last_name,
    phone = p.phone,
    in_customers_group = p.in_customers_group,
    auto_groups = p.auto_groups,
    reason = p.reason,
    reason_at = case
        when p.reason is null then null
        when p.reason is distinct from c.reason then :at::timestamptz
        else c.reason_at
    end,
    detached_at = case when p.detached then coalesce(c.detached_at, :at) end,
    linked_user = p.linked_user,
    updated_at = :at
from plan_customer as p
where c.club = :club and c.customer = p.customer;

-- name: update_records(club, as_of, snapshot)!
update sync.erp_customer as m set
    email = p.email,
    email_norm = p.email_norm,
    first_name = p.first_name,
    last_name = p.last_name,
    phone = p.phone,
    birth_date = p.birth_date,
    status = p.status,
    status_raw = p.status_raw,
    groups = p.groups,
    remembered = p.remembered,
    valid_from = p.valid_from,
    valid_until = p.valid_until,
    guardian_id = p.guardian_id,
    replaced_by = p.replaced_by,
    created_at = p.created_at,
    is_company = p.is_company,
    placeholder = p.placeholder,
    unreadable = p.unreadable,
    row_hash = p.row_hash,
    as_of = :as_of,
    snapshot = :snapshot,
    gone_at = null,
    access = p.access,
    lapsed = p.lapsed,
    former = p.former
from plan_record as p
where m.club = :club and m.erp_id = p.erp_id and not p.vanished;

-- name: mark_records_missing(club, as_of, snapshot)!
update sync.erp_customer as m set
    gone_at = :as_of,
    as_of = :as_of,
    snapshot = :snapshot,
    access = 'no',
    lapsed = p.lapsed,
    former = p.former
from plan_record as p
where m.club = :club and m.erp_id = p.erp_id and p.vanished;

-- name: open_findings(club, run, at)!
-- A finding that is open already keeps its time and gets the new details.
insert into sync.finding (club, erp_id, code, severity, detail, since, run)
select :club, erp_id, code, severity, detail, :at, :run
from plan_finding
on conflict (club, erp_id, code) where closed_at is null do update set
    severity = excluded.severity,
    detail = excluded.detail;

-- name: close_findings(club, run, at, findings)!
update sync.finding set closed_at = :at, closed_run = :run
where club = :club and finding = any(:findings::bigint[]);

-- name: open_finding_counts(club)
-- Open findings by code, as `summarise_club` last counted them; everything that changes findings calls it.
select
    code,
    findings as n
from sync.finding_summary
where club = :club
order by code;

-- A first load that has the large tables to itself.

-- name: lock_for_first_load()$
-- row: always
select sync.lock_for_first_load();

-- name: open_for_first_load(table_name)$
select sync.open_for_first_load(:table_name);

-- name: close_after_first_load(table_name)$
select sync.close_after_first_load(:table_name);

-- A small plan: its rows come as JSON, in a few round trips (clubsync/load/small.py). `place` is a row's place in its
-- frame.

-- name: has_plan_tables()$
-- row: always
-- Whether this session has the tables of `make_plan_tables`.
select to_regclass('pg_temp.plan_customer') is not null;

-- name: stage_customers(club, rows)!
insert into plan_customer
(
    customer, erp_id, email, email_raw, first_name, last_name, phone, in_customers_group, auto_groups, reason, detached,
    linked_user, relink
)
select
    p.customer,
    p.erp_id,
    p.email,
    p.email_raw,
    p.first_name,
    p.last_name,
    p.phone,
    p.in_customers_group,
    array(
        select g.group_id from base.customer_group as g
        where g.club = :club and g.kind = 'automatic' and g.erp_group_id = any(p.groups)
        order by g.group_id
    ),
    p.reason,
    p.detached,
    p.linked_user,
    p.relink
from
    json_to_recordset(:rows::json) as p (
        customer bigint, erp_id text, email text, email_raw text, first_name text, last_name text, phone text,
        in_customers_group boolean, groups text[], reason text, detached boolean, linked_user bigint, relink boolean
    );

-- name: add_customers(club, first, rows, at)!
-- first: the number of the first one.
insert into base.customer
(
    club, customer, erp_id, email, email_raw, first_name, last_name, phone, origin, in_customers_group, auto_groups,
    reason, reason_at, linked_user, created_at, updated_at
)
select
    :club,
    :first::bigint + p.place,
    p.erp_id,
    p.email,
    p.email_raw,
    p.first_name,
    p.last_name,
    p.phone,
    'erp',
    p.in_customers_group,
    array(
        select g.group_id from base.customer_group as g
        where g.club = :club and g.kind = 'automatic' and g.erp_group_id = any(p.groups)
        order by g.group_id
    ),
    p.reason,
    case when p.reason is not null then :at::timestamptz end as reason_at,
    p.linked_user,
    :at as created_at,
    :at as updated_at
from
    json_to_recordset(:rows::json) as p (
        place integer, erp_id text, email text, email_raw text, first_name text, last_name text, phone text,
        in_customers_group boolean, groups text[], reason text, linked_user bigint
    );

-- name: add_changes(club, run, first, rows, at)!
-- null: first
-- first: the number of the first new customer; the additions are in the order of the new customers. A link that a new
-- email made is part of that change, as in `audit_links`.
insert into sync.change (club, run, at, kind, customer, erp_id, before, after, reason, actor, access_lost)
select
    :club,
    :run,
    :at,
    h.kind,
    coalesce(
        h.customer,
        :first::bigint - 1 + count(*) filter (where h.customer is null) over (order by h.place)
    ),
    h.erp_id,
    case
        when c.customer is null then h.before
        else (h.before::jsonb || '{"linked_user": null}')::text
    end,
    case
        when c.customer is null then h.after
        else (h.after::jsonb || jsonb_build_object('linked_user', c.linked_user))::text
    end,
    h.reason,
    h.actor,
    h.access_lost
from
    json_to_recordset(:rows::json) as h (
        place integer, kind text, customer bigint, erp_id text, before text, after text, reason text, actor text,
        access_lost boolean
    )
left join plan_customer as c
    on
        h.customer = c.customer
        and c.linked_now
        and h.before is not null
        and jsonb_exists(h.after::jsonb, 'email')
order by h.place;

-- name: add_records(club, rows, as_of, snapshot)!
insert into sync.erp_customer
(
    club, erp_id, email, email_norm, first_name, last_name, phone, birth_date, status, status_raw, groups, remembered,
    valid_from, valid_until, guardian_id, replaced_by, created_at, is_company, placeholder, unreadable, row_hash, as_of,
    snapshot, first_seen, access, lapsed, former
)
select
    :club,
    p.erp_id,
    p.email,
    p.email_norm,
    p.first_name,
    p.last_name,
    p.phone,
    p.birth_date,
    p.status,
    p.status_raw,
    p.groups,
    p.remembered,
    p.valid_from,
    p.valid_until,
    p.guardian_id,
    p.replaced_by,
    p.created_at,
    p.is_company,
    p.placeholder,
    p.unreadable,
    p.row_hash,
    :as_of as seen,
    :snapshot,
    :as_of as first_seen,
    p.access,
    p.lapsed,
    p.former
from json_populate_recordset(null::plan_record, :rows::json) as p;

-- name: stage_records(rows)!
insert into plan_record
select * from json_populate_recordset(null::plan_record, :rows::json);

-- name: close_settled_findings(club, run, at, ids, rows)!
-- Findings of these records that are open, and not among those found. Those of similar records open and close with the
-- pairs (R23).
update sync.finding as f set closed_at = :at, closed_run = :run
where
    f.club = :club
    and f.closed_at is null
    and f.erp_id = any(array(select jsonb_array_elements_text(:ids::jsonb)))
    and f.code != 'SIMILAR_RECORD'
    and not exists (
        select from json_to_recordset(:rows::json) as n (erp_id text, code text)
        where n.erp_id = f.erp_id and n.code = f.code
    );

-- name: open_found_findings(club, run, at, rows)!
-- A finding that is open already keeps its time; what says the same is not written (R17).
insert into sync.finding (club, erp_id, code, severity, detail, since, run)
select
    :club,
    n.erp_id,
    n.code,
    n.severity,
    n.detail::jsonb,
    :at,
    :run
from json_to_recordset(:rows::json) as n (erp_id text, code text, severity text, detail text)
on conflict (club, erp_id, code) where closed_at is null do update set
    severity = excluded.severity,
    detail = excluded.detail
where (finding.severity, finding.detail) is distinct from (excluded.severity, excluded.detail);
