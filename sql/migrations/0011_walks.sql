-- R14: a walk is not a moment. What a reading shows of its list, and what such a reading leaves suspected until a
-- second one says the same.

-- began_at: when the reading began by our own clock; of a file as_of is older. consistency: of the list of customers;
-- memberships: of the list of their own that groups were read from (null: they stand in the customers' rows).
alter table sync.snapshot
add column began_at timestamptz,
add column consistency text not null default 'moment'
check (consistency in ('moment', 'by id', 'by position', 'may be truncated')),
add column memberships text
check (memberships in ('moment', 'by id', 'by position', 'incomplete'));

-- An access loss, or a gain, that a certified walk shows and does not prove. sign: what it showed; kept as it is by
-- readings that show it again, so that snapshot and read_at are those of the first one.
create table sync.suspicion (
    club integer not null references base.club on delete cascade,
    erp_id text not null,
    sign text not null,
    -- whether somebody with access would lose it
    loss boolean not null,
    snapshot bigint not null,
    -- when the reading had ended: one that began after it may confirm the suspicion
    read_at timestamptz not null,
    primary key (club, erp_id, sign)
);

-- R21, as for the tables before.
grant select on sync.suspicion to clubsync_club, clubsync_reader;
grant insert, update, delete on sync.suspicion to clubsync_club;
alter table sync.suspicion enable row level security;
create policy one_club on sync.suspicion to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.suspicion for select to clubsync_reader using (true);
