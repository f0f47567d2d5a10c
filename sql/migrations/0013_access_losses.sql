-- R15: every access loss counts, whatever the change is called; merges may be held, and people may decide whose an
-- ERP id is (R1).

-- Whether the change took access from the customer; null: not said.
alter table sync.change add column access_lost boolean;
update sync.change set access_lost = true
where kind = 'deactivation' and at > now() - interval '2 days';
drop index sync.change_deactivations;
create index change_access_lost on sync.change (club, at) where access_lost;

-- What would become of a member: a deactivation, or a merge; and whether it takes access away.
alter table sync.hold_member add column kind text not null default 'deactivation'
check (kind in ('deactivation', 'merge'));
alter table sync.hold_member add column loses boolean not null default true;

-- R1: an id shows another person's values, and somebody said that it is the same person: these values, by their
-- row hash, are taken over by the next plan.
create table sync.same_person (
    club integer not null references base.club on delete cascade,
    customer bigint not null,
    erp_id text not null,
    row_hash bigint not null,
    decided_at timestamptz not null,
    actor text not null,
    primary key (club, customer)
);

-- R21, as for the tables before.
grant select on sync.same_person to clubsync_club, clubsync_reader;
grant insert, update, delete on sync.same_person to clubsync_club;
alter table sync.same_person enable row level security;
create policy one_club on sync.same_person to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.same_person for select to clubsync_reader using (true);
