-- name: clock
select clock_timestamp() as now

-- name: keep
insert into intent (token, run_id, document, party, purpose, proof, expires_at, used_by, used_at)
values (%(token)s, %(run)s, %(document)s, %(party)s, %(purpose)s, %(proof)s, %(expires_at)s, %(act)s,
        case when %(act)s::text is not null then clock_timestamp() end)
on conflict (used_by) do nothing

-- name: of act
select proof from intent where used_by = %(act)s

-- name: redeem
-- The row's lock is taken first, so that of two acts one uses the token and the other sees that it did.
with known as (
    select token, proof, used_by, expires_at <= clock_timestamp() as expired from intent where token = %(token)s for update
), used as (
    update intent
       set used_by = %(act)s, used_at = clock_timestamp()
      from known
     where intent.token = known.token and known.used_by is null and intent.expires_at > clock_timestamp()
       and intent.document = %(document)s and intent.party = %(party)s and intent.purpose = %(purpose)s
       and not exists (select from intent as earlier where earlier.used_by = %(act)s)
    returning intent.token, intent.run_id
), written as (
    insert into journal (run_id, event, detail)
    select coalesce(%(run)s::uuid, run_id), 'intent used', %(detail)s::json from used
)
select proof, used_by, expired, exists (select from used) as fresh from known
