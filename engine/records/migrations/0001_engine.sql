-- The engine's records: what a run is, what it did, what it must still send, which irrevocable acts happened.

create table pipeline (              -- a resolved pipeline file, pinned by its digest
    digest      text primary key,    -- sha256 of the canonical definition
    name        text not null,
    version     integer not null,
    definition  jsonb not null,
    pinned_at   timestamptz not null default now()
);

create type run_state as enum (
    'ready',      -- may be claimed when due_at has come
    'running',    -- claimed; lease_until tells how long the claim holds
    'waiting',    -- paused until the event waiting_for arrives
    'parked',     -- needs a person: poisoned, in doubt, or out of attempts; error says why
    'rejected',   -- the document or its data is wrong; final
    'cancelled',  -- final
    'done'        -- final
);

create table run (
    id           uuid primary key,
    pipeline     text not null references pipeline(digest),
    label        text not null default '',          -- what the caller calls it, for people
    state        run_state not null default 'ready',
    cursor       integer not null default 0,         -- ordinal of the next stage
    epoch        bigint not null default 0,          -- fencing token: bumped by every claim
    lease_until  timestamptz,
    due_at       timestamptz not null default now(),
    attempts     integer not null default 0,         -- claims since the last progress
    waiting_for  text,
    sources      jsonb not null,                     -- [{"name": …, "digest": …}], never changed
    head         jsonb not null,                     -- digests of the current files
    facts        jsonb not null default '{}',
    error        jsonb,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
) with (fillfactor = 70);             -- a stage's progress then stays in its page and touches no index
create index run_due on run (due_at) where state in ('ready', 'running');
create index run_newest on run (created_at, id);

create table early_event (            -- events that came before the run waited for them
    run_id      uuid not null references run(id),
    name        text not null,
    payload     jsonb not null,
    arrived_at  timestamptz not null default now(),
    primary key (run_id, name)
);

create table stage_record (           -- one row per finished step of a run
    run_id        uuid not null references run(id),
    ordinal       integer not null,
    stage         text not null,
    version       integer not null,
    checkpoint    text not null,      -- digest of stage, version, options, inputs and facts read
    inputs        jsonb not null,
    outputs       jsonb not null,
    facts         jsonb not null default '{}',
    epoch         bigint not null,
    reused        boolean not null default false,
    started_at    timestamptz not null,
    finished_at   timestamptz not null default now(),
    primary key (run_id, ordinal)
);

create table checkpoint (             -- results by key, shared by runs; only of stages that do not sign
    key         text primary key,
    outputs     jsonb not null,
    facts       jsonb not null,
    created_at  timestamptz not null default now()
);

create table outbox (                 -- messages to send; also the default queue
    id            bigint generated always as identity primary key,
    dedup         text not null unique,             -- at most one pending message per key
    queue         text not null,
    body          jsonb not null,
    due_at        timestamptz not null default now(),
    locked_until  timestamptz,                       -- visibility timeout of the reader that has it
    sent_at       timestamptz,                       -- a broker confirmed it; the row stays until locked_until
    deliveries    integer not null default 0,
    created_at    timestamptz not null default now()
);
create index outbox_due on outbox (queue, due_at) where sent_at is null;
create index outbox_sent on outbox (locked_until) where sent_at is not null;

create table effect (                 -- ledger of irrevocable acts
    key          text primary key,
    kind         text not null,
    intent       bytea not null,
    result       bytea,
    keeps        text[] not null default '{}',       -- contents that intent or result name; never collected
    attempts     integer not null default 0,
    intended_at  timestamptz not null default now(),
    done_at      timestamptz
);

create table journal (                -- append-only history; sealed entries are one hash chain
    id        bigint generated always as identity primary key,
    at        timestamptz not null default clock_timestamp(),
    run_id    uuid,
    event     text not null,
    detail    json not null,          -- json, not jsonb: the text is hashed as it was written
    seq       bigint unique,          -- null until sealed
    previous  bytea,
    digest    bytea
);
create index journal_unsealed on journal (id) where seq is null;
create index journal_of_run on journal (run_id, id);
create table journal_head (           -- one row; locked by whoever seals, never by who appends: commits stay parallel
    sole      boolean primary key default true check (sole),
    seq       bigint not null,
    digest    bytea not null
);
insert into journal_head (seq, digest) values (0, decode(repeat('00', 32), 'hex'));

create unlogged table kept_content (  -- scratch of the orphan collector: digests that records name
    digest  text primary key
);
