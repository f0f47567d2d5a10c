-- What a task of Airflow hands on to the next one, compressed JSON: club ids, or the steps of its clubs. Ids and counts of
-- many clubs, no person (R19), and no row that a club's run reads or writes as the club.
create table sync.handed_on (
    number bigint generated always as identity primary key,
    made_at timestamptz not null,
    content bytea not null
);

-- It is compressed already.
alter table sync.handed_on alter column content set storage external;
create index handed_on_made_at on sync.handed_on (made_at);

grant select, insert, delete on sync.handed_on to clubsync_engine;
