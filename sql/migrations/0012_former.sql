-- R3: whether a group of former customers keeps a record out, or did so before that group went missing.
alter table sync.erp_customer add column former boolean not null default false;
