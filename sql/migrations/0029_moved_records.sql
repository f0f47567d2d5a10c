-- R24: whoever asks for an ERP id that was merged into another is told where its customer went. Merges are few.
create index change_moved on sync.change (club, (before::jsonb ->> 'erp_id'))
where kind in ('merge', 'adoption');
