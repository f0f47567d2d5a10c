-- R3: the fields of a record whose value is there and cannot be read: JSON, as text, like the groups beside it.
alter table sync.erp_customer add column unreadable text not null default '[]';
