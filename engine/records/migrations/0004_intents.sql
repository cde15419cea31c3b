create table intent (                 -- what a party agreed to; each token is good for one act
    token       text primary key,
    run_id      uuid,
    document    text not null,        -- sha256 of the base revision
    party       text not null,
    purpose     text not null,
    proof       text not null,        -- canonical JSON: its digest is in the signature
    expires_at  timestamptz not null,
    used_by     text unique,          -- effect key of the act; an act has one proof
    used_at     timestamptz
);
create index intent_of_run on intent (run_id);

alter table run add column listening text[] not null default '{}';  -- events that end its waiting
update run set listening = array[waiting_for] where waiting_for is not null;
