-- Affected records and their base customers. Each query takes lists: one round trip serves ten people or
-- ten thousand.

-- name: records_by_id(club, ids)
select
    erp_id, email, email_norm, first_name, last_name, phone, birth_date, status, status_raw,
    groups, remembered, valid_from, valid_until, guardian_id,
    replaced_by, created_at, is_company, placeholder, unreadable, row_hash, as_of, snapshot,
    gone_at is not null as gone, access, lapsed, former
from sync.erp_customer
where club = :club and erp_id = any(:ids::text[]);

-- name: all_records(club)
select
    erp_id, email, email_norm, first_name, last_name, phone, birth_date, status, status_raw,
    groups, remembered, valid_from, valid_until, guardian_id,
    replaced_by, created_at, is_company, placeholder, unreadable, row_hash, as_of, snapshot,
    gone_at is not null as gone, access, lapsed, former
from sync.erp_customer
where club = :club;

-- name: former_records(club)
-- Records that a group of former customers keeps out (R3).
select erp_id from sync.erp_customer
where club = :club and former;

-- name: related_ids(club, ids, emails, candidates, base_emails)
-- Records that have one of these emails, are guarded by or were replaced by one of these records, or have a
-- base customer with one of base_emails.
-- candidates: records that have one of the emails by the record index, which knows those present in the ERP;
-- the others have no access.
select erp_id from sync.erp_customer
where
    club = :club
    and erp_id = any(:candidates::text[])
    and email_norm = any(:emails::text[])
union
select erp_id from sync.erp_customer
where club = :club and access != 'yes' and email_norm = any(:emails::text[])
union
select erp_id from sync.erp_customer
where club = :club and guardian_id = any(:ids::text[])
union
select erp_id from sync.erp_customer
where club = :club and replaced_by = any(:ids::text[])
union
select erp_id from base.customer
where club = :club and erp_id is not null and email = any(:base_emails::text[]);

-- name: customers_by_record(club, ids, emails)
select
    c.customer, c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone, c.origin,
    c.in_customers_group, c.auto_groups, c.reason, c.detached_at is not null as detached,
    c.linked_user, u.email as user_email
from base.customer as c
left join base.app_user as u on c.linked_user = u.user_id
where c.club = :club and (c.erp_id = any(:ids::text[]) or c.email = any(:emails::text[]));

-- name: all_customers(club)
select
    c.customer, c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone, c.origin,
    c.in_customers_group, c.auto_groups, c.reason, c.detached_at is not null as detached,
    c.linked_user, u.email as user_email
from base.customer as c
left join base.app_user as u on c.linked_user = u.user_id
where c.club = :club;

-- name: rechecks(club)
select recheck, erp_id, email from sync.recheck
where club = :club;

-- name: clear_rechecks(club, upto)!
delete from sync.recheck
where club = :club and recheck <= :upto;

-- name: suspicions(club)
-- What earlier certified walks have shown and not proved (R14).
select erp_id, sign, snapshot, read_at from sync.suspicion
where club = :club;

-- name: suspicions_of(club, erp_id)
select sign, read_at from sync.suspicion
where club = :club and erp_id = :erp_id
order by sign;

-- name: is_unsettled(club, erp_id)$
-- Whether the last load left the record to a later snapshot.
select exists(
    select 1 from sync.recheck
    where club = :club and erp_id = :erp_id and why = 'left unsettled'
);

-- name: unsettled_records(club)
-- Records that the last load left to a later snapshot.
select distinct erp_id from sync.recheck
where club = :club and erp_id is not null and why = 'left unsettled';

-- name: held_customers(club)
select m.customer, c.erp_id, c.email, m.kind = 'merge' and m.reason = 'merged' as by_email
from sync.hold as h
inner join sync.hold_member as m on h.club = m.club and h.hold = m.hold
inner join base.customer as c on m.club = c.club and m.customer = c.customer
where h.club = :club and h.state = 'open' and m.left_version is null;

-- Open findings except SIMILAR_RECORD, which open and close with the pairs (R23).

-- name: open_findings_of(club, ids)
-- Ids as JSON: converting ten thousand to an array costs the driver as much as the query itself.
select finding, erp_id, code, severity, detail::text as detail
from sync.finding
where
    club = :club
    and closed_at is null
    and erp_id = any(array(select jsonb_array_elements_text(:ids::jsonb)))
    and code != 'SIMILAR_RECORD';

-- name: records_with_finding(club, code)
-- The records of which such a finding is open.
select erp_id from sync.finding
where club = :club and code = :code and closed_at is null;

-- name: open_findings_all(club)
select finding, erp_id, code, severity, detail::text as detail
from sync.finding
where club = :club and closed_at is null and code != 'SIMILAR_RECORD';

-- name: people_by_id(club, ids)
-- Who these records stood for, gone or not; those of earlier sources have other ids.
select erp_id, email_norm, first_name, last_name, phone, birth_date
from sync.erp_customer
where club = :club and erp_id = any(:ids::text[]);

-- name: people_to_identify(club)
-- The fields that identify the records of a source without ids (R1).
select erp_id, email_norm, phone, first_name, last_name, birth_date, gone_at is not null as gone, row_hash
from sync.erp_customer
where club = :club;
