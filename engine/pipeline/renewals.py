"""Renews the files of finished runs (续期): finds what is due, renews each once, and puts it into its run's head.

The old file stays in the content store for as long as a record names it; the new one begins with its bytes.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from engine.errors import Conflict, SealflowError, Unavailable
from engine.records import renewals
from engine.records.database import Database
from engine.records.effects import PostgresLedger
from engine.records.renewals import Listed
from engine.sandbox import Caller
from engine.trust.algorithms import Suite, sunset
from engine.trust.renewal import Due, Renewer, find_due, renew_document
from engine.trust.signing import Surroundings
from engine.trust.terms import Term, read_term
from engine.vendors.protocols import Storage

_TOO_MANY = 3
"""Renewals in a row that found a service away: the rest would find the same."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How early a file is renewed: ``margin`` before its end; ``sunsets``: see ``engine.trust.algorithms``."""

    margin: timedelta
    sunsets: Mapping[str, date]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file; ``due`` None: nothing to renew. ``file``: its digest now."""

    run_id: UUID
    place: int
    digest: str
    due: Due | None
    error: SealflowError | None = None


@dataclass(frozen=True, slots=True)
class Renewals:
    """The renewals of an installation; ``renewer`` does one file."""

    database: Database
    storage: Storage
    sandbox: Caller
    renewer: Renewer
    pace: Pace

    async def list_new(self) -> AsyncIterator[UUID]:
        """Read the files of runs that finished since; gives each run when its files are in the list."""
        async for run_id, head in renewals.find_unlisted(self.database):
            for place, digest in enumerate(head):
                await self._list(run_id, place, digest)
            yield run_id

    async def count_due(self, before: datetime) -> int:
        """Files due before a time."""
        return await renewals.count_due(self.database, *await self._bounds(before))

    async def find_due(self, before: datetime) -> AsyncIterator[tuple[Listed, Due]]:
        """Files due before a time, each with its reason."""
        async for file in renewals.find_due(self.database, *await self._bounds(before)):
            if file.ends_at is None:
                continue
            term = Term((), file.ends_at, file.ends, tuple(file.suites), file.generation)
            yield file, find_due(term, self.pace.margin, self.pace.sunsets)

    async def renew_due(self, before: datetime) -> AsyncIterator[Outcome]:
        """Renew what is due, one after the other; one that cannot be renewed does not stop the rest.

        Raises Unavailable when several in a row found a service away; what is done stays done.
        """
        away = 0
        async for file, due in self.find_due(before):
            try:
                new = await self._renew(file)
            except SealflowError as error:
                async with self.database.transaction() as connection:
                    await renewals.refuse(connection, file, error.to_dict())
                away = away + 1 if isinstance(error, Unavailable) else 0
                yield Outcome(file.run_id, file.place, file.digest, due, error)
                if away == _TOO_MANY:
                    raise
            else:
                away = 0
                yield Outcome(file.run_id, file.place, new.digest, due)

    async def _bounds(self, before: datetime) -> tuple[datetime, list[str]]:
        """The end before which a certificate makes a file due, and the suites that do."""
        end = before + self.pace.margin
        ends = {
            suite: sunset(Suite.parse(suite), self.pace.sunsets) for suite in await renewals.known_suites(self.database)
        }
        return end, [suite for suite, found in ends.items() if found is not None and found[0] < end]

    async def _list(self, run_id: UUID, place: int, digest: str) -> None:
        error = None
        file = Listed(run_id, place, digest, 0, None, "", [])
        try:
            with tempfile.TemporaryDirectory(prefix="sealflow-renewal-") as folder:
                term = await self.sandbox.call(read_term, await self.storage.get(digest, Path(folder)))
            file = _listed(file, term)
        except Unavailable:
            raise
        except SealflowError as caught:
            error = caught.to_dict()
        async with self.database.transaction() as connection:
            await renewals.list_file(connection, file, error)

    async def _renew(self, file: Listed) -> Listed:
        ledger = PostgresLedger(self.database)
        with tempfile.TemporaryDirectory(prefix="sealflow-renewal-") as folder:
            source = await self.storage.get(file.digest, Path(folder))
            output = Path(folder) / "renewed.pdf"
            subject = f"{file.run_id}/renewal-{file.place}"
            around = Surroundings(self.sandbox, self.storage, ledger.once, subject, Path(folder))
            report = await renew_document(source, output, self.renewer, around)
            term = await self.sandbox.call(read_term, output)
            new = _listed(dataclasses.replace(file, digest=await self.storage.put(output)), term)
        facts = {"level_achieved": report.level} if report.level else {}
        async with self.database.transaction() as connection:
            if not await renewals.swap(connection, file, new, facts):
                raise Conflict(
                    "renewal.overtaken",
                    zh=f"任务 {file.run_id} 的文件在续期期间已被更换，本次结果未采用。请重新运行续期。",
                    en=f"The file of run {file.run_id} was replaced while it was renewed; the result was not used. "
                    "Run the renewal again.",
                    run=str(file.run_id),
                )
        return new


def _listed(file: Listed, term: Term) -> Listed:
    return dataclasses.replace(
        file, generation=term.generation, ends_at=term.ends_at, ends=term.ends, suites=list(term.suites)
    )
