-- R15, R28: an approval request of Airflow is about a list of a hold, or about the plan of a first sync, and is known by
-- its run. A hold has one at a time: it has its row before its run is started, and until that has ended.
alter table sync.question add column run_id text;
update sync.question set run_id = club_id || '-hold-' || hold || '-list-' || version;
alter table sync.question alter column run_id set not null;
alter table sync.question drop constraint question_pkey;
alter table sync.question add primary key (club, run_id);
alter table sync.question alter column hold drop not null;
alter table sync.question alter column version drop not null;
alter table sync.question add column plan text;

-- Reminders of holds that nobody has decided: at most one for each interval, and whom it went to.
create table sync.hold_reminder (
    club integer not null,
    hold bigint not null,
    due_at timestamptz not null,
    -- which alert connection it went to, and over which services; no address
    told text not null,
    sent_at timestamptz not null,
    primary key (club, hold, due_at),
    foreign key (club, hold) references sync.hold on delete cascade
);

-- R21, as for the tables before.
grant select on sync.hold_reminder to clubsync_club, clubsync_reader;
grant insert, update, delete on sync.hold_reminder to clubsync_club;
alter table sync.hold_reminder enable row level security;
create policy one_club on sync.hold_reminder to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.hold_reminder for select to clubsync_reader using (true);
