-- name: advance
with moved as (
    update run
       set cursor = cursor + 1, head = %(outputs)s, facts = facts || %(facts)s,
           attempts = 0, error = null, updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and state = 'running' and cursor = %(ordinal)s
       and head = %(head)s::jsonb  -- of two that append to one file, one must see the other's work first
    returning id, updated_at
), recorded as (
    insert into stage_record (run_id, ordinal, stage, version, checkpoint, inputs, outputs, facts, epoch, reused,
                              started_at, finished_at)
    select id, %(ordinal)s, %(stage)s, %(version)s, %(checkpoint)s, %(inputs)s, %(outputs)s, %(facts)s, %(epoch)s,
           %(reused)s, %(started_at)s, updated_at
      from moved
), written as (
    insert into journal (run_id, event, detail) select id, 'stage finished', %(detail)s::json from moved
)
select updated_at from moved

-- name: revise
-- A part of an unfinished stage: a new head, compared and swapped as in "advance".
with revised as (
    update run
       set head = %(outputs)s, facts = facts || %(facts)s, attempts = 0, error = null, updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and state = 'running' and cursor = %(ordinal)s
       and head = %(head)s::jsonb
    returning id, updated_at
), written as (
    insert into journal (run_id, event, detail) select id, 'head revised', %(detail)s::json from revised
)
select updated_at from revised

-- name: settle
-- Ends our claim: the run is over, or a person or a later moment is next.
with settled as (
    update run
       set state = %(state)s::run_state, error = %(error)s, lease_until = null,
           due_at = clock_timestamp() + %(delay)s * interval '1 second',
           attempts = attempts - %(uncounted)s, updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and state = 'running'
    returning id
), written as (
    insert into journal (run_id, event, detail) select id, %(event)s, %(detail)s::json from settled
)
select id from settled

-- name: hold
-- Locks our run. A statement of its own: the next one then sees every event that was kept before.
select id from run where id = %(id)s and epoch = %(epoch)s and state = 'running' for update

-- name: pause
-- Takes all that came early and that the run listens to; "signed" also hears "signed:employee".
with early as (
    delete from early_event
     where run_id = %(id)s
       and exists (select from unnest(%(events)s::text[]) as heard where name = heard or starts_with(name, heard || ':'))
    returning name, payload
), arrived as (
    select array_agg(name order by name) as names, jsonb_object_agg('event:' || name, payload) as facts from early
)
update run
   set state = case when names is null then 'waiting' else 'ready' end::run_state,
       waiting_for = case when names is null then (%(events)s::text[])[1] end,
       listening = case when names is null then %(events)s::text[] else '{}' end,
       facts = run.facts || %(facts)s::jsonb || coalesce(arrived.facts, '{}'),
       error = case when names is null then %(error)s::jsonb end,
       lease_until = null, attempts = 0, due_at = clock_timestamp(), updated_at = clock_timestamp()
  from arrived
 where id = %(id)s
returning names as early
