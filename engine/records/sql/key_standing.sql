-- name: worst
-- A certificate is revoked whichever party names it; what stands under '' holds for all that a party has.
select state, reason, since from key_standing
 where (party = %(party)s and certificate = '') or (certificate = %(certificate)s and certificate <> '')
 order by state = 'revoked' desc
 limit 1

-- name: suspend
insert into key_standing (party, state, reason) values (%(party)s, 'suspended', %(reason)s)
on conflict (party, certificate) do nothing

-- name: resume
delete from key_standing where party = %(party)s and certificate = '' and state = 'suspended'

-- name: revoke
insert into key_standing as known (party, certificate, state, reason)
values (%(party)s, %(certificate)s, 'revoked', %(reason)s)
on conflict (party, certificate) do update
    set state = 'revoked', reason = excluded.reason, since = clock_timestamp()
    where known.state <> 'revoked'

-- name: all
select party, certificate, state, reason, since from key_standing order by party, certificate
