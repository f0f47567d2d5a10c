-- What was written into the snapshot store: a file is used only while it is what it was (R21).

-- digests: BLAKE2b of the file as it lies there; a second one while it is being replaced, so that a process that is
-- killed in between leaves either of them valid. Paths begin with the club's id; no personal data.
create table sync.stored_file (
    path text not null,
    name text not null,
    digests text[] not null,
    primary key (path, name)
);

-- Who runs a run: the key of an advisory lock that its process holds as long as it lives; null: not said.
alter table sync.run add column holder bigint;
create index run_running on sync.run (club) where state = 'running';

-- Whether the snapshot's files have digests: all but those from before there were any.
alter table sync.snapshot add column digested boolean not null default false;
alter table sync.snapshot alter column digested set default true;
