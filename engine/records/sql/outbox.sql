-- name: send
-- A key that is pending already stays one message, brought forward if the new one is due earlier. A key that a reader or
-- a broker has at this moment is armed again: what made us send may have happened after that reader looked.
with message as (
    insert into outbox (dedup, queue, body, due_at)
    values (%(dedup)s, %(queue)s, %(body)s, now() + %(delay)s * interval '1 second')
    on conflict (dedup) do update
        set due_at = case when outbox.locked_until is null then least(outbox.due_at, excluded.due_at)
                          else excluded.due_at end,
            queue = excluded.queue, body = excluded.body, locked_until = null, sent_at = null
        where outbox.locked_until is not null or excluded.due_at < outbox.due_at
    returning queue
)
select pg_notify('outbox', queue) from message

-- name: claim
-- Takes due messages for a while; deliveries is the reader's token, so a later reader's message is never acknowledged.
update outbox
   set locked_until = now() + %(visibility)s * interval '1 second', deliveries = deliveries + 1
 where id = any(array(
        select id from outbox
         where queue = %(queue)s and due_at <= now() and sent_at is null
           and (locked_until is null or locked_until <= now())
         order by due_at
         limit %(room)s
           for update skip locked))
returning id, deliveries, dedup, body

-- name: acknowledge
-- Skipping locked rows: whoever holds one is sending it again, and then it has to stay.
delete from outbox
 where id = any(array(
        select outbox.id
          from outbox join unnest(%(ids)s::bigint[], %(tokens)s::integer[]) as held (id, token) using (id)
         where outbox.deliveries = held.token and outbox.locked_until is not null
           for update of outbox skip locked))

-- name: release
update outbox
   set locked_until = null
  from unnest(%(ids)s::bigint[], %(tokens)s::integer[]) as held (id, token)
 where outbox.id = held.id and outbox.deliveries = held.token and outbox.sent_at is null

-- name: extend
update outbox
   set locked_until = now() + %(visibility)s * interval '1 second'
  from unnest(%(ids)s::bigint[], %(tokens)s::integer[]) as held (id, token)
 where outbox.id = held.id and outbox.deliveries = held.token
   and outbox.locked_until is not null and outbox.sent_at is null

-- name: hand over
-- The broker has it now. The row stays a while so that nobody sends the same again at every sweep.
update outbox
   set sent_at = now(), locked_until = now() + %(quiet)s * interval '1 second'
  from unnest(%(ids)s::bigint[], %(tokens)s::integer[]) as held (id, token)
 where outbox.id = held.id and outbox.deliveries = held.token and outbox.locked_until is not null

-- name: forget
delete from outbox
 where id = any(array(
        select id from outbox where sent_at is not null and locked_until <= now() limit 10000 for update skip locked))

-- name: settle
-- A message that came back from the broker was worked on; from now on a sweep may send the same again.
delete from outbox
 where id = any(array(
        select id from outbox where dedup = any(%(keys)s) and sent_at is not null for update skip locked))
