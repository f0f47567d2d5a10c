-- Erasure on request, in one club (R20). Runs as the owner, under the club's lock.

-- name: erased_hashes(club)
select key_hash from sync.erased
where club = :club;

-- name: lift_erasure(club, email_hash)!
delete from sync.erased
where club = :club and email_hash = :email_hash;

-- name: add_erased(club, key_hash, email_hash, at)!
-- null: email_hash
insert into sync.erased (club, key_hash, email_hash, erased_at)
values (:club, :key_hash, :email_hash, :at)
on conflict (club, key_hash) do nothing;

-- name: erase_memberships(club, customers)!
delete from base.membership
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_requests(club, customers)!
delete from base.attachment_request as r
where
    r.club = :club
    and (
        r.customer = any(:customers::bigint[])
        or r.user_id in (
            select c.linked_user from base.customer as c
            where c.club = :club and c.customer = any(:customers::bigint[])
        )
    );

-- name: erase_customers(club, customers)!
delete from base.customer
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_records(club, ids)!
delete from sync.erp_customer
where club = :club and erp_id = any(:ids::text[]);

-- name: erase_changes(club, customers, ids)!
delete from sync.change
where club = :club and (customer = any(:customers::bigint[]) or erp_id = any(:ids::text[]));

-- name: erase_findings(club, ids)!
delete from sync.finding
where club = :club and erp_id = any(:ids::text[]);

-- name: erase_hold_members(club, customers)!
delete from sync.hold_member
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_rejections(club, customers)!
delete from sync.hold_rejected
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_undone(club, customers)!
delete from sync.undone
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_identities(club, customers)!
delete from sync.same_person
where club = :club and customer = any(:customers::bigint[]);

-- name: erase_rechecks(club, ids, emails)!
delete from sync.recheck
where club = :club and (erp_id = any(:ids::text[]) or email = any(:emails::text[]));

-- name: erase_suspicions(club, ids, signs)!
delete from sync.suspicion
where club = :club and (erp_id = any(:ids::text[]) or split_part(sign, '|', 1) = any(:signs::text[]));

-- name: erase_pairs(club, ids)!
with similar_keys as (
    delete from sync.similar_key
    where club = :club and erp_id = any(:ids::text[])
),

similar_pairs as (
    delete from sync.similar_pair
    where club = :club and (erp_id_a = any(:ids::text[]) or erp_id_b = any(:ids::text[]))
)

delete from sync.ignored_pair
where club = :club and (erp_id_a = any(:ids::text[]) or erp_id_b = any(:ids::text[]));

-- name: records_naming(club, ids)
-- Records whose findings name one of these records.
select distinct erp_id from sync.finding
where
    club = :club
    and (jsonb_exists_any(detail -> 'others', :ids::text[]) or detail ->> 'owner' = any(:ids::text[]));

-- name: reset_content_hash(club)!
update sync.club_state set content_hash = null, revision = revision + 1
where club = :club;

-- name: snapshot_paths(club)
select distinct path from sync.snapshot
where club = :club
union
select distinct path from sync.plan
where club = :club;
