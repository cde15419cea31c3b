"""Shares one embedded server among processes: the first user in starts it, the last one out stops it.

A killed user counts as gone. While a user's loop runs, a server that dies is started again within about a second.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType

import structlog

from engine.errors import SealflowError
from engine.records.cluster.locks import Lock
from engine.records.cluster.server import Server

_log = structlog.get_logger(__name__)
_GLANCE = 0.5
_THOROUGH = 20  # every so many glances
_LONGEST_PAUSE = 15.0


class Cluster:
    """One user's hold on the embedded server in ``directory`` (created when missing, mode 0700).

    ``async with Cluster(directory) as cluster: Database(cluster.url)``, or ``start`` and ``stop`` by hand. The URL is
    a libpq one over a Unix socket and never changes. Not to be shared between processes: after a fork, make your own.
    ``patience`` (seconds) bounds crash recovery and waiting for other starters.
    """

    def __init__(self, directory: Path, *, patience: float = 300.0) -> None:
        self._server = Server(directory, patience)
        self._users: Lock | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> str:
        """Return the URL of a server that answers. Raises Unavailable or Misuse, both ``database.…``."""
        users = self._users or self._server.open_users()
        work = asyncio.ensure_future(asyncio.to_thread(self._server.start, users))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            with suppress(SealflowError):
                await work  # a thread cannot be interrupted; what it started must not be left without a user
            if self._users is None:
                await asyncio.to_thread(self._server.stop, users)
            raise
        except SealflowError:
            if self._users is None:
                users.release()
            raise
        self._users = users
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_alive(users), name="embedded-postgres")
        return self.url

    async def stop(self) -> None:
        """Leave; the last user's leaving stops the server. Close connections first: they would be cut."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._users is not None:
            users, self._users = self._users, None
            await asyncio.to_thread(self._server.stop, users)

    async def __aenter__(self) -> Cluster:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _keep_alive(self, users: Lock) -> None:
        pause = _GLANCE
        for turn in count(1):
            await asyncio.sleep(pause)
            await asyncio.to_thread(self._server.bound_log)
            if await asyncio.to_thread(self._server.is_healthy, thoroughly=turn % _THOROUGH == 0):
                pause = _GLANCE
                continue
            _log.warning("database.died", directory=str(self._server.directory))
            work = asyncio.ensure_future(asyncio.to_thread(self._server.start, users))
            try:
                await asyncio.shield(work)
                pause = _GLANCE
                _log.info("database.restarted", directory=str(self._server.directory))
            except asyncio.CancelledError:
                with suppress(SealflowError):
                    await work
                raise
            except SealflowError as error:
                pause = min(pause * 2, _LONGEST_PAUSE)
                _log.warning("database.restart_failed", code=error.code, reason=error.text.en)
