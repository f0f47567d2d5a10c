-- PostgreSQL keeps no statistics of the club column of tables with a row for each person. With them it takes a club that
-- it does not know yet, because its first rows came since the last ANALYZE, for one row, and compares each of its rows
-- with each. Without them it takes every club for a two-hundredth of the table: it then reads a club's rows once.
-- Before version 18 what it knows already could not be removed, and would grow old: there all stays as it is.
do $$
declare
    counted text;
begin
    if current_setting('server_version_num')::integer < 180000 then
        return;
    end if;
    foreach counted in array array['base.customer', 'sync.change', 'sync.erp_customer', 'sync.finding', 'sync.similar_key']
    loop
        execute format('alter table %s alter column club set statistics 0', counted);
        perform pg_clear_attribute_stats(split_part(counted, '.', 1), split_part(counted, '.', 2), 'club', false);
    end loop;
end
$$;
