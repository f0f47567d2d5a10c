-- R28: the plan of the first sync that a person has approved, by its hash; no other one loads.

alter table sync.club_state add column reviewed_plan text;
