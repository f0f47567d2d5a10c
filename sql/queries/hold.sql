-- name: open_hold(club)^
select * from sync.hold
where club = :club and state = 'open';

-- name: add_hold(club, run, at, list_hash, causes, limit_was)$
insert into sync.hold (club, run, opened_at, list_hash, causes, limit_was)
values (:club, :run, :at, :list_hash, :causes, :limit_was)
returning hold;

-- name: change_hold(club, hold, list_hash, causes)!
update sync.hold set version = version + 1, list_hash = :list_hash, causes = :causes
where club = :club and hold = :hold and list_hash != :list_hash;

-- name: empty_hold(club, hold, at)!
update sync.hold set state = 'emptied', decided_at = :at
where club = :club and hold = :hold and state = 'open';

-- name: members_of(club, hold)
select customer, erp_id, reason, cause from sync.hold_member
where club = :club and hold = :hold and left_version is null;

-- name: join_hold(club, hold, customer, erp_id, reason, cause, row_hash, version)!
insert into sync.hold_member (club, hold, customer, erp_id, reason, cause, row_hash, joined_version)
values (:club, :hold, :customer, :erp_id, :reason, :cause, :row_hash, :version)
on conflict (club, hold, customer) do update set
    reason = excluded.reason,
    cause = excluded.cause,
    row_hash = excluded.row_hash,
    left_version = null;

-- name: leave_hold(club, hold, customers, version)!
update sync.hold_member set left_version = :version
where club = :club and hold = :hold and customer = any(:customers::bigint []) and left_version is null;

-- name: rejected(club, now)
-- R15: whom a person decided to keep, until then or until their ERP record changes.
select customer, erp_id, row_hash from sync.hold_rejected
where club = :club and until > :now;
