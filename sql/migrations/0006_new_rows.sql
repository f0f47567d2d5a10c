-- New rows are copied straight into the large tables, as their owner: PostgreSQL has no COPY into a table whose
-- rows row-level security guards. The copied columns leave the club out, so that it can be no other than the
-- transaction's (R21).
alter table base.customer alter column club set default current_setting('clubsync.club')::integer;
alter table sync.erp_customer alter column club set default current_setting('clubsync.club')::integer;
alter table sync.change alter column club set default current_setting('clubsync.club')::integer;

-- Numbers are taken a thousand at a time: in a run they ascend, between runs that were loaded over several
-- connections they say nothing.
alter table sync.change alter column change set cache 1000;
