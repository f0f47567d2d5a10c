-- The change feed (R30): the audit in one order.

-- name: enter_feed(club, run)!
-- Before the audit rows of a run are written, in their transaction.
insert into sync.feed (club, run) values (:club, :run)
on conflict (club, run) do nothing;

-- name: number_feed()$
-- row: always
-- Give positions to what has committed; the last position.
select coalesce(sync.number_feed(), 0);

-- name: feed_head()$
-- row: always
select head from sync.feed_head;

-- name: feed_entries(position, max_rows)
-- Entries from that position on.
select
    f.position,
    f.mark,
    f.club,
    f.run,
    c.club_id
from sync.feed as f
inner join base.club as c on f.club = c.club
where f.position >= :position
order by f.position
limit :max_rows;

-- name: feed_entries_of_club(club, position, max_rows)
-- The same of one club.
select
    f.position,
    f.mark,
    f.club,
    f.run,
    c.club_id
from sync.feed as f
inner join base.club as c on f.club = c.club
where f.club = :club and f.position >= :position
order by f.position
limit :max_rows;

-- name: feed_mark(position)$
select mark from sync.feed
where position = :position;

-- name: last_feed_entry(position)^
-- The last entry up to that position, of a club that is still there.
select position, mark, club, run from sync.feed
where position <= :position
order by position desc
limit 1;

-- name: last_change(club, run)$
-- row: always
select coalesce(max(change), 0) from sync.change
where club = :club and run = :run;

-- name: feed_changes(clubs, runs, positions, changes, kinds, with_values, max_rows)
-- The audit rows of these entries, each after that change. with_values: what may be a person's data.
select
    e.position,
    h.change,
    e.club,
    e.run,
    h.at,
    h.kind,
    h.customer,
    h.erp_id,
    h.reason,
    h.access,
    h.before,
    h.after
from
    unnest(:clubs::integer[], :runs::bigint[], :positions::bigint[], :changes::bigint[])
        as e (club, run, position, change)
inner join lateral (
    select
        c.change,
        c.at,
        c.kind,
        c.customer,
        c.erp_id,
        c.reason,
        (c.after::jsonb ->> 'in_customers_group')::boolean as access,
        case when :with_values::boolean then c.before::jsonb end as before,
        case when :with_values::boolean then c.after::jsonb end as after
    from sync.change as c
    where
        c.club = e.club
        and c.run = e.run
        and c.change > e.change
        and (:kinds::text[] is null or c.kind = any(:kinds::text[]))
    order by c.change
    limit :max_rows
) as h on true
order by e.position, h.change
limit :max_rows;

-- name: clubs_in_feed(position)
-- Clubs that have entries after that position.
select distinct club from sync.feed
where position > :position;
