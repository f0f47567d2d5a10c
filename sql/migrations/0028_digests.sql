-- R31: what a club's contact was told, and what is to be sent.

-- One look a day at what changed, and the digest that came of it. The row is there before anything is sent.
create table sync.digest (
    club integer not null references base.club on delete cascade,
    digest bigint generated always as identity,
    -- of the club's calendar
    day date not null,
    -- unconfirmed: nobody knows whether it arrived; dropped: another one tells what it would have told
    state text not null check (state in ('unchanged', 'pending', 'sent', 'unconfirmed', 'dropped')),
    -- what every attempt has in common: a mailbox that gets it twice can tell
    message_id text not null,
    made_at timestamptz not null,
    attempts integer not null default 0,
    tried_at timestamptz,
    -- an attempt has begun, and its end is not noted
    in_flight boolean not null default false,
    -- attempts of which nobody knows the end
    uncertain integer not null default 0,
    -- hashes of the addresses that have it, and of those that the server refuses for good
    delivered text[] not null default '{}',
    refused text[] not null default '{}',
    problem text,
    remedy text,
    -- whether somebody has to do something about the problem
    alarming boolean not null default false,
    sent_at timestamptz,
    primary key (club, digest),
    unique (club, day)
);

-- The findings that it tells, by record and code: a finding that closed and opened again is the same one to a club.
create table sync.digest_item (
    club integer not null,
    digest bigint not null,
    erp_id text not null,
    code text not null,
    severity text not null,
    what text not null check (what in ('new', 'open', 'fixed')),
    primary key (club, digest, erp_id, code),
    foreign key (club, digest) references sync.digest on delete cascade
);

alter table sync.incident drop constraint incident_kind_check;
alter table sync.incident add constraint incident_kind_check
check (kind in ('late', 'incomplete', 'old data', 'digest'));

-- R21, as for the tables before.
do $$
declare
    t text;
begin
    foreach t in array array['digest', 'digest_item'] loop
        execute format('grant select on sync.%I to clubsync_club, clubsync_reader', t);
        execute format('grant insert, update, delete on sync.%I to clubsync_club', t);
        execute format('alter table sync.%I enable row level security', t);
        execute format(
            'create policy one_club on sync.%I to clubsync_club using (club = (select current_setting(''clubsync.club'')::integer))',
            t);
        execute format('create policy all_clubs on sync.%I for select to clubsync_reader using (true)', t);
    end loop;
end
$$;
