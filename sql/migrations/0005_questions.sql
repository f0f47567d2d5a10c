-- Approval requests for lists of holds that are open in Airflow, so that obsolete ones are removed. Without a
-- reference to the hold: a request outlives a club that is removed, and has to be removed then as well.
create table sync.question (
    club integer not null,
    club_id text not null,
    hold bigint not null,
    version integer not null,
    asked_at timestamptz not null,
    -- when its run was last notified
    told_at timestamptz,
    primary key (club, hold, version)
);

-- R21, as for the tables before.
grant select on sync.question to clubsync_club, clubsync_reader;
grant insert, update, delete on sync.question to clubsync_club;
alter table sync.question enable row level security;
create policy one_club on sync.question to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.question for select to clubsync_reader using (true);
