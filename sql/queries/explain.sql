-- What the command line and the pages show of one club.

-- name: customers(club)
select
    c.customer as id,
    c.erp_id,
    c.email,
    c.first_name,
    c.last_name,
    c.phone,
    c.in_customers_group,
    coalesce((
        select array_agg(g.name order by g.name) from base.customer_group as g
        where g.club = c.club and g.group_id = any(c.auto_groups)
    ), '{}') as groups,
    coalesce((
        select array_agg(g.name order by g.name)
        from base.membership as m
        inner join base.customer_group as g on m.club = g.club and m.group_id = g.group_id
        where m.club = c.club and m.customer = c.customer
    ), '{}') as manual_groups,
    c.reason,
    c.origin,
    c.detached_at is not null as detached,
    l.link
from base.customer as c
inner join base.customer_link as l on c.club = l.club and c.customer = l.customer
where c.club = :club
order by c.customer;

-- name: findings(club, include_all)
-- Open findings; with include_all closed and informational ones as well (R22).
-- One about the club itself has no record: its erp_id is null.
select
    f.code,
    nullif(f.erp_id, '') as erp_id,
    m.email,
    f.severity,
    f.detail,
    f.since,
    f.run,
    f.closed_at
from sync.finding as f
left join sync.erp_customer as m on f.club = m.club and f.erp_id = m.erp_id
where f.club = :club and (:include_all::boolean or (f.closed_at is null and f.severity != 'info'))
order by f.code, f.erp_id, f.finding;

-- name: changes(club, run, since)
select
    run,
    at,
    kind,
    customer,
    erp_id,
    before::jsonb as before,
    after::jsonb as after,
    reason
from sync.change
where
    club = :club
    and (:run::bigint is null or run = :run)
    and (:since::timestamptz is null or at >= :since)
order by at, run, change;

-- name: club_overview()
select
    c.club_id,
    s.last_success_at,
    s.certified_as_of,
    s.failing_since,
    s.quarantined_until,
    s.last_error,
    s.paused,
    (
        s.last_success_at is null
        and not s.reviewed
        and exists (
            select from sync.run as r
            where r.club = c.club and r.state = 'held'
        )
    ) as first_sync_waits,
    (
        select n.doubts from sync.snapshot as n
        where n.club = c.club
        order by n.snapshot desc
        limit 1
    ) as doubts,
    (
        select count(*) from base.customer as b
        where b.club = c.club and b.in_customers_group
    ) as customers,
    (
        select count(*) from sync.finding as f
        where f.club = c.club and f.closed_at is null and f.severity != 'info'
    ) as findings,
    (
        select count(*)
        from sync.hold as h
        inner join sync.hold_member as m on h.club = m.club and h.hold = m.hold
        where h.club = c.club and h.state = 'open' and m.left_version is null and m.loses
    ) as held
from base.club as c
inner join sync.club_state as s on c.club = s.club
order by c.club_id;

-- name: holds(club)
select
    h.hold,
    h.run,
    h.opened_at,
    h.state,
    h.version,
    h.list_hash,
    h.causes,
    h.limit_was,
    (
        select count(*) from sync.hold_member as m
        where m.club = h.club and m.hold = h.hold and m.left_version is null and m.loses
    ) as deactivations
from sync.hold as h
where h.club = :club
order by h.hold;

-- name: find_person(club, erp_id, email, candidates)
-- null: email
-- The records and base customers that match an ERP id or an email.
-- candidates: records that have the email by the record index, which knows those present in the ERP; the
-- others have no access.
with records as (
    select erp_id from sync.erp_customer
    where club = :club and erp_id = :erp_id
    union
    select erp_id from sync.erp_customer
    where club = :club and erp_id = any(:candidates::text[]) and email_norm = :email
    union
    select erp_id from sync.erp_customer
    where club = :club and access != 'yes' and email_norm = :email
),

customers as (
    select erp_id, customer from base.customer
    where club = :club and email = :email
    union
    select erp_id, customer from base.customer
    where club = :club and erp_id = :erp_id
    union
    select c.erp_id, c.customer
    from base.customer as c
    inner join records as r on c.erp_id = r.erp_id
    where c.club = :club
)

select erp_id, customer from customers
union
select r.erp_id, null
from records as r
where not exists (
    select 1 from customers as c
    where c.erp_id = r.erp_id
);

-- name: people_of_club_by_name(club, fragment)
-- Records and customers whose name contains the fragment.
select
    m.erp_id,
    c.customer,
    coalesce(c.first_name, m.first_name) as first_name,
    coalesce(c.last_name, m.last_name) as last_name,
    coalesce(c.email, m.email_norm) as email,
    coalesce(c.in_customers_group, false) as in_customers_group
from sync.erp_customer as m
full join base.customer as c on m.club = c.club and m.erp_id = c.erp_id
where
    coalesce(m.club, c.club) = :club
    and strpos(
        lower(concat_ws(' ', coalesce(c.first_name, m.first_name), coalesce(c.last_name, m.last_name))),
        lower(:fragment)
    ) > 0
order by last_name, first_name, erp_id
limit 50;

-- name: record(club, erp_id)^
select
    erp_id,
    email,
    email_norm,
    first_name,
    last_name,
    phone,
    status,
    status_raw,
    groups::jsonb as groups,
    remembered::jsonb as remembered,
    valid_from,
    valid_until,
    guardian_id,
    replaced_by,
    placeholder,
    as_of,
    first_seen,
    gone_at,
    access
from sync.erp_customer
where club = :club and erp_id = :erp_id;

-- name: customer(club, customer)^
select
    c.customer,
    c.erp_id,
    c.email,
    c.in_customers_group,
    c.reason,
    c.reason_at,
    c.detached_at,
    c.origin,
    c.created_at,
    l.link
from base.customer as c
inner join base.customer_link as l on c.club = l.club and c.customer = l.customer
where c.club = :club and c.customer = :customer;

-- name: open_findings_for(club, erp_id)
select
    code,
    severity,
    detail,
    since,
    run
from sync.finding
where club = :club and erp_id = :erp_id and closed_at is null
order by code;

-- name: rows_without_id(club)
-- Rows of the last reading that have no id, while they have a finding (R14).
select
    m.erp_id,
    m.email_norm,
    m.first_name,
    m.last_name,
    m.phone
from sync.finding as f
inner join sync.erp_customer as m on f.club = m.club and f.erp_id = m.erp_id
where f.club = :club and f.code = 'ID_MISSING' and f.closed_at is null
order by m.erp_id;

-- name: words_of_findings(club, code, words)
-- Of the ERP's words that open findings of a code quote: how many records have each of these, and how many different
-- words there are (R19).
with said as (
    select
        f.erp_id,
        w.word
    from sync.finding as f
    cross join
        jsonb_array_elements_text(
            jsonb_build_array(f.detail -> 'word') || coalesce(f.detail -> 'words', '[]')
        ) as w (word)
    where f.club = :club and f.code = :code and f.closed_at is null and w.word is not null
)

select
    word,
    count(distinct erp_id) as records,
    (select count(distinct s.word) from said as s) as different
from said
where word = any(:words::text[])
group by word;

-- name: all_findings_for(club, erp_id)
select
    code,
    severity,
    detail,
    since,
    run,
    closed_at,
    closed_run
from sync.finding
where club = :club and erp_id = :erp_id
order by since, code;

-- name: changes_of(club, customer)
select
    run,
    at,
    kind,
    erp_id,
    before::jsonb as before,
    after::jsonb as after,
    reason,
    actor
from sync.change
where club = :club and customer = :customer
order by at, run, change;

-- name: held_customer(club, customer)^
select
    h.hold,
    h.opened_at,
    m.cause
from sync.hold as h
inner join sync.hold_member as m on h.club = m.club and h.hold = m.hold
where h.club = :club and h.state = 'open' and m.left_version is null and m.customer = :customer;

-- name: last_reading(club)^
select
    as_of,
    certified,
    doubts,
    customers
from sync.snapshot
where club = :club
order by as_of desc, snapshot desc
limit 1;

-- name: last_certified(club)^
-- The last complete snapshot that was loaded; the base is based on it.
select
    certified_as_of as as_of,
    certified_rows as customers
from sync.club_state
where club = :club and certified_as_of is not null;

-- name: records_with_findings(club, include_all)
-- ERP records that have findings, with their stored fields, for the export (R22); by name.
with told as (
    select
        erp_id,
        json_agg(json_build_object('code', code, 'severity', severity, 'detail', detail) order by code) as findings,
        min(since) as since
    from sync.finding
    where club = :club and (:include_all::boolean or (closed_at is null and severity != 'info'))
    group by erp_id
)

select
    m.erp_id,
    m.email,
    m.first_name,
    m.last_name,
    m.phone,
    m.birth_date,
    coalesce(m.status_raw, m.status) as status,
    m.guardian_id,
    m.replaced_by,
    m.created_at,
    m.valid_from,
    m.valid_until,
    coalesce((
        select array_agg(coalesce(g.name, h.value ->> 'id') order by h.value ->> 'id')
        from jsonb_array_elements(m.groups::jsonb) as h
        left join sync.erp_group as g on g.club = m.club and g.erp_group_id = h.value ->> 'id'
    ), '{}') as groups,
    t.findings,
    t.since
from told as t
inner join sync.erp_customer as m on t.erp_id = m.erp_id
where m.club = :club
order by lower(m.last_name), lower(m.first_name), m.erp_id;

-- name: records_of_hold(club, hold, version)
-- The people on a list of a hold with their stored fields, and why they are on it, for the club; by name.
select
    coalesce(m.erp_id, '') as erp_id,
    coalesce(m.email, b.email_raw, b.email) as email,
    coalesce(m.first_name, b.first_name) as first_name,
    coalesce(m.last_name, b.last_name) as last_name,
    coalesce(m.phone, b.phone) as phone,
    m.birth_date,
    coalesce(m.status_raw, m.status) as status,
    m.guardian_id,
    m.replaced_by,
    m.created_at,
    m.valid_from,
    m.valid_until,
    coalesce((
        select array_agg(coalesce(g.name, r.value ->> 'id') order by r.value ->> 'id')
        from jsonb_array_elements(m.groups::jsonb) as r
        left join sync.erp_group as g on g.club = m.club and g.erp_group_id = r.value ->> 'id'
    ), '{}') as groups,
    h.cause,
    h.loses,
    v.made_at as since
from sync.hold_member as h
inner join sync.hold_version as v on h.club = v.club and h.hold = v.hold and h.joined_version = v.version
left join base.customer as b on h.club = b.club and h.customer = b.customer
left join sync.erp_customer as m on h.club = m.club and h.erp_id = m.erp_id
where
    h.club = :club and h.hold = :hold
    and h.joined_version <= :version and (h.left_version is null or h.left_version > :version)
order by lower(coalesce(m.last_name, b.last_name)), lower(coalesce(m.first_name, b.first_name)), h.customer;

-- name: people_called(club, ids)
-- What these records are called, where their ids say nothing to the club.
select
    erp_id,
    email,
    first_name,
    last_name,
    phone
from sync.erp_customer
where club = :club and erp_id = any(:ids::text[]);

-- name: export_columns(club)^
-- The ERP's own columns, from the newest snapshot that has them.
select columns, column_of
from sync.snapshot
where club = :club and cardinality(columns) > 0
order by snapshot desc
limit 1;

-- name: account_of_email(email)^
-- The app account with an email; a confirmed one first.
select
    user_id,
    confirmed,
    created_at
from base.app_user
where email = :email
order by confirmed desc, user_id
limit 1;

-- name: account_of_customer(club, customer)^
-- The app account that a customer is linked to.
select
    u.user_id,
    u.email,
    u.confirmed
from base.customer as c
inner join base.app_user as u on c.linked_user = u.user_id
where c.club = :club and c.customer = :customer;

-- name: customer_of_account(club, user_id)^
select
    customer,
    erp_id
from base.customer
where club = :club and linked_user = :user_id;

-- name: last_request_of_account(club, user_id)^
select
    request_id,
    state,
    customer,
    created_at,
    decided_at
from base.attachment_request
where club = :club and user_id = :user_id
order by request_id desc
limit 1;

-- name: moved_from(club, erp_id)^
-- The customer that an ERP record had until its place went to another record (R1, R10), and the record it has now.
select
    d.customer,
    d.at,
    d.run,
    c.erp_id
from sync.change as d
inner join base.customer as c on d.club = c.club and d.customer = c.customer
where
    d.club = :club
    and d.kind in ('merge', 'adoption')
    and d.before::jsonb ->> 'erp_id' = :erp_id
    and c.erp_id is distinct from :erp_id
order by d.run desc, d.change desc
limit 1;

-- name: decided_holds_of(club, customer)
-- Decided holds that a customer was on, the newest first (R15); until: when a rejection no longer keeps them.
select
    h.hold,
    h.state,
    h.decided_at,
    h.decided_by,
    m.cause,
    j.until
from sync.hold_member as m
inner join sync.hold as h on m.club = h.club and m.hold = h.hold
left join sync.hold_rejected as j on m.club = j.club and m.customer = j.customer and h.state = 'rejected'
where
    m.club = :club
    and m.customer = :customer
    and m.left_version is null
    and h.state in ('approved', 'rejected')
    and h.decided_at is not null
order by h.hold desc
limit 5;

-- name: profiled_run(run, club_id)^
-- Of a run, or the newest one of a club that has a profile.
-- null: club_id
select
    r.run,
    c.club_id as club,
    c.name,
    c.erp,
    r.trigger,
    r.started_at,
    r.finished_at,
    r.state,
    r.airflow_run,
    r.profile
from sync.run as r
inner join base.club as c on r.club = c.club
where
    (r.run = :run::bigint or c.club_id = :club_id::text)
    and (:run::bigint is not null or r.profile is not null)
order by r.run desc
limit 1;

-- name: profiled_runs(erp, since)
-- The runs since then that have ended, with where their time went.
select
    r.run,
    c.club_id as club,
    c.name,
    r.started_at,
    r.finished_at,
    r.state,
    r.airflow_run,
    r.profile
from sync.run as r
inner join base.club as c on r.club = c.club
where c.erp = :erp and r.started_at >= :since and r.profile is not null
order by r.run;
