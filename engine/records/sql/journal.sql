-- name: append
insert into journal (run_id, event, detail) values (%(run)s, %(event)s, %(detail)s::json)
