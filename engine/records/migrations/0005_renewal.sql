-- What each finished document's proof rests on, so that those that run out are found among millions.

create table renewal (
    run_id       uuid not null references run(id),
    place        integer not null,              -- which file of the run's head
    digest       text not null,                 -- the file as it is now
    parent       text,                          -- the file it was renewed from
    generation   integer not null default 0,    -- document timestamps in it
    ends_at      timestamptz,                   -- first end of a certificate; null: nothing here to renew
    ends         text not null default '',      -- whose certificate that is
    suites       text[] not null default '{}',  -- algorithms it rests on, as 'ecdsa-256/sha256'
    error        jsonb,                         -- why it could not be read or renewed
    examined_at  timestamptz not null default clock_timestamp(),
    primary key (run_id, place)
);
create index renewal_ends on renewal (ends_at);
create index renewal_suites on renewal using gin (suites);
