-- R14: how many access losses awaited a second reading when the run had loaded.
alter table sync.run add column suspected integer not null default 0;
