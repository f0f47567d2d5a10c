-- R3: days and moments that Python cannot hold, on the clock of any club, stop that club for good: they can be written
-- and never be read. connectors.sdk.moments keeps them out; what is stored of them is repaired, and no more can come.

-- A day out of range is none: "never", or a mistyped year.
update sync.erp_customer set
    birth_date = case when birth_date between '1800-01-01' and '9000-12-31' then birth_date end,
    valid_from = case when valid_from between '1800-01-01' and '9000-12-31' then valid_from end,
    valid_until = case when valid_until between '1800-01-01' and '9000-12-31' then valid_until end,
    created_at = case when created_at between '1800-01-01Z' and '9000-12-31Z' then created_at end
where
    birth_date not between '1800-01-01' and '9000-12-31'
    or valid_from not between '1800-01-01' and '9000-12-31'
    or valid_until not between '1800-01-01' and '9000-12-31'
    or created_at not between '1800-01-01Z' and '9000-12-31Z';

-- The days of memberships stand in JSON texts.
update sync.erp_customer set
    groups = regexp_replace(
        groups, '"(valid_from|valid_until)":\s*"(?!(1[89]\d\d|[2-8]\d\d\d)-\d\d-\d\d")[^"]*"', '"\1":null', 'g'
    ),
    remembered = regexp_replace(
        remembered, '"(valid_from|valid_until)":\s*"(?!(1[89]\d\d|[2-8]\d\d\d)-\d\d-\d\d")[^"]*"', '"\1":null', 'g'
    )
where
    groups ~ '"(valid_from|valid_until)":\s*"(?!(1[89]\d\d|[2-8]\d\d\d)-\d\d-\d\d")'
    or remembered ~ '"(valid_from|valid_until)":\s*"(?!(1[89]\d\d|[2-8]\d\d\d)-\d\d-\d\d")';

alter table sync.erp_customer add constraint erp_customer_moments check (
    birth_date between '1800-01-01' and '9000-12-31'
    and valid_from between '1800-01-01' and '9000-12-31'
    and valid_until between '1800-01-01' and '9000-12-31'
    and created_at between '1800-01-01Z' and '9000-12-31Z'
);

-- A reading of no such time: it counts as read when it was read, or else as the oldest one.
update sync.snapshot set
    as_of = greatest('1800-01-01Z', least(as_of, read_at, '9000-12-31Z')),
    read_at = greatest('1800-01-01Z', least(read_at, '9000-12-31Z')),
    began_at = greatest('1800-01-01Z', least(began_at, '9000-12-31Z'))
where
    as_of not between '1800-01-01Z' and '9000-12-31Z'
    or read_at not between '1800-01-01Z' and '9000-12-31Z'
    or began_at not between '1800-01-01Z' and '9000-12-31Z';

alter table sync.snapshot add constraint snapshot_moments check (
    as_of between '1800-01-01Z' and '9000-12-31Z'
    and read_at between '1800-01-01Z' and '9000-12-31Z'
    and began_at between '1800-01-01Z' and '9000-12-31Z'
);

update sync.erp_customer set as_of = greatest('1800-01-01Z', least(as_of, '9000-12-31Z'))
where as_of not between '1800-01-01Z' and '9000-12-31Z';

update sync.erp_customer set first_seen = greatest('1800-01-01Z', least(first_seen, '9000-12-31Z'))
where first_seen not between '1800-01-01Z' and '9000-12-31Z';

update sync.erp_customer set gone_at = greatest('1800-01-01Z', least(gone_at, '9000-12-31Z'))
where gone_at not between '1800-01-01Z' and '9000-12-31Z';

update sync.club_state set
    certified_as_of = least(certified_as_of, '9000-12-31Z'),
    next_recheck = case when next_recheck between '1800-01-01' and '9000-12-31' then next_recheck end,
    last_success_at = least(last_success_at, '9000-12-31Z'),
    last_attempt_at = least(last_attempt_at, '9000-12-31Z'),
    next_read_at = null,
    failing_since = greatest('1800-01-01Z', least(failing_since, '9000-12-31Z')),
    quarantined_until = null
where
    certified_as_of not between '1800-01-01Z' and '9000-12-31Z'
    or next_recheck not between '1800-01-01' and '9000-12-31'
    or last_success_at not between '1800-01-01Z' and '9000-12-31Z'
    or last_attempt_at not between '1800-01-01Z' and '9000-12-31Z'
    or next_read_at not between '1800-01-01Z' and '9000-12-31Z'
    or failing_since not between '1800-01-01Z' and '9000-12-31Z'
    or quarantined_until not between '1800-01-01Z' and '9000-12-31Z';

update sync.club_state set
    certified_as_of = greatest('1800-01-01Z', certified_as_of),
    last_success_at = greatest('1800-01-01Z', last_success_at),
    last_attempt_at = greatest('1800-01-01Z', last_attempt_at)
where least(certified_as_of, last_success_at, last_attempt_at) < '1800-01-01Z';

alter table sync.club_state add constraint club_state_moments check (
    certified_as_of between '1800-01-01Z' and '9000-12-31Z'
    and next_recheck between '1800-01-01' and '9000-12-31'
    and last_success_at between '1800-01-01Z' and '9000-12-31Z'
    and last_attempt_at between '1800-01-01Z' and '9000-12-31Z'
    and next_read_at between '1800-01-01Z' and '9000-12-31Z'
    and failing_since between '1800-01-01Z' and '9000-12-31Z'
    and quarantined_until between '1800-01-01Z' and '9000-12-31Z'
);
