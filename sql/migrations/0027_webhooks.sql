-- R30: what was delivered to the webhooks of clubs.yaml; it survives every restart.

-- A webhook, when it was first seen.
create table sync.webhook (
    webhook text primary key,
    -- of the feed: what was there before is not delivered
    start_position bigint not null,
    seen_at timestamptz not null
);

-- What a webhook has of a club. A message is stored before it is sent: whoever is killed in between sends the same
-- again, under the same id.
create table sync.webhook_lane (
    club integer not null references base.club on delete cascade,
    webhook text not null references sync.webhook on delete cascade,
    -- the cursor up to which everything is delivered, and whether more of that entry follows
    position bigint not null,
    change bigint not null default 0,
    mark integer not null default 0,
    more boolean not null default false,
    delivered_at timestamptz,
    -- the message under way: null, if there is none; its events are those up to this cursor
    message text,
    made_at timestamptz,
    upto_position bigint,
    upto_change bigint,
    upto_mark integer,
    upto_more boolean,
    kinds text[],
    events integer,
    tries integer not null default 0,
    first_try_at timestamptz,
    next_try_at timestamptz,
    problem text,
    -- given up: nothing is sent until it is replayed
    dead_at timestamptz,
    primary key (club, webhook)
);

create index webhook_lane_webhook on sync.webhook_lane (webhook);

grant select, insert on sync.webhook to clubsync_engine;
grant update (start_position) on sync.webhook to clubsync_engine;
grant select on sync.webhook to clubsync_club, clubsync_reader;

-- R21, as for the tables before.
grant select on sync.webhook_lane to clubsync_club, clubsync_reader;
grant insert, update, delete on sync.webhook_lane to clubsync_club;
alter table sync.webhook_lane enable row level security;
create policy one_club on sync.webhook_lane to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.webhook_lane for select to clubsync_reader using (true);

select sync.grant_maintenance();
