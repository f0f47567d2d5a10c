-- The newest reading of a club, and those of some hours; the snapshots that share a folder.

create index snapshot_as_of on sync.snapshot (club, as_of, snapshot);
create index snapshot_path on sync.snapshot (club, path);

-- The files below a folder: the primary key finds them only where the database sorts as C does.
create index stored_file_below on sync.stored_file (path text_pattern_ops);
