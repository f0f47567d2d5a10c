-- Findings have no foreign key to base.club any more, as the other large tables have none: checking it row by row
-- was half of what opening a new club's findings cost. A removed club's findings are deleted with its records.
alter table sync.finding drop constraint finding_club_fkey;
