-- name: pin pipeline
insert into pipeline (digest, name, version, definition)
values (%(digest)s, %(name)s, %(version)s, %(definition)s)
on conflict (digest) do nothing

-- name: pipeline definition
select definition from pipeline where digest = %(digest)s

-- name: submit
insert into run (id, pipeline, label, sources, head, facts)
values (%(id)s, %(pipeline)s, %(label)s, %(sources)s, %(head)s, %(facts)s)
on conflict (id) do nothing

-- name: get
select id, pipeline, label, state::text, cursor, epoch, attempts, waiting_for, sources, head, facts, error,
       created_at, updated_at
  from run
 where id = %(id)s

-- name: find
-- Newest first; "after" is the last run of the page before. A null argument asks for everything.
select id, pipeline, label, state::text, cursor, epoch, attempts, waiting_for, sources, head, facts, error,
       created_at, updated_at
  from run
 where (%(states)s::run_state[] is null or state = any(%(states)s::run_state[])
        or (state = 'ready' and error->>'class' = 'Unavailable'
            and split_part(error->>'code', '.', 1) = any(%(awaited)s::text[])))
   and (%(label)s::text is null or position(%(label)s::text in label) > 0)
   and (%(after)s::uuid is null
        or (created_at, id) < (select created_at, id from run where id = %(after)s::uuid))
 order by created_at desc, id desc
 limit %(limit)s

-- name: tally
-- A run that a service away keeps waiting counts under what it waits for.
select case when state = 'ready' and error->>'class' = 'Unavailable' and split_part(error->>'code', '.', 1) <> 'run'
            then 'awaiting_' || split_part(error->>'code', '.', 1) else state::text end as phase,
       count(*) as runs
  from run
 group by 1
 order by 1

-- name: stage records
select ordinal, stage, version, checkpoint, inputs, outputs, facts, reused, started_at, finished_at, epoch
  from stage_record
 where run_id = %(id)s
 order by ordinal
