-- name: unlisted
-- Finished runs whose files nobody has looked at yet.
select id, head from run
 where state = 'done' and (%(after)s::uuid is null or id > %(after)s)
   and not exists (select from renewal where run_id = run.id)
 order by id
 limit %(limit)s

-- name: list
insert into renewal (run_id, place, digest, generation, ends_at, ends, suites, error)
values (%(run_id)s, %(place)s, %(digest)s, %(generation)s, %(ends_at)s, %(ends)s, %(suites)s, %(error)s)
on conflict (run_id, place) do nothing

-- name: suites
select distinct unnest(suites) as suite from renewal

-- name: due
select run_id, place, digest, generation, ends_at, ends, suites from renewal
 where (ends_at < %(before)s or suites && %(suites)s::text[])
   and (%(after)s::uuid is null or (run_id, place) > (%(after)s, %(place)s))
 order by run_id, place
 limit %(limit)s

-- name: count due
select count(*) as due from renewal where ends_at < %(before)s or suites && %(suites)s::text[]

-- name: swap
-- The renewed file takes the place of the one it was made from, and of no other.
with swapped as (
    update run
       set head = jsonb_set(head, array[%(place)s::text], to_jsonb(%(digest)s::text)),
           facts = facts || %(facts)s, updated_at = clock_timestamp()
     where id = %(run_id)s and state = 'done' and head ->> %(place)s = %(parent)s
    returning id
)
update renewal
   set digest = %(digest)s, parent = %(parent)s, generation = %(generation)s, ends_at = %(ends_at)s, ends = %(ends)s,
       suites = %(suites)s, error = null, examined_at = clock_timestamp()
  from swapped
 where run_id = swapped.id and place = %(place)s
returning run_id

-- name: refuse
update renewal set error = %(error)s, examined_at = clock_timestamp() where run_id = %(run_id)s and place = %(place)s
