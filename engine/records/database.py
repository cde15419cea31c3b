"""PostgreSQL through one pool per process; a pool belongs to the event loop that opened it.

A transaction whose COMMIT loses the server may have happened or not: callers hold epochs and keys that make a second
try harmless.
"""

from __future__ import annotations

import hashlib
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from engine.errors import Misuse, Rejected, Unavailable
from engine.records.outbox import WATCHFUL

Connection = AsyncConnection[DictRow]
"""What every function of these rooms takes first: rows come as dicts, nothing commits by itself."""

_PATIENCE = 10.0  # seconds a caller waits for a connection
_MIGRATION_LOCK = 0x5EA1F10  # any number that nobody else uses as an advisory lock


class Database:
    """A pool of at most ``size`` connections to ``url``; it opens them when they are needed."""

    def __init__(self, url: str, size: int = 8, patience: float = _PATIENCE) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=0,
            max_size=size,
            open=False,
            timeout=patience,
            reconnect_timeout=patience,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": "sealflow",
                "connect_timeout": max(2, int(patience)),
                **WATCHFUL,
            },
            configure=_speak_utc,
            name="records",
        )

    async def open(self) -> None:
        """Be ready; no connection is made yet, so a server that is still starting is no error."""
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction: commits at the end, rolls back on an exception.

        Raises Unavailable ``database.unavailable`` when the server is away or takes the connection from us, at any
        moment up to and including the commit; the next transaction finds a new connection by itself. Raises Rejected
        ``records.not_storable`` for values PostgreSQL cannot hold, such as a label with a NUL character.
        """
        async with self.autocommit() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Connection]:
        """A connection on which every statement commits by itself: half the cost of a transaction around one.

        Raises as ``transaction``.
        """
        try:
            connection = await self._living_connection()
            try:
                yield connection
            finally:
                await self._pool.putconn(connection)
        except psycopg.OperationalError as error:  # includes PoolTimeout and deadlocks
            raise unavailable(error) from error
        except (psycopg.DataError, UnicodeEncodeError) as error:
            raise _not_storable(error) from error

    async def _living_connection(self) -> Connection:
        """Connections that died while they were idle are dropped at once: after a restart all of them are dead."""
        while True:
            connection = await self._pool.getconn()
            if _is_silent(connection):
                return connection
            await connection.close()
            await self._pool.putconn(connection)


async def _speak_utc(connection: Connection) -> None:
    await connection.execute("set timezone = 'UTC'")  # not as a connection option: that would replace the caller's own


def _is_silent(connection: Connection) -> bool:
    """True unless the idle socket is closed or has something to say: a server that leaves says so or hangs up.

    This costs a microsecond where asking the server costs a round trip.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def unavailable(error: Exception) -> Unavailable:
    """The error a caller sees for any failure of the server or of the way to it."""
    reason = _reason(error)
    return Unavailable(
        "database.unavailable",
        zh=f"数据库暂时不可用：{reason}。系统会自动重试；若持续出现，请检查 PostgreSQL 服务。",
        en=f"The database is not available: {reason}. It is tried again; if this lasts, check the PostgreSQL server.",
        reason=reason,
    )


def _not_storable(error: Exception) -> Rejected:
    return Rejected(
        "records.not_storable",
        zh=f"数据无法存入数据库：{_reason(error)}。请检查传入的文字和数值。",
        en=f"The data cannot be stored: {_reason(error)}. Check the text and numbers handed in.",
        reason=_reason(error),
    )


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


async def migrate(url: str) -> tuple[str, ...]:
    """Bring the schema forward and return the names of the migrations applied; nothing to do is no error.

    All pending files are applied in one transaction, by one process at a time. Raises Misuse
    ``database.migration_changed`` when an applied file differs from ours, ``database.newer`` when the database knows
    one that we do not, ``database.not_migrated`` when PostgreSQL refuses (a wrong address, missing rights), and
    Unavailable ``database.unavailable``.
    """
    ours = _migrations()
    try:
        async with await AsyncConnection.connect(url, row_factory=dict_row) as connection:
            await connection.execute("select pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            await connection.execute(
                "create table if not exists migration (name text primary key, digest text not null,"
                " applied_at timestamptz not null default now())"
            )
            rows = await (await connection.execute("select name, digest from migration")).fetchall()
            applied = {row["name"]: row["digest"] for row in rows}
            _refuse_strangers(applied, ours)
            pending = sorted(ours.keys() - applied.keys())
            for name in pending:
                await connection.execute(ours[name])
                await connection.execute(
                    "insert into migration (name, digest) values (%s, %s)", (name, _digest(ours[name]))
                )
            return tuple(pending)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except psycopg.Error as error:
        raise Misuse(
            "database.not_migrated",
            zh=f"PostgreSQL 拒绝建立或升级数据表：{_reason(error)}。请检查 DATABASE_URL 和该用户的权限。",
            en=f"PostgreSQL refuses to make or upgrade the tables: {_reason(error)}. "
            "Check DATABASE_URL and what its user may do.",
            reason=_reason(error),
        ) from error


def _refuse_strangers(applied: dict[str, Any], ours: dict[str, bytes]) -> None:
    for name, digest in sorted(applied.items()):
        if name not in ours:
            raise Misuse(
                "database.newer",
                zh=f"数据库已由更新的版本升级（{name}），本版本不能使用。请升级程序，或恢复升级前的备份。",
                en=f"A newer version has migrated this database ({name}) and this version cannot use it. "
                "Upgrade the program or restore the backup from before the upgrade.",
                migration=name,
            )
        if digest != _digest(ours[name]):
            raise Misuse(
                "database.migration_changed",
                zh=f"迁移文件 {name} 与数据库中记录的内容不同。请恢复该版本的原文件，不要修改已执行的迁移。",
                en=f"The migration {name} differs from the one this database was made with. "
                "Restore the original file; a migration that ran is never edited.",
                migration=name,
            )


def _migrations() -> dict[str, bytes]:
    folder = files("engine.records") / "migrations"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".sql")}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
