-- Similar records (R23): which ones are compared, and the pairs that are suggested.

-- Blocking keys: two records of a club that share a key are compared. A key is a hash of a telephone,
-- a birth date, the local part of an email, or a whole name. Rows of their own instead of an array in
-- the record: under row-level security an index serves plain equality only.
create table sync.similar_key (
    club integer not null,
    erp_id text not null,
    key bigint not null,
    primary key (club, erp_id, key)
);

create index similar_key_key on sync.similar_key (club, key);

-- Each pair once. reasons are codes, worded in expectations/base.json.
create table sync.similar_pair (
    club integer not null,
    erp_id_a text not null,
    erp_id_b text not null,
    score real not null,
    reasons text[] not null,
    primary key (club, erp_id_a, erp_id_b),
    check (erp_id_a collate "C" < erp_id_b collate "C")
);

create index similar_pair_b on sync.similar_pair (club, erp_id_b);

-- Records up to this id have been compared; '' is none of them, null all. Records from before this
-- migration are compared in the next syncs.
alter table sync.club_state add column similar_upto text default '';

-- R21, as for the tables before.
do $$
declare
    t text;
begin
    foreach t in array array['similar_key', 'similar_pair'] loop
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
