-- name: advance
with moved as (
    update run
       set cursor = cursor + 1, head = %(outputs)s, facts = facts || %(facts)s,
           attempts = 0, error = null, updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and state = 'running' and cursor = %(ordinal)s
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
with early as (
    delete from early_event where run_id = %(id)s and name = %(event)s returning name, payload
)
update run
   set state = case when early.name is null then 'waiting' else 'ready' end::run_state,
       waiting_for = case when early.name is null then %(event)s end,
       facts = case when early.name is null then facts
                    else facts || jsonb_build_object('event:' || early.name, early.payload) end,
       lease_until = null, attempts = 0, error = null, due_at = clock_timestamp(), updated_at = clock_timestamp()
  from (values (true)) as always left join early on true
 where id = %(id)s
returning state::text
