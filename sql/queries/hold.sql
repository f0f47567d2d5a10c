-- name: open_hold(club)^
select * from sync.hold
where club = :club and state = 'open';

-- name: find_hold(hold)^
-- A hold by its number; people do not name its club.
select
    h.*,
    c.club_id
from sync.hold as h
inner join base.club as c on h.club = c.club
where h.hold = :hold;

-- name: add_hold(club, run, at, list_hash, causes, limit_was)$
insert into sync.hold (club, run, opened_at, list_hash, causes, limit_was)
values (:club, :run, :at, :list_hash, :causes, :limit_was)
returning hold;

-- name: update_hold_list(club, hold, list_hash, causes)!
update sync.hold set version = version + 1, list_hash = :list_hash, causes = :causes
where club = :club and hold = :hold and list_hash != :list_hash;

-- name: add_hold_version(club, hold, version, list_hash, size, at)!
insert into sync.hold_version (club, hold, version, list_hash, size, made_at)
values (:club, :hold, :version, :list_hash, :size, :at);

-- name: hold_version_by_hash(club, hold, list_hash)^
-- The newest version with that list.
select * from sync.hold_version
where club = :club and hold = :hold and list_hash = :list_hash
order by version desc
limit 1;

-- name: hold_version_by_number(club, hold, version)^
select * from sync.hold_version
where club = :club and hold = :hold and version = :version;

-- name: shown_before(club, hold, version)$
-- The version of the list that was last shown for approval before this one; null: none was.
select max(version) from sync.hold_version
where club = :club and hold = :hold and version < :version and asked_at is not null;

-- name: close_empty_hold(club, hold, at)!
update sync.hold set state = 'emptied', decided_at = :at
where club = :club and hold = :hold and state = 'open';

-- name: decide_hold(club, hold, state, at, by, list_hash, comment)!
-- null: comment
-- The first decision wins; a second one changes no row.
update sync.hold set
    state = :state,
    decided_at = :at,
    decided_by = :by,
    decided_hash = :list_hash,
    comment = :comment
where club = :club and hold = :hold and state = 'open';

-- name: current_members(club, hold)
select customer, erp_id, kind, reason, loses, cause, row_hash from sync.hold_member
where club = :club and hold = :hold and left_version is null
order by customer;

-- name: open_members(club)
-- Members of the open hold, with their reason and the record that caused it.
select m.customer, m.erp_id, m.kind, m.reason, m.loses, m.cause, m.row_hash
from sync.hold as h
inner join sync.hold_member as m on h.club = m.club and h.hold = m.hold
where h.club = :club and h.state = 'open' and m.left_version is null
order by m.customer;

-- name: members_at(club, hold, version)
-- Members of a version of the list.
select customer, erp_id, kind, reason, loses, cause, row_hash, left_version from sync.hold_member
where
    club = :club and hold = :hold
    and joined_version <= :version and (left_version is null or left_version > :version)
order by customer;

-- name: add_hold_member(club, hold, customer, erp_id, kind, reason, loses, cause, row_hash, version)!
-- null: erp_id, row_hash
insert into sync.hold_member
(club, hold, customer, erp_id, kind, reason, loses, cause, row_hash, joined_version)
values
(:club, :hold, :customer, :erp_id, :kind, :reason, :loses, :cause, :row_hash, :version);

-- name: remove_hold_members(club, hold, customers, version)!
update sync.hold_member set left_version = :version
where club = :club and hold = :hold and customer = any(:customers::bigint[]) and left_version is null;

-- name: reject_members(club, customers, until)!
-- These members stay until that time, or until their ERP record changes (R15). No hash: the record is missing.
insert into sync.hold_rejected (club, customer, erp_id, row_hash, until)
select
    c.club,
    c.customer,
    c.erp_id,
    case when m.gone_at is null then m.row_hash end,
    :until
from base.customer as c
left join sync.erp_customer as m on c.club = m.club and c.erp_id = m.erp_id
where c.club = :club and c.customer = any(:customers::bigint[])
on conflict (club, customer) do update set
    erp_id = excluded.erp_id,
    row_hash = excluded.row_hash,
    until = excluded.until;

-- name: reject_former_members(club, hold, customers, until)!
-- The same for customers who have dropped out of the hold since the list was seen, as their record was then; but
-- for those whose record was missing, which it is no more.
insert into sync.hold_rejected (club, customer, erp_id, row_hash, until)
select distinct on (m.customer)
    m.club,
    m.customer,
    m.erp_id,
    m.row_hash,
    :until
from sync.hold_member as m
inner join base.customer as c on m.club = c.club and m.customer = c.customer
where
    m.club = :club
    and m.hold = :hold
    and m.customer = any(:customers::bigint[])
    and m.reason not in ('gone', 'merged')
    and c.in_customers_group
    and c.erp_id = m.erp_id
order by m.customer asc, m.joined_version desc
on conflict (club, customer) do update set
    erp_id = excluded.erp_id,
    row_hash = excluded.row_hash,
    until = excluded.until;

-- name: rejected_members(club)
select customer, erp_id, row_hash, until from sync.hold_rejected
where club = :club;

-- name: delete_spent_decisions(club, now)!
-- A rejection ends at its time (R15). A rejection or an undo (R18) also ends when the record differs from the
-- one that was decided on; if it changes back later, it is evaluated like any other.
with present as (
    select
        d.customer,
        d.erp_id,
        d.row_hash,
        c.erp_id as stands_for,
        case when m.gone_at is null then m.row_hash end as hash_now
    from (
        select club, customer, erp_id, row_hash from sync.undone
        union all
        select club, customer, erp_id, row_hash from sync.hold_rejected
    ) as d
    inner join base.customer as c on d.club = c.club and d.customer = c.customer
    left join sync.erp_customer as m on d.club = m.club and d.erp_id = m.erp_id
    where d.club = :club
),

spent as (
    select customer, erp_id, row_hash from present
    where
        row_hash is distinct from hash_now
        or (stands_for is not null and stands_for is distinct from erp_id)
),

redone as (
    delete from sync.undone as u using spent as s
    where
        u.club = :club and u.customer = s.customer
        and (u.erp_id, u.row_hash) is not distinct from (s.erp_id, s.row_hash)
)

delete from sync.hold_rejected as r
where
    r.club = :club
    and (
        r.until <= :now
        or exists (
            select 1 from spent as s
            where
                s.customer = r.customer
                and (s.erp_id, s.row_hash) is not distinct from (r.erp_id, r.row_hash)
        )
    );

-- name: same_people(club)
select customer, erp_id, row_hash from sync.same_person
where club = :club;

-- name: add_same_person(club, customer, erp_id, row_hash, at, actor)!
insert into sync.same_person (club, customer, erp_id, row_hash, decided_at, actor)
values (:club, :customer, :erp_id, :row_hash, :at, :actor)
on conflict (club, customer) do update set
    erp_id = excluded.erp_id,
    row_hash = excluded.row_hash,
    decided_at = excluded.decided_at,
    actor = excluded.actor;

-- name: delete_spent_identities(club)!
-- A decision about an id is spent once its finding is closed: the values are taken over, or are others.
delete from sync.same_person as s
where
    s.club = :club
    and not exists (
        select from sync.finding as f
        where
            f.club = :club and f.erp_id = s.erp_id and f.code = 'ID_REUSED' and f.closed_at is null
    );

-- name: undone_customers(club)
select customer, erp_id, row_hash, run from sync.undone
where club = :club and not waits;

-- name: recheck_members(club, customers, why)!
insert into sync.recheck (club, erp_id, email, why)
select
    club,
    erp_id,
    email,
    :why
from base.customer
where club = :club and customer = any(:customers::bigint[]);

-- name: any_rejection_expired(club, now)$
select exists(
    select 1 from sync.hold_rejected
    where club = :club and until <= :now
);

-- name: newest_snapshot(club)$
-- The last snapshot that was loaded; the base is based on it.
select coalesce(last_snapshot, certified_snapshot) from sync.club_state
where club = :club;
