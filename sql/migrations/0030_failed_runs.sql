-- The failures of the last hour, of all clubs: few among many runs.
create index run_failed on sync.run (started_at) include (club) where state = 'failed';
