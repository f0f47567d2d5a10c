-- A keyed hash over all that the reading has asked for and received: what the next one is compared with, before anything
-- is parsed. null: the next one is parsed.
alter table sync.snapshot add column reading_hash bytea;
