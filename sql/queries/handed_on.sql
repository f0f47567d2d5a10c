-- What a task of Airflow hands on to the next one: club ids, or the steps of its clubs (R19: no person).

-- name: hand_on(content, at)$
insert into sync.handed_on (content, made_at) values (:content, :at)
returning number;

-- name: handed_on(number)$
select h.content from sync.handed_on as h
where h.number = :number;

-- name: delete_old_handed_on(before)!
delete from sync.handed_on
where made_at < :before;
