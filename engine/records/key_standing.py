"""Which signing keys may be used (密钥状态): suspended until resumed, or revoked for ever; holds at the next use.

Law: 电子签名法 art. 15 and 27 (a holder who fears for the key must stop its use). A suspension is of a party, whatever
key it has; a revocation is of one certificate, so that the party may sign again with a new one. A signature that was
made before stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asn1crypto.x509 import Certificate

from engine.errors import Conflict, Rejected
from engine.records import journal
from engine.records.database import Connection, Database
from engine.records.statements import statements

_SQL = statements("key_standing")
WHOLE_PARTY = ""
"""Stands for a certificate where all a party has, or will have, is meant."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that must not be used; ``certificate`` is a sha256 in hex, or empty: all of the party's."""

    party: str
    certificate: str
    state: str
    reason: str
    since: datetime


class PostgresStanding:
    """Asks the records before every use of a key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def require(self, party: str, certificate: Certificate) -> None:
        """Raises Conflict ``keys.suspended``, Rejected ``keys.revoked``, Unavailable ``database.unavailable``."""
        arguments = {"party": party, "certificate": certificate.sha256.hex()}
        async with self._database.autocommit() as connection:
            row = await (await connection.execute(_SQL["worst"], arguments)).fetchone()
        if row is None:
            return
        since, reason = row["since"].isoformat(timespec="seconds"), row["reason"] or "-"
        if row["state"] == "revoked":
            raise Rejected(
                "keys.revoked",
                zh=f"签约方“{party}”的密钥已于 {since} 吊销（{reason}），不能再用于签署。请换用新证书后重新发起。",
                en=f"The key of the party “{party}” was revoked at {since} ({reason}) and signs nothing any more. "
                "Start again with a new certificate.",
                party=party,
                since=since,
            )
        raise Conflict(
            "keys.suspended",
            zh=f"签约方“{party}”的密钥自 {since} 起暂停使用（{reason}）。任务会等待；"
            f"核实后用 sealflow keys resume {party} 恢复。",
            en=f"The key of the party “{party}” is suspended since {since} ({reason}). The run waits; once the matter "
            f"is settled, sealflow keys resume {party} lets it go on.",
            party=party,
            since=since,
        )


async def suspend(connection: Connection, party: str, reason: str) -> None:
    """Stop every use of a party's keys; raises Conflict ``keys.stopped_already``."""
    done = await connection.execute(_SQL["suspend"], {"party": party, "reason": reason})
    if done.rowcount == 0:
        raise _stopped_already(party)
    await journal.append(connection, "key suspended", None, {"party": party, "reason": reason})


async def resume(connection: Connection, party: str, reason: str) -> None:
    """Lift a suspension; raises Conflict ``keys.not_suspended``, also for what is revoked."""
    done = await connection.execute(_SQL["resume"], {"party": party})
    if done.rowcount == 0:
        raise Conflict(
            "keys.not_suspended",
            zh=f"签约方“{party}”没有处于暂停状态。吊销的密钥不能恢复；用 sealflow keys list 查看。",
            en=f"The party “{party}” is not suspended. A revoked key never comes back; see sealflow keys list.",
            party=party,
        )
    await journal.append(connection, "key resumed", None, {"party": party, "reason": reason})


async def revoke(connection: Connection, party: str, certificate: str, reason: str) -> None:
    """End the use of a certificate (sha256 in hex), or of all a party has (``WHOLE_PARTY``), for ever.

    Raises Conflict ``keys.stopped_already``.
    """
    arguments = {"party": party, "certificate": certificate, "reason": reason}
    if (await connection.execute(_SQL["revoke"], arguments)).rowcount == 0:
        raise _stopped_already(party)
    await journal.append(connection, "key revoked", None, arguments)


async def entries(connection: Connection) -> list[Entry]:
    """All that is suspended or revoked."""
    return [Entry(**row) for row in await (await connection.execute(_SQL["all"])).fetchall()]


def _stopped_already(party: str) -> Conflict:
    return Conflict(
        "keys.stopped_already",
        zh=f"签约方“{party}”的密钥已经暂停或吊销。用 sealflow keys list 查看。",
        en=f"The key of the party “{party}” is suspended or revoked already; see sealflow keys list.",
        party=party,
    )
