-- Where a run's time went: the numbers of `clubsync/store/profile.py`; null: it has not ended, or was interrupted.
alter table sync.run add column profile real[];

-- The runs of an ERP since a time: rows are written in that order, and this index costs next to nothing.
create index run_started on sync.run using brin (started_at) with (pages_per_range = 32);
