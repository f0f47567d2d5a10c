-- The files of the snapshot store, by their digests: no club's own, although the paths begin with a club's id.

-- name: note_stored_file(path, name, digest)$
-- Accepts a file that is about to replace the one there, beside all that may be there; how many are accepted now.
insert into sync.stored_file as f (path, name, digests)
values (:path, :name, array[:digest::text])
on conflict (path, name) do update set digests = array[:digest::text] || array_remove(f.digests, :digest::text)
returning cardinality(f.digests);

-- name: settle_stored_file(path, name, digest)!
update sync.stored_file set digests = array[:digest::text]
where path = :path and name = :name;

-- name: stored_file(path, name)$
-- The digests of a file that are accepted; null: it was written before digests were kept.
select digests from sync.stored_file
where path = :path and name = :name;

-- name: stored_files(path)
-- The files of a folder with the digests that are accepted.
select name, digests from sync.stored_file
where path = :path;

-- name: stored_folders(path)
-- The folders below one of whose files digests are kept.
select distinct path from sync.stored_file
where starts_with(path, :path || '/');

-- name: forget_stored_file(path, name)!
delete from sync.stored_file
where path = :path and name = :name;

-- name: forget_stored_files(path)!
delete from sync.stored_file
where path = :path or starts_with(path, :path || '/');
