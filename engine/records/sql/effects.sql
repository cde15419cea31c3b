-- name: intend
-- Returns the intent to act on; nothing when there is a result already or the act must not be repeated.
insert into effect as known (key, kind, intent, keeps, attempts)
values (%(key)s, %(kind)s, %(intent)s, %(keeps)s, 1)
on conflict (key) do update
    set attempts = known.attempts + 1
    where known.result is null and known.kind = excluded.kind and (%(repeatable)s or known.attempts = 0)
returning intent

-- name: withdraw
-- The act surely did not happen: it may be begun again.
update effect set attempts = attempts - 1 where key = %(key)s and result is null

-- name: find
select kind, intent, result, attempts from effect where key = %(key)s

-- name: record
-- The first result wins; a later one returns nothing.
with first as (
    update effect
       set result = %(result)s, done_at = clock_timestamp(),
           keeps = array(select distinct unnest(keeps || %(keeps)s::text[]))
     where key = %(key)s and result is null
    returning key
), written as (
    insert into journal (run_id, event, detail) select %(run)s::uuid, 'effect done', %(detail)s::json from first
)
select key from first
