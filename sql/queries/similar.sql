-- Similar records (R23): blocking keys, pairs, and the findings that name them.
--
-- These run right after a club's rows are written, perhaps its first ones: PostgreSQL's statistics do not know the club
-- yet, and a plan for one row would compare each row with each other. `lateral` with `offset 0` leaves one way to look a
-- row up: by its key.

-- name: similar_people(club, ids, statuses, today)
-- The records among these that are compared: present in the ERP, a person, not inactive by status; and with
-- access, with unknown access, or with a base customer. A pair is suggested only if one of it stands for a
-- customer (`stands`).
select
    m.erp_id,
    m.first_name,
    m.last_name,
    m.phone,
    m.birth_date,
    m.email_norm as email,
    m.guardian_id,
    m.replaced_by,
    m.access = 'yes' or c.customer is not null as stands
from sync.erp_customer as m
left join lateral (
    select customer from base.customer
    where club = :club and erp_id = m.erp_id
    offset 0
) as c on true
where
    m.club = :club
    and m.erp_id = any(:ids::text[])
    and sync.is_compared(m, c.customer is not null, :statuses::text[], :today);

-- name: similar_upto(club)$
select similar_upto from sync.club_state
where club = :club;

-- name: set_similar_upto(club, upto)!
-- null: upto
update sync.club_state set similar_upto = :upto
where club = :club and similar_upto is distinct from :upto;

-- name: next_to_compare(club, upto, max_rows)
-- The next ERP records to compare, in the order of their ids.
select erp_id from sync.erp_customer
where club = :club and erp_id > :upto
order by erp_id
limit :max_rows;

-- name: delete_similar_keys(club, ids)!
delete from sync.similar_key
where club = :club and erp_id = any(:ids::text[]);

-- name: is_compared_already(club)$
-- Whether any record of the club has a key, or is in a pair.
select
    exists (
        select from sync.similar_key
        where club = :club
    )
    or exists (
        select from sync.similar_pair
        where club = :club
    );

-- name: write_similar_keys(club, ids, places, keys)!
-- Keys of records; `places` are those of the record of each key among `ids`, from 1 on. Both are the text of an array:
-- a record has several keys, and the driver takes longer to write thousands of numbers than PostgreSQL to read them.
insert into sync.similar_key (club, erp_id, key)
select
    :club,
    i.erp_id,
    k.key
from unnest(:places::text::bigint[], :keys::text::bigint[]) as k (place, key)
inner join unnest(:ids::text[]) with ordinality as i (erp_id, place) on k.place = i.place;

-- name: similar_blocks(club, keys, limit_to)
-- Records that have these keys, up to a limit for each key.
select
    k.key,
    s.erp_id
from unnest(:keys::bigint[]) as k (key)
cross join lateral (
    select erp_id from sync.similar_key
    where club = :club and key = k.key
    limit :limit_to
) as s;

-- name: write_keys_of_compared(club, rows, statuses, today)!
-- Keys of those records that are compared: the conditions of `similar_people`.
insert into sync.similar_key (club, erp_id, key)
select
    :club,
    k.erp_id,
    k.key
from json_to_recordset(:rows::json) as k (erp_id text, key bigint)
where exists (
    select from sync.erp_customer as m
    left join lateral (
        select customer from base.customer
        where club = :club and erp_id = m.erp_id
        offset 0
    ) as c on true
    where
        m.club = :club
        and m.erp_id = k.erp_id
        and sync.is_compared(m, c.customer is not null, :statuses::text[], :today)
    offset 0
);

-- name: similar_candidates(club, ids, crowd, statuses, today)
-- Pairs of one of these records and another that share a key, both of them compared (`similar_people`), one of them
-- standing for a customer; without those that the ERP accounts for itself (R7, R8, R10), and ignored ones. Keys of more
-- records than `crowd` make no pairs; `crowded`: there are such keys.
with keyed as materialized (
    select
        o.theirs,
        array(
            select s.erp_id from sync.similar_key as s
            where s.club = :club and s.key = o.key
            limit :crowd::bigint + 1
        ) as everybody
    from (
        select
            key,
            array_agg(erp_id) as theirs
        from sync.similar_key
        where club = :club and erp_id = any(:ids::text[])
        group by key
    ) as o
),

pairs as (
    select distinct
        least(o.erp_id collate "C", s.erp_id collate "C") as a,
        greatest(o.erp_id collate "C", s.erp_id collate "C") as b
    from keyed as k
    cross join lateral unnest(k.theirs) as o (erp_id)
    cross join lateral unnest(k.everybody) as s (erp_id)
    where cardinality(k.everybody) <= :crowd and o.erp_id != s.erp_id
)

select
    a.erp_id as a,
    a.first_name as a_first_name,
    a.last_name as a_last_name,
    a.phone as a_phone,
    a.birth_date as a_birth_date,
    a.email as a_email,
    b.erp_id as b,
    b.first_name as b_first_name,
    b.last_name as b_last_name,
    b.phone as b_phone,
    b.birth_date as b_birth_date,
    b.email as b_email,
    (select coalesce(max(cardinality(everybody)), 0) > :crowd from keyed) as crowded
from pairs as p
cross join
    lateral (
        select
            m.erp_id,
            m.first_name,
            m.last_name,
            m.phone,
            m.birth_date,
            m.email_norm as email,
            m.guardian_id,
            m.replaced_by,
            m.access = 'yes' or c.customer is not null as stands
        from sync.erp_customer as m
        left join lateral (
            select customer from base.customer
            where club = :club and erp_id = m.erp_id
            offset 0
        ) as c on true
        where
            m.club = :club
            and m.erp_id = p.a
            and sync.is_compared(m, c.customer is not null, :statuses::text[], :today)
        offset 0
    ) as a
cross join
    lateral (
        select
            m.erp_id,
            m.first_name,
            m.last_name,
            m.phone,
            m.birth_date,
            m.email_norm as email,
            m.guardian_id,
            m.replaced_by,
            m.access = 'yes' or c.customer is not null as stands
        from sync.erp_customer as m
        left join lateral (
            select customer from base.customer
            where club = :club and erp_id = m.erp_id
            offset 0
        ) as c on true
        where
            m.club = :club
            and m.erp_id = p.b
            and sync.is_compared(m, c.customer is not null, :statuses::text[], :today)
        offset 0
    ) as b
where
    (a.stands or b.stands)
    and not coalesce(a.guardian_id = b.erp_id, false)
    and not coalesce(b.guardian_id = a.erp_id, false)
    and not coalesce(a.guardian_id = b.guardian_id, false)
    and not coalesce(a.replaced_by = b.erp_id, false)
    and not coalesce(b.replaced_by = a.erp_id, false)
    and not coalesce(a.email = b.email, false)
    and not exists (
        select from sync.ignored_pair as i
        where
            i.club = :club
            and (
                (i.erp_id_a = a.erp_id and i.erp_id_b = b.erp_id)
                or (i.erp_id_a = b.erp_id and i.erp_id_b = a.erp_id)
            )
    )
order by p.a, p.b;

-- name: similar_partners(club, ids)
-- Pairs that contain one of these records.
select
    erp_id_a as a,
    erp_id_b as b
from sync.similar_pair
where club = :club and erp_id_a = any(:ids::text[])
union
select
    erp_id_a,
    erp_id_b
from sync.similar_pair
where club = :club and erp_id_b = any(:ids::text[]);

-- name: similar_pairs_of(club)
select
    erp_id_a as a,
    erp_id_b as b
from sync.similar_pair
where club = :club;

-- name: ignored_pairs(club, ids)
-- Ignored pairs that contain one of these records.
select
    erp_id_a as a,
    erp_id_b as b
from sync.ignored_pair
where club = :club and (erp_id_a = any(:ids::text[]) or erp_id_b = any(:ids::text[]));

-- name: delete_similar_pairs(club, lefts, rights)!
delete from sync.similar_pair as p
using unnest(:lefts::text[], :rights::text[]) as g (a, b)
where p.club = :club and p.erp_id_a = g.a and p.erp_id_b = g.b;

-- name: write_similar_pairs(club, a, b, score, reasons)*!
insert into sync.similar_pair (club, erp_id_a, erp_id_b, score, reasons)
values (:club, :a, :b, :score, :reasons)
on conflict (club, erp_id_a, erp_id_b) do update set
    score = excluded.score,
    reasons = excluded.reasons
where (similar_pair.score, similar_pair.reasons) is distinct from (excluded.score, excluded.reasons);

-- name: write_few_pairs(club, rows)!
insert into sync.similar_pair (club, erp_id_a, erp_id_b, score, reasons)
select
    :club,
    p.a,
    p.b,
    p.score,
    p.reasons
from json_to_recordset(:rows::json) as p (a text, b text, score double precision, reasons text[])
on conflict (club, erp_id_a, erp_id_b) do update set
    score = excluded.score,
    reasons = excluded.reasons
where (similar_pair.score, similar_pair.reasons) is distinct from (excluded.score, excluded.reasons);

-- name: open_similar_findings(club, run, at, ids)!
-- Opens a finding on each of these records that names the others of its pairs (R22). An open one keeps its
-- time.
insert into sync.finding (club, erp_id, code, severity, detail, since, run)
select
    :club,
    s.erp_id,
    'SIMILAR_RECORD',
    'warning',
    jsonb_build_object(
        'others', jsonb_agg(distinct s.other), 'reasons', jsonb_agg(distinct s.reason)
    ),
    :at,
    :run
from (
    select
        p.erp_id_a as erp_id,
        p.erp_id_b as other,
        unnest(p.reasons) as reason
    from sync.similar_pair as p
    where p.club = :club and p.erp_id_a = any(:ids::text[])
    union all
    select
        p.erp_id_b,
        p.erp_id_a,
        unnest(p.reasons)
    from sync.similar_pair as p
    where p.club = :club and p.erp_id_b = any(:ids::text[])
) as s
group by s.erp_id
on conflict (club, erp_id, code) where closed_at is null do update set
    detail = excluded.detail
where finding.detail is distinct from excluded.detail;

-- name: close_similar_findings(club, run, at, ids)!
update sync.finding as f set closed_at = :at, closed_run = :run
where
    f.club = :club
    and f.erp_id = any(:ids::text[])
    and f.code = 'SIMILAR_RECORD'
    and f.closed_at is null
    and not exists (
        select 1 from sync.similar_pair as p
        where p.club = :club and p.erp_id_a = f.erp_id
    )
    and not exists (
        select 1 from sync.similar_pair as p
        where p.club = :club and p.erp_id_b = f.erp_id
    );

-- name: similar_pairs(club)
-- Both records of each pair, the most similar first.
select
    p.score,
    p.reasons,
    f.since,
    p.erp_id_a as a_erp_id,
    a.first_name as a_first_name,
    a.last_name as a_last_name,
    a.email as a_email,
    a.phone as a_phone,
    a.birth_date as a_birth_date,
    a.access = 'yes' as a_access,
    p.erp_id_b as b_erp_id,
    b.first_name as b_first_name,
    b.last_name as b_last_name,
    b.email as b_email,
    b.phone as b_phone,
    b.birth_date as b_birth_date,
    b.access = 'yes' as b_access
from sync.similar_pair as p
cross join
    lateral (
        select * from sync.erp_customer as m
        where m.club = p.club and m.erp_id = p.erp_id_a
        offset 0
    ) as a
cross join
    lateral (
        select * from sync.erp_customer as m
        where m.club = p.club and m.erp_id = p.erp_id_b
        offset 0
    ) as b
left join
    sync.finding as f
    on p.club = f.club and p.erp_id_a = f.erp_id and f.code = 'SIMILAR_RECORD' and f.closed_at is null
where p.club = :club
order by p.score desc, p.erp_id_a, p.erp_id_b;

-- name: ignore_pair(club, a, b, at, actor)!
insert into sync.ignored_pair (club, erp_id_a, erp_id_b, ignored_at, actor)
values (:club, least(:a::text, :b::text), greatest(:a::text, :b::text), :at, :actor)
on conflict do nothing;

-- name: find_records(club, ids)
-- Records by id, with their base customers.
select
    m.erp_id,
    c.customer
from sync.erp_customer as m
left join base.customer as c on m.club = c.club and m.erp_id = c.erp_id
where m.club = :club and m.erp_id = any(:ids::text[]);
