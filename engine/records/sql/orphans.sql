-- name: take turn
select pg_try_advisory_xact_lock(%(lock)s) as ours, clock_timestamp() - %(age)s as before

-- name: forget kept
truncate kept_content

-- name: note kept
-- Whatever looks like a digest keeps its content, wherever in the records it stands: better one content too many.
insert into kept_content (digest)
select distinct word
  from (
    select sources::text || head::text || facts::text as words from run
    union all select inputs::text || outputs::text || facts::text from stage_record
    union all select payload::text from early_event
    union all select outputs::text || facts::text from checkpoint
    union all select definition::text from pipeline
    union all select array_to_string(keeps, ' ') from effect
  ) as records
  cross join lateral regexp_split_to_table(words, '[^0-9a-f]+') as word  -- four times as fast as matching
 where length(word) = 64

-- name: refresh statistics
analyze kept_content

-- name: is kept
select from kept_content where digest = %(digest)s
