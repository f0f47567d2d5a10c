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

-- name: add_undone(club, run, customers, erp_ids, waits, at)!
-- null: erp_ids[]
-- Keeps the record whose change was undone and its state; no hash: the record is missing. For a customer who
-- has no ERP id again, it is the record that had adopted them (erp_ids).
-- waits: it is not undone yet, because another has the email that it would give back.
insert into sync.undone as s (club, customer, erp_id, row_hash, run, waits, undone_at)
select
    c.club,
    c.customer,
    coalesce(c.erp_id, u.erp_id),
    case when m.gone_at is null then m.row_hash end,
    :run,
    :waits,
    :at
from unnest(:customers::bigint[], :erp_ids::text[]) as u (customer, erp_id)
inner join base.customer as c on c.club = :club and u.customer = c.customer
left join sync.erp_customer as m on c.club = m.club and coalesce(c.erp_id, u.erp_id) = m.erp_id
on conflict (club, customer) do update set
    erp_id = excluded.erp_id,
    row_hash = excluded.row_hash,
    run = excluded.run,
    waits = excluded.waits,
    undone_at = excluded.undone_at
where s.waits or not excluded.waits;

-- name: waiting_undos(club)
-- Customers whose undo waits for an email, and who has it now; null: nobody. The email is in the audit.
select
    u.customer,
    u.erp_id,
    u.row_hash,
    u.run,
    h.customer as holder
from sync.undone as u
left join lateral (
    select c.before::jsonb ->> 'email' as email
    from sync.change as c
    where c.club = u.club and c.run = u.run and c.customer = u.customer and jsonb_exists(c.before::jsonb, 'email')
    order by c.change
    limit 1
) as w on true
left join base.customer as h on u.club = h.club and w.email = h.email and u.customer != h.customer
where u.club = :club and u.waits;

-- name: delete_waiting_undos(club, customers)!
delete from sync.undone
where club = :club and waits and customer = any(:customers::bigint[]);

-- name: delete_undone(club, run)
delete from sync.undone
where club = :club and run = :run
returning customer;

-- name: end_undo(club, customer, erp_id)!
-- null: erp_id
-- A person gives the customer access again. An undone adoption stays so: the record there was another's.
delete from sync.undone
where club = :club and customer = :customer and not waits and erp_id is not distinct from :erp_id::text;
