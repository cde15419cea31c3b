-- name: claim
-- Only a run that is due, or whose last claim has run out; the epoch fences whoever held it before. clock_timestamp:
-- a claimer that waited for another one's row lock must not judge by the time its own transaction began.
with taken as (
    update run
       set epoch = epoch + 1,
           state = case when attempts < %(attempts)s then 'running' else 'parked' end::run_state,
           attempts = attempts + (attempts < %(attempts)s)::integer,
           lease_until = case when attempts < %(attempts)s
                              then clock_timestamp() + %(lease)s * interval '1 second' end,
           error = case when attempts < %(attempts)s then error else %(exhausted)s end,
           updated_at = clock_timestamp()
     where id = %(id)s
       and (state = 'ready' and due_at <= clock_timestamp()
            or state = 'running' and lease_until <= clock_timestamp())
    returning id, pipeline, label, state::text, cursor, epoch, attempts, waiting_for, sources, head, facts, error,
              created_at, updated_at
), written as (
    insert into journal (run_id, event, detail)
    select id, 'parked', json_build_object('cursor', cursor, 'error', error) from taken where state = 'parked'
)
select * from taken where state = 'running'

-- name: renew
update run
   set lease_until = clock_timestamp() + %(lease)s * interval '1 second'
 where id = %(id)s and epoch = %(epoch)s and state = 'running'

-- name: due without message
-- What a lost message, a killed worker or a passed due time has left behind.
select id
  from run
 where (state = 'ready' and due_at <= now() or state = 'running' and lease_until <= now())
   and not exists (select from outbox where dedup = 'run:' || run.id)
 order by due_at
 limit %(limit)s

-- name: send again
with message as (
    insert into outbox (dedup, queue, body)
    select dedup, %(queue)s, body from unnest(%(keys)s::text[], %(bodies)s::jsonb[]) as due (dedup, body)
    on conflict (dedup) do nothing
    returning queue
), wake as (
    select pg_notify('outbox', %(queue)s) from message limit 1
)
select count(*) as sent from message, (select count(*) from wake) as woken
