-- Which keys must not be used any more, or not now; asked before every use.
create table key_standing (
    party        text not null,
    certificate  text not null default '',          -- sha256 of the revoked one; '' stands for whatever the party has
    state        text not null check (state in ('suspended', 'revoked')),
    reason       text not null default '',
    since        timestamptz not null default clock_timestamp(),
    primary key (party, certificate)
);
create index key_standing_of_certificate on key_standing (certificate) where certificate <> '';
