"""``sealflow keys``: which keys there are, and stopping them; a stopped key signs nothing from the next use on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click

from engine import assembly
from engine.cli import console
from engine.errors import SealflowError
from engine.language import Text
from engine.records import key_standing
from engine.settings import load_settings
from engine.trust.demo import revoke_demo_certificate
from engine.trust.keyring import KeySource, Sources


@click.group(help=str(Text(zh="密钥：列出、暂停、恢复、吊销。", en="Keys: list, suspend, resume, revoke.")))
def keys() -> None:
    """Group of the commands below."""


_reason = click.option(
    "--reason", default="", help=str(Text(zh="原因，记入日志和错误说明。", en="Why; kept in the journal and said."))
)


@keys.command("list", help=str(Text(zh="列出各签约方的密钥及其状态。", en="The keys of all parties and their state.")))
@console.json_option
def list_keys(as_json: bool) -> int:
    return asyncio.run(_list(as_json))


async def _list(as_json: bool) -> int:
    settings = load_settings()
    async with assembly.open_records(settings) as database, assembly.open_tools(settings) as tools:
        async with database.transaction() as connection:
            stopped = await key_standing.entries(connection)
        rows = [await _row(party, source, stopped) for party, source in tools.keyring.listed()]
    listed = {row["party"] for row in rows}
    for entry in stopped:  # of parties whose key is gone, or whose source knows no names
        if entry.party not in listed:
            rows.append({"party": entry.party, "source": "", "subject": "", "valid_until": "", "state": _said(entry)})
            listed.add(entry.party)
    if as_json:
        console.print_json(rows)
        return 0
    for row in rows:
        console.output.print(f"{row['party']}  {row['state']}", markup=False, soft_wrap=True)
        details = filter(None, (row["subject"], row["valid_until"], row["source"]))
        console.print_indented(" · ".join(details))
    return 0


async def _row(party: str, source: KeySource, stopped: list[key_standing.Entry]) -> dict[str, str]:
    subject = valid_until = digest = ""
    state = "usable"
    try:
        certificate = await source.certificate(party)
    except SealflowError as error:
        state = error.code
    else:
        if certificate is None:
            subject = str(Text(zh="每次签署另行签发", en="issued for each signature"))
        else:
            subject, digest = certificate.subject.native.get("common_name", ""), certificate.sha256.hex()
            valid_until = certificate.not_valid_after.date().isoformat()
            if certificate.not_valid_after < datetime.now(UTC):
                state = "expired"
    for entry in stopped:
        mine = entry.party == party and entry.certificate == key_standing.WHOLE_PARTY
        if (mine or (digest and entry.certificate == digest)) and not state.startswith("revoked"):
            state = _said(entry)
    return {"party": party, "source": source.place, "subject": subject, "valid_until": valid_until, "state": state}


def _said(entry: key_standing.Entry) -> str:
    return " ".join(filter(None, (entry.state, entry.since.date().isoformat(), entry.reason)))


@keys.command(help=str(Text(zh="立即暂停一方的密钥；其任务等待。", en="Stop a party's keys at once; its runs wait.")))
@click.argument("party")
@_reason
def suspend(party: str, reason: str) -> int:
    return asyncio.run(_change("suspend", party, reason))


@keys.command(help=str(Text(zh="恢复被暂停的密钥。", en="Lift a suspension.")))
@click.argument("party")
@_reason
def resume(party: str, reason: str) -> int:
    return asyncio.run(_change("resume", party, reason))


@keys.command(
    help=str(
        Text(
            zh="吊销一方现用的证书，不可撤回；请同时通知签发机构。",
            en="Revoke the certificate a party has, for ever; tell the authority that issued it, too.",
        )
    )
)
@click.argument("party")
@_reason
def revoke(party: str, reason: str) -> int:
    return asyncio.run(_change("revoke", party, reason))


async def _change(verb: str, party: str, reason: str) -> int:
    settings = load_settings()
    async with assembly.open_records(settings) as database, assembly.open_tools(settings) as tools:
        keyring: Sources = tools.keyring
        source = keyring.source(party)  # a name that was mistyped must not look as if it were stopped
        certificate = await source.certificate(party) if verb == "revoke" else None
        async with database.transaction() as connection:
            if verb == "suspend":
                await key_standing.suspend(connection, party, reason)
            elif verb == "resume":
                await key_standing.resume(connection, party, reason)
            else:
                digest = key_standing.WHOLE_PARTY if certificate is None else certificate.sha256.hex()
                await key_standing.revoke(connection, party, digest, reason)
        if certificate is not None:
            await asyncio.to_thread(revoke_demo_certificate, settings.home / "demo-pki", certificate)
    done = {
        "suspend": Text(zh="已暂停", en="Suspended"),
        "resume": Text(zh="已恢复", en="Resumed"),
        "revoke": Text(zh="已吊销", en="Revoked"),
    }
    console.output.print(f"{done[verb]} {party}", markup=False)
    return 0
