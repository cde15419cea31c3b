-- name: append
insert into journal (run_id, event, detail) values (%(run)s, %(event)s, %(detail)s::json)

-- name: lock head
-- Whoever seals at this moment does it for us, too.
select seq, digest from journal_head for update skip locked

-- name: hold head
select from journal_head for update

-- name: unsealed
select id, at, run_id, event, detail::text from journal where seq is null order by id limit %(limit)s

-- name: seal
update journal
   set seq = sealed.seq, previous = sealed.previous, digest = sealed.digest
  from unnest(%(ids)s::bigint[], %(seqs)s::bigint[], %(previous)s::bytea[], %(digests)s::bytea[])
       as sealed (id, seq, previous, digest)
 where journal.id = sealed.id

-- name: move head
update journal_head set seq = %(seq)s, digest = %(digest)s

-- name: sealed
select id, at, run_id, event, detail::text, seq, previous, digest from journal where seq is not null order by seq

-- name: head
select seq, digest, (select count(*) from journal where seq is null) as unsealed from journal_head

-- name: of run
select id, at, run_id, event, detail::text, seq, previous, digest
  from journal
 where run_id = %(run)s and seq is not null
 order by seq
