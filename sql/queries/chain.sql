-- name: chain_read(chain, name, erp, at, certified)!
insert into sync.chain (chain, name, erp, read_at, certified) values (:chain, :name, :erp, :at, :certified)
on conflict (chain) do update set
    name = excluded.name,
    erp = excluded.erp,
    read_at = excluded.read_at,
    certified = excluded.certified;

-- name: close_chain_findings(chain, ids, words, at)!
-- Those that a complete reading does not show any more.
update sync.chain_finding as f set closed_at = :at
where
    f.chain = :chain
    and f.closed_at is null
    and not exists (
        select 1 from unnest(:ids::text[], :words::text[]) as g (erp_id, word)
        where g.erp_id = f.erp_id and g.word = f.word
    );

-- name: open_chain_findings(chain, ids, words, records, at)!
insert into sync.chain_finding as f (chain, erp_id, word, records, since)
select :chain, g.erp_id, g.word, g.records, :at
from unnest(:ids::text[], :words::text[], :records::integer[]) as g (erp_id, word, records)
on conflict (chain, erp_id, word) do update set
    records = excluded.records,
    since = case when f.closed_at is null then f.since else excluded.since end,
    closed_at = null
where f.closed_at is not null or f.records != excluded.records;

-- name: chains_read()
select chain, name, erp, read_at, certified from sync.chain
order by name, chain;

-- name: chain_findings(chain)
-- The records that name no club of ours, the longest open first.
select erp_id, word, records, since from sync.chain_finding
where chain = :chain and closed_at is null
order by since, erp_id, word;

-- name: club_unknown(chain, erp_id)
select word, since from sync.club_unknown(:chain, :erp_id);

-- name: chain_counts()
-- chain -> records that name no club of ours.
select chain, sum(records)::integer as records from sync.chain_finding
where closed_at is null
group by chain;

-- name: forget_chains(chains)!
-- Chains that clubs.yaml does not have any more.
delete from sync.chain
where chain != all(:chains::text[]);

-- name: forget_chain_findings(before)!
delete from sync.chain_finding
where closed_at < :before;

-- name: erase_chain_findings(ids)$
select sync.erase_chain_findings(:ids::text[]);

-- name: erase_moves(club, ids)!
delete from sync.chain_move
where club = :club and erp_id = any(:ids::text[]);

-- name: drop_moves(club, ids, targets)!
-- Moves from the club that a complete reading does not show any more.
delete from sync.chain_move as m
where
    m.club = :club
    and not exists (
        select 1 from unnest(:ids::text[], :targets::integer[]) as g (erp_id, target)
        where g.erp_id = m.erp_id and g.target = m.target
    );

-- name: add_moves(club, ids, targets, as_of, by_id)!
-- Those of customers with access; a known one stays as the first reading showed it.
insert into sync.chain_move (club, erp_id, target, as_of, by_id)
select :club, g.erp_id, g.target, :as_of, :by_id
from unnest(:ids::text[], :targets::integer[]) as g (erp_id, target)
inner join base.customer as c on g.erp_id = c.erp_id
where c.club = :club and c.in_customers_group
on conflict (club, erp_id, target) do nothing;

-- name: moves_from(club)
select distinct erp_id from sync.chain_move
where club = :club;

-- name: moves_arrived(club, as_of)!
-- Moves to the club, which has just loaded a reading of that time: whoever it shows was taken over, or has no access
-- here for a reason of their own. What awaits a second reading (R14) is not settled.
update sync.chain_move as m set arrived = true
where
    m.target = :club
    and not m.arrived
    and m.as_of <= :as_of
    and (
        not m.by_id
        or exists (
            select from sync.erp_customer as r
            where r.club = :club and r.erp_id = m.erp_id and r.gone_at is null
        )
    )
    and not exists (
        select from sync.suspicion as s
        where s.club = :club and s.erp_id = m.erp_id
    );

-- name: moves_under_way(club)
-- Customers of the club whom another one has not taken over yet.
select distinct erp_id from sync.chain_move
where club = :club and not arrived;
