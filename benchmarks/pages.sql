-- Fills a base as years of syncing would leave it: many clubs with many customers each, whose values are derived
-- from their numbers. One set-based statement per table; the summaries are those that the engine maintains.

-- name: fill_clubs(clubs, now)!
insert into base.club (club_id, name, erp, created_at)
select
    'club-' || i,
    (array['Padel', 'Boulder', 'Yoga', 'Aviron', 'Salon', 'Tennis', 'Escalade', 'Judo'])[1 + mod(i, 8)] || ' '
    || (array['Bordeaux', 'Paris', 'Lyon', 'Annecy', 'Lille', 'Nantes', 'Chamartín', 'Kreuzberg', 'Gent', 'Porto'])[1 + mod(i / 8, 10)]
    || ' ' || i,
    (array['playtomic', 'eversports', 'planity', 'tryton', 'csv'])[1 + mod(i, 5)],
    :now::timestamptz - interval '2 years'
from generate_series(1, :clubs::integer) as i;

-- name: fill_states(now)!
insert into sync.club_state (
    club, policy_hash, certified_as_of, certified_at, certified_snapshot, last_snapshot, certified_rows, last_success_at,
    last_attempt_at, next_read_at, failing_since, failures, last_error, quarantined_until, paused, similar_upto
)
select
    c.club,
    'p',
    :now::timestamptz - case when mod(c.club, 37) = 0 then interval '9 hours' else (mod(c.club, 290)) * interval '1 second' end,
    :now::timestamptz - case when mod(c.club, 37) = 0 then interval '9 hours' else (mod(c.club, 290)) * interval '1 second' end,
    null,
    null,
    500,
    :now::timestamptz - case when mod(c.club, 37) = 0 then interval '9 hours' else (mod(c.club, 290)) * interval '1 second' end,
    :now::timestamptz - (mod(c.club, 290)) * interval '1 second',
    :now::timestamptz + interval '3 minutes',
    case when mod(c.club, 83) = 0 or mod(c.club, 97) = 0 then :now::timestamptz - interval '3 hours' end,
    case when mod(c.club, 83) = 0 or mod(c.club, 97) = 0 then 12 else 0 end,
    case when mod(c.club, 83) = 0 or mod(c.club, 97) = 0 then 'The ERP answered 503 (Service Unavailable).' end,
    case when mod(c.club, 97) = 0 then :now::timestamptz + interval '32 minutes' end,
    mod(c.club, 59) = 0,
    null
from base.club as c;

-- name: fill_groups(now)!
insert into base.customer_group (club, name, kind, erp_group_id, created_at)
select c.club, g.name, g.kind, g.erp_id, :now
from base.club as c
cross join (
    values ('Annual', 'automatic', 'annual'), ('Ten entries', 'automatic', 'ten'), ('Competition team', 'team', null)
) as g (name, kind, erp_id);

-- name: fill_erp_groups(now)!
insert into sync.erp_group (club, erp_group_id, name, active, listed, group_id, as_of)
select club, erp_group_id, name, erp_group_id = 'annual' or mod(club, 11) > 0, true, group_id, :now
from base.customer_group
where kind = 'automatic';

-- name: fill_customers(customers, now)!
insert into base.customer (
    club, customer, erp_id, email, email_raw, first_name, last_name, phone, origin, in_customers_group, auto_groups, reason,
    reason_at, created_at, updated_at
)
select
    c.club,
    c.club::bigint * 1000000 + i,
    i::text,
    'p' || i || '.' || c.club || '@mail.example.org',
    'p' || i || '.' || c.club || '@mail.example.org',
    (array['Ana', 'Ben', 'Chloé', 'Dan', 'Eve', 'Fatou', 'Gil', 'Hugo', 'Ida', 'Jo'])[1 + mod(i, 10)],
    (array['Durand', 'Martín', 'Petit', 'Schmidt', 'Silva', 'Moreau', 'Nguyen'])[1 + mod(i + c.club, 7)] || ' ' || i,
    '+336' || lpad(mod(i::bigint * 7919 + c.club, 100000000)::text, 8, '0'),
    'erp',
    mod(i, 9) > 0,
    case when mod(i, 9) > 0 then array[g.group_id] else '{}' end,
    case when mod(i, 9) = 0 then 'archived' end,
    case when mod(i, 9) = 0 then :now::timestamptz - interval '40 days' end,
    :now::timestamptz - interval '1 year',
    :now::timestamptz - interval '40 days'
from base.club as c
inner join base.customer_group as g on c.club = g.club and g.erp_group_id = 'annual'
cross join generate_series(1, :customers::integer) as i;

-- name: fill_records(now)!
insert into sync.erp_customer (
    club, erp_id, email, email_norm, first_name, last_name, phone, status, groups, row_hash, as_of, snapshot, first_seen,
    access
)
select
    club,
    erp_id,
    email,
    email,
    first_name,
    last_name,
    phone,
    case when in_customers_group then 'active' else 'archived' end,
    '[{"id": "annual", "valid_from": null, "valid_until": null}]',
    customer,
    :now::timestamptz - interval '40 days',
    1,
    :now::timestamptz - interval '1 year',
    case when in_customers_group then 'yes' else 'no' end
from base.customer;

-- name: fill_snapshots(readings, now)!
-- One reading per hour, back from now.
insert into sync.snapshot (club, as_of, read_at, certified, customers, rows_read, content_hash, path)
select
    c.club,
    :now::timestamptz - h * interval '1 hour',
    :now::timestamptz - h * interval '1 hour',
    mod(h + c.club, 19) > 0,
    500,
    500,
    'h',
    'p'
from base.club as c
cross join generate_series(:readings::integer, 1, -1) as h;

-- name: fill_runs()!
insert into sync.run (
    club, trigger, started_at, finished_at, state, stage, snapshot, read, counts, rows_written, airflow_dag, airflow_run,
    airflow_task, airflow_index
)
select
    n.club,
    'scheduled',
    n.read_at,
    n.read_at + interval '4 seconds',
    case when mod(n.snapshot + n.club, 61) = 0 then 'failed' else 'done' end,
    'load',
    n.snapshot,
    500,
    case when mod(n.snapshot * 31 / 7, 5) = 0 then '{"addition": 2, "deactivation": 1, "profile_change": 3}' else '{}' end::jsonb,
    case when mod(n.snapshot * 31 / 7, 5) = 0 then 12 else 0 end,
    'sync_' || c.erp,
    'scheduled__' || to_char(n.read_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'batch.extract',
    mod(n.club, 8)
from sync.snapshot as n
inner join base.club as c on n.club = c.club;

-- name: fill_changes()!
with entries as (
    insert into sync.feed (club, run)
    select r.club, r.run from sync.run as r
    where r.rows_written > 0
)

insert into sync.change (club, run, at, kind, customer, erp_id, before, after, reason)
select
    r.club,
    r.run,
    r.finished_at,
    k.kind,
    r.club::bigint * 1000000 + 1 + mod(r.run * 13 + k.n, 50),
    (1 + mod(r.run * 13 + k.n, 50))::text,
    '{"first_name": "An", "phone": null}',
    '{"first_name": "Ana", "phone": "+33612345678"}',
    'erp'
from sync.run as r
cross join (
    values ('addition', 1), ('addition', 2), ('deactivation', 3), ('profile_change', 4), ('profile_change', 5),
    ('profile_change', 6)
) as k (kind, n)
where r.rows_written > 0;

-- name: fill_change_hours()!
insert into sync.change_hour (club, hour, kind, changes)
select club, date_trunc('hour', at, 'UTC'), kind, count(*) * (1 + mod(min(run) * 7, 9)) from sync.change
group by 1, 2, 3;

-- name: fill_findings(each, now)!
insert into sync.finding (club, erp_id, code, severity, detail, since, run)
select
    c.club,
    (i * 7)::text,
    (array['EMAIL_MISSING', 'EMAIL_DUPLICATE', 'GROUP_INACTIVE', 'EMAIL_INVALID', 'SIMILAR_RECORD'])[1 + mod(i, 5)],
    case when mod(i, 5) = 4 then 'warning' else 'error' end,
    '{"others": ["12"], "groups": ["ten"], "reasons": ["same_phone"]}'::jsonb,
    :now::timestamptz - mod(i * 31 + c.club, 2400) * interval '1 hour',
    1
from base.club as c
cross join generate_series(1, :each::integer) as i
where mod(c.club, 4) > 0;

-- name: fill_pairs()!
insert into sync.similar_pair (club, erp_id_a, erp_id_b, score, reasons)
select c.club, (10 + i)::text, (20 + i)::text, 0.97 - i * 0.1, array['same_phone', 'names_one_letter']
from base.club as c
cross join generate_series(1, 3) as i;

-- name: fill_holds(now)!
insert into sync.hold (club, run, opened_at, state, list_hash, causes, limit_was, decided_at, decided_by, comment)
select
    c.club,
    1,
    :now::timestamptz - interval '5 hours',
    case when mod(c.club, 2) = 0 then 'open' else 'approved' end,
    'a1b2c3d4e5f60718',
    '["group Ten entries turned inactive: 60 customers"]'::jsonb,
    50,
    case when mod(c.club, 2) = 1 then :now::timestamptz - interval '1 hour' end,
    case when mod(c.club, 2) = 1 then 'support' end,
    case when mod(c.club, 2) = 1 then 'The club has closed that course.' end
from base.club as c
where mod(c.club, 71) = 0 or mod(c.club, 73) = 0;

-- name: fill_hold_versions(now)!
insert into sync.hold_version (club, hold, version, list_hash, size, made_at)
select club, hold, 1, list_hash, 60, :now from sync.hold;

-- name: fill_hold_members()!
insert into sync.hold_member (club, hold, customer, erp_id, reason, cause, joined_version)
select h.club, h.hold, h.club::bigint * 1000000 + i, i::text, 'group_inactive', 'group Ten entries turned inactive', 1
from sync.hold as h
cross join generate_series(1, 60) as i;

-- name: fill_summaries(now)!
insert into sync.club_summary (club, customers, findings, at)
select
    c.club,
    b.customers,
    coalesce(f.findings, 0),
    :now
from base.club as c
inner join (
    select club, count(*) filter (where in_customers_group) as customers from base.customer
    group by club
) as b on c.club = b.club
left join (
    select club, count(*) as findings from sync.finding
    where closed_at is null
    group by club
) as f on c.club = f.club;

-- name: fill_finding_summaries()!
insert into sync.finding_summary (club, code, findings, oldest)
select club, code, count(*), min(since) from sync.finding
where closed_at is null
group by club, code;

-- name: latest_snapshots()!
update sync.club_state as s set certified_snapshot = n.snapshot, last_snapshot = n.snapshot
from (select club, max(snapshot) as snapshot from sync.snapshot group by club) as n
where s.club = n.club;
