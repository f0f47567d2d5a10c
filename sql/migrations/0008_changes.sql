-- What a change was and became is JSON, as text: written and read as a whole, and only text costs nothing to take in.
alter table sync.change
alter column before type text using before::text,
alter column after type text using after::text;

-- Asking for the transaction's club in every row was a twentieth of writing it: the one function that copies new
-- rows asks for it once.
alter table base.customer alter column club drop default;
alter table sync.erp_customer alter column club drop default;
alter table sync.change alter column club drop default;
