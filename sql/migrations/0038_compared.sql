-- Whether similar records of this one are looked for (R23): it is present in the ERP, a person, not inactive by status
-- or dates, and has access, perhaps has access, or stands for a base customer. PostgreSQL puts it into the queries.
create function sync.is_compared(
    record sync.erp_customer, is_customer boolean, statuses text[], today date
) returns boolean
language sql immutable parallel safe
as $$
    select
        record.gone_at is null
        and not record.placeholder
        and not record.is_company
        and (record.status = any(statuses) or record.status = 'unknown')
        and (record.valid_from is null or record.valid_from <= today)
        and (record.valid_until is null or record.valid_until >= today)
        and (record.access != 'no' or is_customer)
$$;
