-- name: hold
-- Locks a run whoever has it, before an outsider changes its state.
select state::text, facts,
       exists (select from unnest(listening) as heard
                where %(event)s::text = heard or starts_with(%(event)s::text, heard || ':')) as hears
  from run
 where id = %(id)s
   for update

-- name: keep event
insert into early_event (run_id, name, payload) values (%(id)s, %(event)s, %(payload)s)
on conflict (run_id, name) do nothing

-- name: resume
update run
   set state = 'ready', waiting_for = null, listening = '{}', error = null,
       facts = facts || jsonb_build_object('event:' || %(event)s, %(payload)s::jsonb),
       due_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s

-- name: retry
update run
   set state = 'ready', attempts = 0, error = null, due_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s

-- name: allow repetition
update effect set attempts = 0 where starts_with(key, %(prefix)s) and result is null

-- name: cancel
-- The new epoch makes void whatever a worker computes at this moment.
update run
   set state = 'cancelled', epoch = epoch + 1, waiting_for = null, lease_until = null, updated_at = clock_timestamp()
 where id = %(id)s
