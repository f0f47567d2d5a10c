-- R29: chains, whose clubs share one tenant and are read together.

-- A tenant, as it was last read. chain: a hash of ERP, connection and settings; name: the connection's id.
create table sync.chain (
    chain text primary key,
    name text not null,
    erp text not null,
    read_at timestamptz not null,
    certified boolean not null
);

-- CLUB_UNKNOWN: records that name no club, or one that no club of ours is. It is nobody's finding but the chain's.
create table sync.chain_finding (
    chain text not null references sync.chain on delete cascade,
    -- '' in a source without ids
    erp_id text not null,
    -- what the record has in place of a club; '': nothing
    word text not null,
    -- records: 1, but in a source without ids
    records integer not null,
    since timestamptz not null,
    closed_at timestamptz,
    primary key (chain, erp_id, word)
);

-- What is no club's own is the engine's (0021); the pages read it.
grant select, insert, update, delete on sync.chain, sync.chain_finding to clubsync_engine;
grant select on sync.chain, sync.chain_finding to clubsync_reader;

-- R20: erasure takes place in a club's transaction, and a club reads nothing of a chain.
create function sync.erase_chain_findings(ids text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp
as $$
delete from sync.chain_finding as f where f.erp_id = any(ids);
$$;

-- R24: why somebody is no club's: what one record of the club's own chain has in place of a club.
create function sync.club_unknown(of_chain text, of_record text) returns table (word text, since timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
select
    f.word,
    f.since
from sync.chain_finding as f
where f.chain = of_chain and f.erp_id = of_record and f.closed_at is null
order by f.since
$$;

revoke all on function sync.erase_chain_findings(text[]), sync.club_unknown(text, text) from public;
grant execute on function sync.erase_chain_findings(text[]), sync.club_unknown(text, text) to clubsync_club;

-- Customers whose record names other clubs of the chain now: they keep their access until each of those has taken them
-- over, so that nobody is without access in between.
create table sync.chain_move (
    club integer not null references base.club on delete cascade,
    erp_id text not null,
    target integer not null references base.club on delete cascade,
    -- of the reading that showed it first
    as_of timestamptz not null,
    -- whether the target knows the record by the same id
    by_id boolean not null,
    -- whether the target has loaded a reading of that time or later, and settled the record
    arrived boolean not null default false,
    primary key (club, erp_id, target)
);

create index on sync.chain_move (target) where not arrived;

-- R21: a club sees the moves from it and to it, makes those from it, and says what has arrived of those to it.
grant select on sync.chain_move to clubsync_club, clubsync_reader;
grant insert, delete, update (arrived) on sync.chain_move to clubsync_club;
alter table sync.chain_move enable row level security;
create policy one_club on sync.chain_move to clubsync_club
using (club = (select current_setting('clubsync.club')::integer));
create policy arrivals on sync.chain_move for select to clubsync_club
using (target = (select current_setting('clubsync.club')::integer));
create policy arrived on sync.chain_move for update to clubsync_club
using (target = (select current_setting('clubsync.club')::integer));
create policy all_clubs on sync.chain_move for select to clubsync_reader using (true);
