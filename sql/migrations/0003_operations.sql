-- For operators: quarantine, incidents, nudges, and which list of a hold has an approval request.

-- A club that keeps failing is not synced until then (R25), unless a sync or a person lifts it.
alter table sync.club_state add column quarantined_until timestamptz;

-- When a list of a hold got its approval request in Airflow; null: it has none.
alter table sync.hold_version add column asked_at timestamptz;

-- A broken promise of freshness, until it is kept again: reported once when it begins and once when it ends.
create table sync.incident (
    club integer not null references base.club on delete cascade,
    incident bigint generated always as identity,
    kind text not null check (kind in ('late', 'incomplete', 'old data')),
    since timestamptz,
    opened_at timestamptz not null,
    told_at timestamptz,
    mended_at timestamptz,
    mended_told_at timestamptz,
    primary key (club, incident)
);

create unique index incident_open on sync.incident (club, kind) where mended_at is null;

-- R27: requests to sync a club now, in the order received. Nothing of their content is kept.
create table sync.nudge (
    club integer not null references base.club on delete cascade,
    nudge bigint generated always as identity,
    source text not null,
    message_id text not null,
    received_at timestamptz not null,
    -- the run whose reading began after it
    taken_at timestamptz,
    run bigint,
    primary key (club, nudge),
    unique (club, source, message_id)
);

create index nudge_waiting on sync.nudge (club) where taken_at is null;

-- R21, as for the tables before.
do $$
declare
    t text;
begin
    foreach t in array array['incident', 'nudge'] loop
        execute format('grant select on sync.%I to clubsync_club, clubsync_reader', t);
        execute format('grant insert, update, delete on sync.%I to clubsync_club', t);
        execute format('alter table sync.%I enable row level security', t);
        execute format(
            'create policy one_club on sync.%I to clubsync_club using (club = (select current_setting(''clubsync.club'')::integer))',
            t);
        execute format('create policy all_clubs on sync.%I for select to clubsync_reader using (true)', t);
    end loop;
end
$$;
