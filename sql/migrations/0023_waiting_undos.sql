-- R18: an undo that waits, because another customer has the email that it would give back.

alter table sync.undone add column waits boolean not null default false;
