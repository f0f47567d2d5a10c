-- R30: the change feed is the audit in one order, which readers can resume.

-- A run that has written audit rows. All of them are written in one transaction, which holds the club's lock: in a club,
-- `entry` ascends as these transactions commit. `position` is given afterwards, so that a reader who has seen a position
-- has seen everything below it, whatever commits late.
-- mark: tells an entry from another one that gets its position, after a backup was restored.
create table sync.feed (
    club integer not null references base.club on delete cascade,
    run bigint not null,
    entry bigint generated always as identity,
    position bigint,
    mark integer not null default floor(random() * 2147483647)::integer,
    transaction xid8 not null default pg_current_xact_id(),
    primary key (club, run)
);

create unique index feed_position on sync.feed (position);
create index feed_of_club on sync.feed (club, position);
create index feed_unnumbered on sync.feed (transaction) where position is null;

-- The last position that was given; it stays when the entry goes with its club (R28).
create table sync.feed_head (
    head bigint not null,
    only_row boolean primary key default true check (only_row)
);

insert into sync.feed (club, run, position)
select
    club,
    run,
    row_number() over (order by min(at), run)
from sync.change
group by club, run;

insert into sync.feed_head (head)
select coalesce(max(position), 0) from sync.feed;

-- Positions for what has committed; the last one. Entries that are not seen here are of transactions that commit later,
-- and get higher ones.
create function sync.number_feed() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    numbered bigint;
begin
    if not exists (select from sync.feed as f where f.position is null) then
        return (select h.head from sync.feed_head as h);
    end if;
    -- one at a time; what has committed until the lock is there is seen by the next statement
    perform 1 from sync.feed_head as h for update;
    update sync.feed as f set position = h.head + n.number
    from sync.feed_head as h
    cross join (
        select u.club, u.run, row_number() over (order by u.entry) as number
        from sync.feed as u
        where u.position is null
    ) as n
    where f.club = n.club and f.run = n.run;
    get diagnostics numbered = row_count;
    update sync.feed_head as h set head = h.head + numbered;
    return (select h.head from sync.feed_head as h);
end
$$;

revoke all on function sync.number_feed() from public;
grant execute on function sync.number_feed() to clubsync_engine;

-- No audit row without its entry: neither of a run that has none, nor of one whose entry another transaction has made.
create function sync.check_feed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from sync.feed as f
        where f.position is null and f.transaction = pg_current_xact_id()
    ) then
        raise exception 'audit rows without an entry of the feed in their transaction';
    end if;
    return null;
end
$$;

create trigger in_feed after insert on sync.change
for each statement execute function sync.check_feed();

-- R18: the feed is as append-only as the audit.
grant select on sync.feed, sync.feed_head to clubsync_club, clubsync_reader;
grant insert (club, run) on sync.feed to clubsync_club;
alter table sync.feed enable row level security;
create policy one_club on sync.feed to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.feed for select to clubsync_reader using (true);

select sync.grant_maintenance();
