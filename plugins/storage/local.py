"""Content store in a local folder; one disk, no replication, and the folder must be on one file system that has links.

Durable put-if-absent: a temporary file is written and fsynced, hard-linked to its digest, and the folder is fsynced,
so after any crash a digest names either nothing or the whole content.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from engine.errors import Defect, Rejected, SealflowError, Unavailable
from engine.vendors.hooks import hookimpl

_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEMPORARY_LIFE = 3600.0  # seconds after its last byte; no living writer pauses that long


@dataclass(frozen=True, slots=True)
class LocalStorageSettings:
    """``folder``: where contents lie, by default ``store`` in the home; ``floor_mb``: MiB that must stay free."""

    folder: Path | None = None
    floor_mb: int = 512


class LocalStorage:
    """Contents at ``<folder>/<two hex digits>/<digest>``, mode 0444, in a folder only its owner may enter."""

    def __init__(self, settings: LocalStorageSettings, home: Path) -> None:
        self._folder = settings.folder or home / "store"
        self._temporaries = self._folder / "tmp"
        self._floor = settings.floor_mb * 1024 * 1024
        with _explained(self._folder):
            self._prepare()

    async def put(self, source: Path) -> str:
        return await asyncio.to_thread(self._put, source)

    async def get(self, digest: str, workspace: Path) -> Path:  # noqa: ARG002  # a local file needs no copy
        return await asyncio.to_thread(self._get, digest)

    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        limit = stored_before.timestamp()
        for shard in await asyncio.to_thread(self._shards):
            for path in await asyncio.to_thread(self._stored_before, shard, limit):
                # Looked at once more: the reader may take long over a shard, and content put again meanwhile is new.
                if _is_older(path, limit):
                    yield path.name

    async def delete(self, digest: str) -> None:
        await asyncio.to_thread(self._delete, digest)

    # The instants of a put; each is a method of its own so that a fault harness can die exactly there.

    def _write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        file.write(chunk)  # buffered: a bare write may be cut short on a full disk

    def _flush(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def _link(self, temporary: Path, target: Path) -> None:
        target.hardlink_to(temporary)

    def _settle(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _put(self, source: Path) -> str:
        try:
            reader = source.open("rb", buffering=0)
        except OSError as error:
            raise Rejected(
                "document.missing",
                zh=f"无法读取要保存的文件 {source}：{error.strerror}。请检查路径和权限。",
                en=f"The file to store, {source}, cannot be read: {error.strerror}. Check its path and rights.",
                file=str(source),
            ) from error
        with reader, _explained(self._folder):
            self._refuse_when_full(os.fstat(reader.fileno()).st_size)
            temporary = self._temporaries / secrets.token_hex(16)
            try:
                digest = self._copy(reader, temporary)
                self._publish(temporary, self._path(digest))
            finally:
                temporary.unlink(missing_ok=True)
        return digest

    def _copy(self, reader: BinaryIO, temporary: Path) -> str:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(_CHUNK))
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while count := reader.readinto(buffer):  # type: ignore[attr-defined]  # unbuffered files have it
                digest.update(buffer[:count])
                self._write(file, buffer[:count])
            os.fchmod(file.fileno(), 0o444)
            self._flush(file)
        return digest.hexdigest()

    def _publish(self, temporary: Path, target: Path) -> None:
        try:
            self._link(temporary, target)
        except FileExistsError:
            if _is_intact(target):
                os.utime(target)  # stored anew: the orphan collector must not take it for old
            else:
                temporary.replace(target)  # rot in the old copy is healed by the good one at hand
        # Also when another writer linked first: it may not have fsynced the folder yet.
        self._settle(target.parent)

    def _get(self, digest: str) -> Path:
        path = self._path(digest)
        with _explained(self._folder):
            try:
                intact = _is_intact(path)
            except FileNotFoundError:
                raise _missing(digest) from None
        if not intact:
            raise Defect(
                "storage.corrupt",
                zh=f"存储内容 {digest} 已损坏（摘要不符）。请从备份恢复该文件：{path}。",
                en=f"The stored content {digest} is damaged: its digest differs. Restore {path} from a backup.",
                digest=digest,
            )
        return path

    def _delete(self, digest: str) -> None:
        if not _DIGEST.fullmatch(digest):
            return
        path = self._path(digest)
        with _explained(self._folder):
            path.unlink(missing_ok=True)
            self._settle(path.parent)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):  # also keeps a hostile name from leaving the folder
            raise _missing(digest)
        return self._folder / digest[:2] / digest

    def _shards(self) -> list[Path]:
        with _explained(self._folder):
            return sorted(path for path in self._folder.iterdir() if len(path.name) == 2)

    def _stored_before(self, shard: Path, limit: float) -> list[Path]:
        with _explained(self._folder):
            return sorted(path for path in shard.iterdir() if _is_older(path, limit))

    def _prepare(self) -> None:
        """Make every shard now, so that a put needs to fsync one folder only; collect what killed writers left."""
        if not self._temporaries.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(256):
                (self._folder / f"{number:02x}").mkdir(exist_ok=True)
            self._settle(self._folder)
            self._temporaries.mkdir(exist_ok=True)
            self._settle(self._folder)
            self._settle(self._folder.parent)
        limit = time.time() - _TEMPORARY_LIFE
        for path in self._temporaries.iterdir():
            if _is_older(path, limit):
                path.unlink(missing_ok=True)

    def _refuse_when_full(self, size: int) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._floor:
            raise _full(self._folder, free)


def _is_intact(path: Path) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.name


def _is_older(path: Path, limit: float) -> bool:
    try:
        return path.stat().st_mtime < limit
    except FileNotFoundError:  # deleted meanwhile
        return False


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say what a failure of the disk means; our own errors pass."""
    try:
        yield
    except SealflowError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folder, 0) from error
        raise Unavailable(
            "storage.unavailable",
            zh=f"存储目录 {folder} 无法使用：{error.strerror}。请检查磁盘和权限；系统稍后会重试。",
            en=f"The store {folder} cannot be used: {error.strerror}. Check disk and rights; it will be tried again.",
            folder=str(folder),
        ) from error


def _missing(digest: str) -> Rejected:
    return Rejected(
        "storage.missing",
        zh=f"存储中没有内容 {digest}。请检查编号，或确认它没有被清理。",
        en=f"Nothing is stored under {digest}. Check the digest, or whether it was collected.",
        digest=digest,
    )


def _full(folder: Path, free: int) -> Unavailable:
    return Unavailable(
        "storage.full",
        zh=f"存储目录 {folder} 所在磁盘空间不足（剩余 {free // 1048576} MiB）。请清理或扩容；系统稍后会重试。",
        en=f"The disk of the store {folder} is too full ({free // 1048576} MiB free). "
        "Make room; it will be tried again.",
        folder=str(folder),
        free_mb=free // 1048576,
    )


@hookimpl
def sealflow_storages() -> Mapping[str, type[LocalStorage]]:
    """Offer ``local``."""
    return {"local": LocalStorage}
