-- Manual edits (R11 to R13), and what the app does to its users (R9).

-- name: find_customer(club, customer, email)^
-- null: customer
-- A base customer by id or email. undone: the run of which a change of theirs was undone (R18); reused: their ERP id
-- shows another person (R1).
select
    c.*,
    m.access,
    m.row_hash,
    m.gone_at,
    u.run as undone,
    exists(
        select from sync.finding as f
        where f.club = c.club and f.erp_id = c.erp_id and f.code = 'ID_REUSED' and f.closed_at is null
    ) as reused
from base.customer as c
left join sync.erp_customer as m on c.club = m.club and c.erp_id = m.erp_id
left join sync.undone as u
    on
        c.club = u.club
        and c.customer = u.customer
        and not u.waits
        and c.erp_id is not distinct from u.erp_id
where c.club = :club and (c.customer = :customer or (:email::text is not null and c.email = :email))
order by c.customer = :customer desc
limit 1
for update of c;

-- name: insert_manual_customer(club, email, email_raw, first_name, last_name, phone, origin, linked_user, at)$
-- null: email_raw, first_name, last_name, phone, linked_user
insert into base.customer
(
    club, email, email_raw, first_name, last_name, phone, origin, in_customers_group, linked_user,
    created_at, updated_at
)
values
(
    :club, :email, :email_raw, :first_name, :last_name, :phone, :origin, true, :linked_user, :at, :at
)
returning customer;

-- name: edit_customer(club, customer, email, email_raw, first_name, last_name, phone, at)!
-- null: email, email_raw, first_name, last_name, phone
update base.customer set
    email = :email,
    email_raw = :email_raw,
    first_name = :first_name,
    last_name = :last_name,
    phone = :phone,
    updated_at = :at
where club = :club and customer = :customer;

-- name: detach_customer(club, customer, at)!
update base.customer set
    in_customers_group = false,
    auto_groups = '{}',
    reason = 'detached',
    reason_at = :at,
    detached_at = :at,
    updated_at = :at
where club = :club and customer = :customer;

-- name: reactivate_customer(club, customer, at)!
-- Whom the ERP has no record of is a customer added by hand from now on (R11).
update base.customer set
    in_customers_group = true,
    origin = case when erp_id is null and origin = 'erp' then 'manual' else origin end,
    reason = null,
    reason_at = null,
    detached_at = null,
    updated_at = :at
where club = :club and customer = :customer;

-- name: link_customer(club, customer, user_id, at)!
-- null: user_id
update base.customer set linked_user = :user_id, updated_at = :at
where club = :club and customer = :customer;

-- name: clear_lapsed(club, erp_id)!
-- From now on the ERP's statuses decide whether the record was activated again (R12).
update sync.erp_customer set lapsed = false
where club = :club and erp_id = :erp_id;

-- name: reused_ids(club)
-- Ids that show somebody else and await a decision (R1): the record as it was last taken over, and its customer.
select
    f.erp_id,
    f.since,
    c.customer,
    m.first_name,
    m.last_name,
    m.email,
    m.phone,
    m.birth_date
from sync.finding as f
inner join base.customer as c on f.club = c.club and f.erp_id = c.erp_id
left join sync.erp_customer as m on f.club = m.club and f.erp_id = m.erp_id
where f.club = :club and f.code = 'ID_REUSED' and f.closed_at is null
order by f.since, f.erp_id;

-- name: reused_id(club, erp_id)^
select
    c.customer,
    f.detail ->> 'row_hash' as row_hash
from sync.finding as f
inner join base.customer as c on f.club = c.club and f.erp_id = c.erp_id
where f.club = :club and f.erp_id = :erp_id and f.code = 'ID_REUSED' and f.closed_at is null;

-- name: part_from_record(club, customer, reason, at)!
-- The customer's ERP id has become another person's (R1).
update base.customer set
    erp_id = null,
    in_customers_group = false,
    auto_groups = '{}',
    reason = :reason,
    reason_at = case when in_customers_group then :at::timestamptz else reason_at end,
    updated_at = :at
where club = :club and customer = :customer;

-- name: add_change(club, run, at, kind, customer, erp_id, before, after, reason, actor)!
-- null: erp_id, before, after
insert into sync.change (club, run, at, kind, customer, erp_id, before, after, reason, actor)
values (:club, :run, :at, :kind, :customer, :erp_id, :before, :after, :reason, :actor);

-- name: add_recheck(club, erp_id, email, why)!
-- null: erp_id, email
-- Adds nothing where the same recheck is pending.
insert into sync.recheck (club, erp_id, email, why)
select :club, :erp_id::text, :email::text, :why::text
where not exists (
    select 1 from sync.recheck as r
    where
        r.club = :club
        and (r.erp_id, r.email, r.why) is not distinct from (:erp_id::text, :email::text, :why::text)
);

-- name: recheck_records(club, ids, why)!
insert into sync.recheck (club, erp_id, why)
select :club, i.erp_id, :why::text
from unnest(:ids::text[]) as i (erp_id)
where not exists (
    select 1 from sync.recheck as r
    where r.club = :club and r.erp_id = i.erp_id and r.email is null and r.why = :why::text
);

-- name: unsettled(club)
-- Records that a load has left to a later snapshot.
select erp_id from sync.recheck
where club = :club and erp_id is not null and why = 'left unsettled';

-- name: drop_unsettled(club, ids)!
-- Records that a load has spoken of do not wait any more, unless it leaves them again.
delete from sync.recheck
where club = :club and erp_id = any(:ids::text[]) and why = 'left unsettled';

-- name: end_manual_run(club, run, at, counts, rows_written)!
update sync.run set finished_at = :at, state = 'done', counts = :counts, rows_written = :rows_written
where club = :club and run = :run;

-- name: find_user(user_id, email)^
-- null: user_id
select * from base.app_user
where user_id = :user_id or (:email::text is not null and email = :email)
order by user_id = :user_id desc, confirmed desc, user_id
limit 1;

-- name: confirmed_user(email)^
select * from base.app_user
where email = :email and confirmed;

-- name: add_user(email, email_raw, confirmed, provider, at)$
-- null: email, email_raw
insert into base.app_user (email, email_raw, confirmed, provider, created_at)
values (:email, :email_raw, :confirmed, :provider, :at)
returning user_id;

-- name: set_user_email(user_id, email, email_raw, confirmed)!
-- null: email_raw
update base.app_user set email = :email, email_raw = :email_raw, confirmed = :confirmed
where user_id = :user_id;

-- name: clubs_of_user(user_id, email)
-- Clubs where the user is linked, has a pending request, or shares an email with a customer.
select club from base.customer
where linked_user = :user_id or (:email::text is not null and email = :email)
union
select club from base.attachment_request
where user_id = :user_id and state = 'pending';

-- name: customer_of_user(club, user_id)^
select customer, erp_id, email from base.customer
where club = :club and linked_user = :user_id;

-- name: add_request(club, user_id, at)$
insert into base.attachment_request (club, user_id, created_at) values (:club, :user_id, :at)
returning request_id;

-- name: requests(club, include_all)
select
    r.request_id as id,
    r.user_id as user,
    u.email,
    u.confirmed,
    r.state,
    r.customer,
    r.created_at,
    r.decided_at
from base.attachment_request as r
inner join base.app_user as u on r.user_id = u.user_id
where r.club = :club and (:include_all::boolean or r.state = 'pending')
order by r.request_id;

-- name: find_request(club, request_id, email)^
-- null: request_id
select
    r.*,
    u.email,
    u.email_raw,
    u.confirmed
from base.attachment_request as r
inner join base.app_user as u on r.user_id = u.user_id
where
    r.club = :club
    and (r.request_id = :request_id or (:email::text is not null and u.email = :email))
order by r.request_id = :request_id desc, r.state = 'pending' desc, r.request_id desc
limit 1;

-- name: pending_request(club, user_id)$
select request_id from base.attachment_request
where club = :club and user_id = :user_id and state = 'pending';

-- name: decide_request(club, request_id, state, customer, at)!
-- null: customer
update base.attachment_request set state = :state, customer = :customer, decided_at = :at
where club = :club and request_id = :request_id and state = 'pending';

-- name: accept_matching_requests(club, at)!
-- Accepts requests whose confirmed email is the email of a customer with access (R11).
update base.attachment_request as r set state = 'accepted', customer = c.customer, decided_at = :at
from base.app_user as u, base.customer as c
where
    r.club = :club
    and r.state = 'pending'
    and u.user_id = r.user_id
    and u.confirmed
    and c.club = :club
    and c.email = u.email
    and c.in_customers_group;
