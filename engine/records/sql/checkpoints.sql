-- name: find
select outputs, facts from checkpoint where key = %(key)s

-- name: keep
insert into checkpoint (key, outputs, facts) values (%(key)s, %(outputs)s, %(facts)s) on conflict (key) do nothing
