-- What waits for a person is looked up all day among very many finished runs.
create index run_by_state on run (state, created_at, id);
