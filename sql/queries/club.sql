-- name: register_club(club_id, name, erp, now)$
-- row: always
-- The number of a club, which is registered if it is new; of two who do that at once, both get it.
with known as (
    select club from base.club
    where club_id = :club_id
),

added as (
    insert into base.club (club_id, name, erp, created_at)
    select
        :club_id::text,
        :name::text,
        :erp::text,
        :now::timestamptz
    where not exists (select from known)
    on conflict (club_id) do update set name = excluded.name
    returning club
),

state as (
    insert into sync.club_state (club)
    select club from added
    on conflict (club) do nothing
)

select club from known
union all
select club from added
limit 1;

-- name: find_club(club_id)$
select club from base.club
where club_id = :club_id;

-- name: registered_clubs(club_ids)
select
    club_id,
    club,
    name,
    erp
from base.club
where club_id = any(:club_ids::text[]);

-- name: club_row(club)^
-- row: always
select * from base.club
where club = :club;

-- name: rename_club(club, name, erp)!
update base.club set name = :name, erp = :erp
where club = :club and (name, erp) is distinct from (:name, :erp);

-- name: club_numbers()
select
    club_id,
    club
from base.club;

-- name: club_states()
-- What decides when each club is synced (R25).
select
    c.club_id,
    s.last_attempt_at,
    s.next_read_at,
    s.paused,
    s.failing_since,
    s.last_success_at,
    s.certified_as_of,
    s.last_error
from base.club as c
inner join sync.club_state as s on c.club = s.club;

-- name: club_state(club)^
-- row: always
select * from sync.club_state
where club = :club;

-- name: record_index_parts(club)
select vector from sync.club_vector
where club = :club
order by part;

-- name: lock_club(club)$
-- One writer per club, for the length of the transaction.
select pg_advisory_xact_lock(7252, :club);

-- name: attempt_club(club, at, next_read_at)!
update sync.club_state set last_attempt_at = :at, next_read_at = :next_read_at
where club = :club;

-- name: club_failed(club, at, error, next_read_at)$
update sync.club_state set
    failing_since = coalesce(failing_since, :at),
    failures = failures + 1,
    last_error = :error,
    next_read_at = coalesce(:next_read_at, next_read_at)
where club = :club
returning failing_since;

-- name: club_loaded(club, at, snapshot, certified, as_of, rows, content_hash, next_recheck, policy_hash, moved, newer, read)!
-- null: next_recheck
-- A snapshot was loaded. Only a newer one moves the watermark (R16); only one that was just read shows that
-- the ERP answers.
update sync.club_state set
    failing_since = case when :read then null else failing_since end,
    quarantined_until = case when :read then null else quarantined_until end,
    failures = case when :read then 0 else failures end,
    last_error = case when :read then null else last_error end,
    last_success_at = case when :read then :at else last_success_at end,
    revision = revision + (case when :moved then 1 else 0 end),
    last_snapshot = case when :newer then :snapshot else last_snapshot end,
    certified_as_of = case when :newer and :certified then :as_of else certified_as_of end,
    certified_at = case when :newer and :certified and :read then :at else certified_at end,
    certified_snapshot = case when :newer and :certified then :snapshot else certified_snapshot end,
    certified_rows = case when :newer and :certified then :rows else certified_rows end,
    content_hash = case
        when :newer and :content_hash::text is not null
            then coalesce((
                -- an erasure may have moved it since it was planned
                select n.content_hash from sync.snapshot as n
                where n.club = :club and n.snapshot = :snapshot
            ), :content_hash)
        when not :newer then content_hash
    end,
    next_recheck = case when :newer then cast(:next_recheck as date) else next_recheck end,
    policy_hash = case when :newer then coalesce(:policy_hash, policy_hash) else policy_hash end,
    confirmed_empty = confirmed_empty and not (:newer and :certified),
    confirmed_same_club = confirmed_same_club and not (:newer and :certified)
where club = :club;

-- name: touch_revision(club)!
-- The base was changed by something other than a load: earlier plans have to be made again.
update sync.club_state set revision = revision + 1
where club = :club;

-- name: write_record_index(club, vector)!
-- Writes the whole index and deletes its patches, which it includes.
with patches as (
    delete from sync.club_vector
    where club = :club and part > 0
)

insert into sync.club_vector (club, part, vector) values (:club, 0, :vector)
on conflict (club, part) do update set vector = excluded.vector;

-- name: record_index_sizes(club)^
select
    count(*) filter (where part > 0) as patches,
    coalesce(sum(octet_length(vector)) filter (where part > 0), 0)::bigint as patch_bytes,
    coalesce(sum(octet_length(vector)) filter (where part = 0), 0)::bigint as whole_bytes
from sync.club_vector
where club = :club;

-- name: add_record_index_patch(club, vector)!
insert into sync.club_vector (club, part, vector)
select
    :club,
    max(part) + 1,
    :vector
from sync.club_vector
where club = :club;
