-- What `validate` reads of a batch of clubs at once, inside `Base.clubs` (R21). Lists of texts come with the club of each.

-- name: batch_states(clubs)
select * from sync.club_state
where club = any(:clubs::integer[]);

-- name: batch_snapshots(clubs, snapshots)
select s.*
from unnest(:clubs::integer[], :snapshots::bigint[]) as u (club, snapshot)
inner join sync.snapshot as s on u.club = s.club and u.snapshot = s.snapshot;

-- name: batch_doubts(clubs, now)
-- What each club has beside its records. rechecks: records to look at again, or a rejection that has expired. decided:
-- what people decided about customers. unclear: ids that came several times. erasures: orders to erase somebody.
select
    u.club,
    exists (
        select from sync.recheck as r
        where r.club = u.club
    )
    or exists (
        select from sync.hold_rejected as r
        where r.club = u.club and r.until <= :now
    ) as rechecks,
    exists(
        select from sync.hold as h
        where h.club = u.club and h.state = 'open'
    ) as held,
    exists (
        select from sync.hold_rejected as r
        where r.club = u.club
    )
    or exists (
        select from sync.undone as d
        where d.club = u.club
    )
    or exists (
        select from sync.same_person as p
        where p.club = u.club
    ) as decided,
    exists(
        select from sync.finding as f
        where f.club = u.club and f.code = 'ID_DUPLICATE' and f.closed_at is null
    ) as unclear,
    exists(
        select from sync.erasure as e
        where e.club = u.club
    ) as erasures
from unnest(:clubs::integer[]) as u (club);

-- name: batch_groups(clubs)
-- As `erp_groups`.
with
erp as (
    select
        club,
        erp_group_id,
        name,
        active,
        listed,
        group_id
    from sync.erp_group
    where club = any(:clubs::integer[])
),

fed as (
    select
        club,
        group_id,
        erp_group_id as key
    from base.customer_group
    where club = any(:clubs::integer[]) and kind = 'automatic'
)

select
    coalesce(e.club, f.club) as club,
    e.erp_group_id as id,
    e.name,
    e.active,
    coalesce(e.listed, false) as listed,
    coalesce(e.group_id, f.group_id) as group_id,
    f.key
from erp as e
full join fed as f on e.club = f.club and e.group_id = f.group_id;

-- name: batch_record_index(clubs)
select
    club,
    vector
from sync.club_vector
where club = any(:clubs::integer[])
order by club, part;

-- name: batch_rechecks(clubs)
select
    club,
    recheck,
    erp_id,
    email
from sync.recheck
where club = any(:clubs::integer[]);

-- name: batch_held(clubs)
-- As `held_customers`.
select
    h.club,
    m.customer,
    c.erp_id,
    c.email,
    m.kind = 'merge' and m.reason = 'merged' as by_email
from sync.hold as h
inner join sync.hold_member as m on h.club = m.club and h.hold = m.hold
inner join base.customer as c on m.club = c.club and m.customer = c.customer
where h.club = any(:clubs::integer[]) and h.state = 'open' and m.left_version is null;

-- name: batch_suspicions(clubs)
select
    club,
    erp_id,
    sign,
    snapshot,
    read_at
from sync.suspicion
where club = any(:clubs::integer[]);

-- name: batch_moves_under_way(clubs)
select distinct
    club,
    erp_id
from sync.chain_move
where club = any(:clubs::integer[]) and not arrived;

-- name: batch_former_records(clubs)
select
    club,
    erp_id
from sync.erp_customer
where club = any(:clubs::integer[]) and former;

-- name: batch_records(clubs, ids)
-- As `records_by_id`.
select
    m.club, m.erp_id, m.email, m.email_norm, m.first_name, m.last_name, m.phone, m.birth_date, m.status, m.status_raw,
    m.groups, m.remembered, m.valid_from, m.valid_until, m.guardian_id,
    m.replaced_by, m.created_at, m.is_company, m.placeholder, m.unreadable, m.row_hash, m.as_of, m.snapshot,
    m.gone_at is not null as gone, m.access, m.lapsed, m.former
from unnest(:clubs::integer[], :ids::text[]) as u (club, erp_id)
inner join sync.erp_customer as m on u.club = m.club and u.erp_id = m.erp_id;

-- name: batch_all_records(clubs)
select
    club, erp_id, email, email_norm, first_name, last_name, phone, birth_date, status, status_raw,
    groups, remembered, valid_from, valid_until, guardian_id,
    replaced_by, created_at, is_company, placeholder, unreadable, row_hash, as_of, snapshot,
    gone_at is not null as gone, access, lapsed, former
from sync.erp_customer
where club = any(:clubs::integer[]);

-- name: batch_customers(clubs, ids, email_clubs, emails)
-- As `customers_by_record`.
with asked as (
    select
        c.club,
        c.customer
    from unnest(:clubs::integer[], :ids::text[]) as u (club, erp_id)
    inner join base.customer as c on u.club = c.club and u.erp_id = c.erp_id
    union
    select
        c.club,
        c.customer
    from unnest(:email_clubs::integer[], :emails::text[]) as u (club, email)
    inner join base.customer as c on u.club = c.club and u.email = c.email
)

select
    c.club, c.customer, c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone, c.origin,
    c.in_customers_group, c.auto_groups, c.reason, c.detached_at is not null as detached,
    c.linked_user, p.email as user_email
from asked as a
inner join base.customer as c on a.club = c.club and a.customer = c.customer
left join base.app_user as p on c.linked_user = p.user_id;

-- name: batch_all_customers(clubs)
select
    c.club, c.customer, c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone, c.origin,
    c.in_customers_group, c.auto_groups, c.reason, c.detached_at is not null as detached,
    c.linked_user, p.email as user_email
from base.customer as c
left join base.app_user as p on c.linked_user = p.user_id
where c.club = any(:clubs::integer[]);

-- name: batch_related(clubs, ids, email_clubs, emails, candidate_clubs, candidates)
-- As `related_ids`, without base customers.
with emails as (
    select
        u.club,
        u.email
    from unnest(:email_clubs::integer[], :emails::text[]) as u (club, email)
),

ids as (
    select
        u.club,
        u.erp_id
    from unnest(:clubs::integer[], :ids::text[]) as u (club, erp_id)
)

select
    m.club,
    m.erp_id
from unnest(:candidate_clubs::integer[], :candidates::text[]) as u (club, erp_id)
inner join sync.erp_customer as m on u.club = m.club and u.erp_id = m.erp_id
inner join emails as e on m.club = e.club and m.email_norm = e.email
union
select
    m.club,
    m.erp_id
from emails as e
inner join sync.erp_customer as m on e.club = m.club and e.email = m.email_norm
where m.access != 'yes'
union
select
    m.club,
    m.erp_id
from ids as i
inner join sync.erp_customer as m on i.club = m.club and i.erp_id = m.guardian_id
union
select
    m.club,
    m.erp_id
from ids as i
inner join sync.erp_customer as m on i.club = m.club and i.erp_id = m.replaced_by;
