"""The local content store: whole or nothing after every failure, and never wrong bytes."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import stat
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Defect, Rejected, Unavailable
from plugins.storage.local import LocalStorage, LocalStorageSettings

MEBIBYTE = 1024 * 1024


def open_store(home: Path, floor_mb: int = 0) -> LocalStorage:
    return LocalStorage(LocalStorageSettings(floor_mb=floor_mb), home)


def file_with(folder: Path, content: bytes, name: str = "source") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def temporaries(home: Path) -> list[Path]:
    return list((home / "store" / "tmp").iterdir())


def contents(home: Path) -> list[Path]:
    return [path for path in (home / "store").glob("??/*") if path.is_file()]


async def all_digests(store: LocalStorage, before: datetime) -> list[str]:
    return [digest async for digest in store.digests(before)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(content=st.binary(max_size=5000))
async def test_what_was_put_comes_back_under_its_sha256(tmp_path: Path, content: bytes) -> None:
    store = open_store(tmp_path)
    digest = await store.put(file_with(tmp_path, content))
    assert digest == hashlib.sha256(content).hexdigest()
    assert (await store.get(digest, tmp_path)).read_bytes() == content
    assert temporaries(tmp_path) == []


async def test_content_is_read_only_and_its_folder_private(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    path = await store.get(await store.put(file_with(tmp_path, b"x")), tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


async def test_files_larger_than_one_chunk_are_whole(tmp_path: Path) -> None:
    content = os.urandom(3 * MEBIBYTE + 17)
    store = open_store(tmp_path)
    assert (await store.get(await store.put(file_with(tmp_path, content)), tmp_path)).read_bytes() == content


async def test_twenty_writers_of_one_content_leave_one_copy(tmp_path: Path) -> None:
    source = file_with(tmp_path, b"same" * 1000)
    stores = [open_store(tmp_path) for _ in range(4)]
    digests = await asyncio.gather(*(stores[number % 4].put(source) for number in range(20)))
    assert len(set(digests)) == 1
    assert len(contents(tmp_path)) == 1
    assert temporaries(tmp_path) == []


async def test_damaged_content_is_never_handed_out(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    digest = await store.put(file_with(tmp_path, b"contract"))
    damage(contents(tmp_path)[0])
    with pytest.raises(Defect) as caught:
        await store.get(digest, tmp_path)
    assert caught.value.code == "storage.corrupt"


async def test_putting_the_good_bytes_again_heals_a_damaged_copy(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source = file_with(tmp_path, b"contract")
    digest = await store.put(source)
    damage(contents(tmp_path)[0])
    assert await store.put(source) == digest
    assert (await store.get(digest, tmp_path)).read_bytes() == b"contract"


@pytest.mark.parametrize("digest", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
async def test_an_unknown_or_hostile_digest_is_missing(tmp_path: Path, digest: str) -> None:
    with pytest.raises(Rejected) as caught:
        await open_store(tmp_path).get(digest, tmp_path)
    assert caught.value.code == "storage.missing"


async def test_deleting_twice_is_no_error_and_outside_files_are_safe(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    outside = file_with(tmp_path, b"keep me")
    digest = await store.put(outside)
    await store.delete(digest)
    await store.delete(digest)
    await store.delete("../../source")
    assert contents(tmp_path) == []
    assert outside.exists()


async def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await open_store(tmp_path).put(tmp_path / "nowhere.pdf")
    assert caught.value.code == "document.missing"
    assert "nowhere.pdf" in caught.value.text.en


async def test_only_content_stored_before_the_instant_is_listed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    old = await store.put(file_with(tmp_path, b"old"))
    new = await store.put(file_with(tmp_path, b"new"))
    age(tmp_path / "store" / old[:2] / old, hours=48)
    now = datetime.now(UTC)
    assert await all_digests(store, now - timedelta(hours=24)) == [old]
    assert sorted(await all_digests(store, now + timedelta(hours=1))) == sorted([old, new])


async def test_content_put_again_counts_as_new_so_that_the_collector_spares_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source = file_with(tmp_path, b"orphan")
    digest = await store.put(source)
    age(tmp_path / "store" / digest[:2] / digest, hours=48)
    await store.put(source)
    assert await all_digests(store, datetime.now(UTC) - timedelta(hours=24)) == []


async def test_content_put_again_while_the_list_is_read_is_spared_too(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    digests = [await store.put(file_with(tmp_path, bytes([number]))) for number in range(40)]
    for digest in digests:
        age(tmp_path / "store" / digest[:2] / digest, hours=48)
    listed: list[str] = []
    async for digest in store.digests(datetime.now(UTC) - timedelta(hours=24)):
        listed.append(digest)
        for other in range(40):  # all that are not listed yet
            if digests[other] not in listed:
                await store.put(file_with(tmp_path, bytes([other])))
    assert len(listed) == 1


async def test_a_store_that_was_taken_away_is_unavailable(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        await store.put(file_with(tmp_path, b"x"))
    with pytest.raises(Unavailable):
        await all_digests(store, datetime.now(UTC))


async def test_below_the_floor_nothing_is_written(tmp_path: Path) -> None:
    store = open_store(tmp_path, floor_mb=1 << 40)
    with pytest.raises(Unavailable) as caught:
        await store.put(file_with(tmp_path, b"x"))
    assert caught.value.code == "storage.full"
    assert contents(tmp_path) == temporaries(tmp_path) == []


class FullAfterHalf(LocalStorage):
    """The disk fills up while the second chunk is written."""

    code = errno.ENOSPC
    written = 0

    def _write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        self.written += 1
        if self.written == 2:
            file.write(chunk[: len(chunk) // 2])
            raise OSError(self.code, os.strerror(self.code))
        super()._write(file, chunk)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "storage.full"), (errno.EDQUOT, "storage.full"), (errno.EIO, "storage.unavailable")],
)
async def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, number: int, code: str) -> None:
    store = FullAfterHalf(LocalStorageSettings(floor_mb=0), tmp_path)
    store.code = number
    with pytest.raises(Unavailable) as caught:
        await store.put(file_with(tmp_path, b"x" * 2 * MEBIBYTE))
    assert caught.value.code == code
    assert contents(tmp_path) == temporaries(tmp_path) == []


def test_a_store_on_a_folder_it_may_not_make_is_unavailable(tmp_path: Path) -> None:
    file_with(tmp_path, b"a file, no folder", "store")
    with pytest.raises(Unavailable) as caught:
        open_store(tmp_path)
    assert caught.value.code == "storage.unavailable"


async def test_what_killed_writers_left_is_collected_after_an_hour(tmp_path: Path) -> None:
    open_store(tmp_path)
    old = file_with(tmp_path / "store" / "tmp", b"half", "old")
    young = file_with(tmp_path / "store" / "tmp", b"half", "young")
    age(old, hours=1.1)
    open_store(tmp_path)
    assert temporaries(tmp_path) == [young]


KILLED = textwrap.dedent("""
    import asyncio, os, signal, sys
    from pathlib import Path
    from plugins.storage.local import LocalStorage, LocalStorageSettings

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    class Dying(LocalStorage):
        def _write(self, file, chunk):
            if instant == "half":
                super()._write(file, chunk[: len(chunk) // 2])
                file.flush()
                die()
            super()._write(file, chunk)
        def _flush(self, file):
            super()._flush(file)
            if instant == "flushed":
                die()
        def _link(self, temporary, target):
            super()._link(temporary, target)
            if instant == "linked":
                die()
        def _settle(self, folder):
            super()._settle(folder)
            if instant == "settled" and len(folder.name) == 2:
                die()

    instant, home, source = sys.argv[1:]
    asyncio.run(Dying(LocalStorageSettings(floor_mb=0), Path(home)).put(Path(source)))
""")


@pytest.mark.parametrize(
    ("instant", "visible"), [("half", False), ("flushed", False), ("linked", True), ("settled", True)]
)
async def test_a_writer_killed_at_any_instant_leaves_the_whole_content_or_none(
    tmp_path: Path, instant: str, visible: bool
) -> None:
    content = os.urandom(300_000)
    source = file_with(tmp_path, content)
    arguments = ["-c", KILLED, instant, str(tmp_path), str(source)]
    writer = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=Path(__file__).parents[2])
    assert await writer.wait() == -signal.SIGKILL
    assert [path.read_bytes() for path in contents(tmp_path)] == ([content] if visible else [])
    store = open_store(tmp_path)
    digest = await store.put(source)
    assert (await store.get(digest, tmp_path)).read_bytes() == content
    assert len(contents(tmp_path)) == 1


async def test_the_event_loop_runs_on_while_a_large_file_is_stored(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source = file_with(tmp_path, bytes(32 * MEBIBYTE))
    putting = asyncio.create_task(store.put(source))
    turns = 0
    while not putting.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


def damage(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))


def age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
