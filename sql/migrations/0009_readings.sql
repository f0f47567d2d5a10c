-- R16: whether a run's reading was used; one that was older than what is loaded, or dated later than now, was not.
alter table sync.run add column used boolean not null default true;

-- R14: what is known of the file that a snapshot was read from (connectors.sdk.model.File), and its last customers'
-- ids: the next file is compared with them. Null: it was not read from a file.
alter table sync.snapshot add column file jsonb;
