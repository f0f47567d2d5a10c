-- Undo a run from its audit (R18).

-- name: find_run(run)^
select
    r.club,
    r.run,
    r.started_at,
    r.trigger,
    c.club_id
from sync.run as r
inner join base.club as c on r.club = c.club
where r.run = :run;

-- name: changes_to_undo(club, run)
select customer, erp_id, kind, before::jsonb as before, after::jsonb as after
from sync.change
where club = :club and run = :run
order by change;

-- name: customers_by_number(club, customers)
select
    c.customer, c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone,
    c.in_customers_group, c.auto_groups, c.reason, c.detached_at is not null as detached, c.linked_user
from base.customer as c
where c.club = :club and c.customer = any(:customers::bigint[]);

-- name: conflicting_customers(club, column_emails, column_erp_ids, column_users)
-- Customers who now have one of these emails, ERP ids or users.
select customer, email, erp_id, linked_user from base.customer
where
    club = :club
    and (
        email = any(:column_emails::text[])
        or erp_id = any(:column_erp_ids::text[])
        or linked_user = any(:column_users::bigint[])
    );

-- name: add_undone(club, run, customers, erp_ids, at)!
-- null: erp_ids[]
-- Keeps the record whose change was undone and its state; no hash: the record is missing. For a customer who
-- has no ERP id again, it is the record that had adopted them (erp_ids).
insert into sync.undone (club, customer, erp_id, row_hash, run, undone_at)
select
    c.club,
    c.customer,
    coalesce(c.erp_id, u.erp_id),
    case when m.gone_at is null then m.row_hash end,
    :run,
    :at
from unnest(:customers::bigint[], :erp_ids::text[]) as u (customer, erp_id)
inner join base.customer as c on c.club = :club and u.customer = c.customer
left join sync.erp_customer as m on c.club = m.club and coalesce(c.erp_id, u.erp_id) = m.erp_id
on conflict (club, customer) do update set
    erp_id = excluded.erp_id,
    row_hash = excluded.row_hash,
    run = excluded.run,
    undone_at = excluded.undone_at;

-- name: delete_undone(club, run)
delete from sync.undone
where club = :club and run = :run
returning customer;
