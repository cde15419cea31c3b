import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from engine.errors import Defect, Rejected
from engine.sandbox import Limits, Sandbox, existing


@dataclass(frozen=True)
class Finding:
    """A result with structure, to show that types survive the border."""

    path: Path
    pages: tuple[int, ...]
    blob: bytes = b""


def measure(path: Path, pages: list[int], *, note: str = "") -> Finding:
    return Finding(path, tuple(page * 2 for page in pages), note.encode())


def complain(name: str) -> None:
    raise Rejected("document.damaged", zh=f"{name}坏了", en=f"{name} is damaged", name=name)


def stumble() -> None:
    raise KeyError("surprise")


def hoard() -> int:
    return len(b"x" * (4 << 30))


def spin() -> None:
    while True:
        pass


def sleep_long() -> None:
    time.sleep(60)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fill_disk(target: Path) -> None:
    with target.open("wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))


def dive(depth: int = 0) -> int:
    return dive(depth + 1)


def exit_quietly() -> None:
    os._exit(0)


def reach_out(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError as error:
        return type(error).__name__
    return "connected"


def count_up(total: int, progress: Callable[[int, int], None]) -> int:
    for done in range(1, total + 1):
        progress(done, total)
    return total


def echo(blob: bytes) -> bytes:
    return blob


def own_pid() -> int:
    return os.getpid()


_hoarded: list[bytes] = []


def keep_half() -> int:
    """Leaves most of the child's memory taken."""
    _hoarded.append(b"x" * (80 << 20))
    return os.getpid()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(preload=["tests.test_sandbox"] if "tests.test_sandbox" in sys.modules else [])
    yield sandbox
    await sandbox.close()


async def test_values_cross_the_border_with_their_types(sandbox: Sandbox) -> None:
    found = await sandbox.call(measure, Path("/a/合同.pdf"), [1, 2], note="x")
    assert found == Finding(Path("/a/合同.pdf"), (2, 4), b"x")


async def test_big_values_cross_too(sandbox: Sandbox) -> None:
    blob = os.urandom(3 << 20)
    assert await sandbox.call(echo, blob) == blob


async def test_an_error_of_the_tree_arrives_as_itself(sandbox: Sandbox) -> None:
    with pytest.raises(Rejected) as raised:
        await sandbox.call(complain, "合同")
    assert (raised.value.code, raised.value.facts, raised.value.say("zh")) == (
        "document.damaged",
        {"name": "合同"},
        "合同坏了",
    )


async def test_an_unexpected_exception_is_a_defect_with_its_trace(sandbox: Sandbox) -> None:
    with pytest.raises(Defect) as raised:
        await sandbox.call(stumble)
    assert raised.value.code == "sandbox.unexpected"
    assert "surprise" in str(raised.value.facts["trace"])


@pytest.mark.parametrize(
    ("function", "limits", "code"),
    [
        (hoard, Limits(memory_mb=256), "document.too_large"),
        (spin, Limits(cpu_seconds=1), "document.too_slow"),
        (sleep_long, Limits(wall_seconds=0.5), "document.too_slow"),
        (crash, Limits(), "document.crashes_parser"),
        (dive, Limits(), "document.too_large"),
        (exit_quietly, Limits(), "document.crashes_parser"),
    ],
)
async def test_a_child_that_goes_astray_ends_as_one_clear_refusal(
    sandbox: Sandbox, function: Callable[[], None], limits: Limits, code: str
) -> None:
    with pytest.raises(Rejected) as raised:
        await sandbox.within(limits).call(function)
    assert raised.value.code == code
    assert await sandbox.call(measure, Path("x"), [1]) == Finding(Path("x"), (2,)), "the next call works"


async def test_a_file_that_grows_too_big_is_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "big"
    with pytest.raises(Rejected, match="size"):
        await sandbox.within(Limits(file_mb=4)).call(fill_disk, target)
    assert target.stat().st_size <= 4 << 20


@pytest.mark.skipif(
    os.geteuid() != 0 and subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode != 0,
    reason="this machine lets ordinary users give up nothing",
)
async def test_a_child_has_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await sandbox.call(reach_out, server.getsockname()[1]) != "connected"


async def test_progress_is_reported_while_it_works(sandbox: Sandbox) -> None:
    seen: list[tuple[int, int]] = []
    await sandbox.within(progress=lambda done, total: seen.append((done, total))).call(count_up, 3)
    assert seen == [(1, 3), (2, 3), (3, 3)]


async def test_calls_run_side_by_side(sandbox: Sandbox) -> None:
    results = await asyncio.gather(*(sandbox.call(measure, Path(str(n)), [n]) for n in range(20)))
    assert [result.pages for result in results] == [(n * 2,) for n in range(20)]


async def test_a_lost_server_is_started_again(sandbox: Sandbox) -> None:
    await sandbox.call(own_pid)
    for server in psutil.Process().children():
        if "engine.zygote" in server.cmdline():
            server.kill()
            server.wait()
    assert await sandbox.call(measure, Path("x"), [1]) == Finding(Path("x"), (2,))


async def test_a_cancelled_call_leaves_no_child_behind(sandbox: Sandbox) -> None:
    await sandbox.call(own_pid)
    call = asyncio.create_task(sandbox.call(sleep_long))
    await asyncio.sleep(0.2)
    (server,) = (child for child in psutil.Process().children() if "engine.zygote" in child.cmdline())
    assert len(server.children()) == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(100):
        if not server.children():
            break
        await asyncio.sleep(0.02)
    assert server.children() == []


async def test_server_and_children_end_with_us(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys\n"
        "from engine.sandbox import Sandbox\n"
        "from tests import test_sandbox as t\n"
        "async def main():\n"
        "    s = Sandbox(); print(await s.call(t.own_pid), flush=True)\n"
        "    await s.call(t.sleep_long)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    await asyncio.sleep(0.3)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 2, "a server and its sleeping child"
    process.kill()
    await process.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=10)
    assert not alive and len(gone) == 2


async def test_one_child_serves_several_calls_and_ends_with_its_block(sandbox: Sandbox) -> None:
    async with sandbox.child() as child:
        first = await child.call(own_pid)
        assert await child.call(own_pid) == first
        assert await sandbox.call(own_pid) != first, "others have children of their own"
    for _ in range(100):
        if not psutil.pid_exists(first):
            break
        await asyncio.sleep(0.02)
    assert not psutil.pid_exists(first)


async def test_calls_about_one_document_share_a_child(sandbox: Sandbox) -> None:
    async with sandbox.document():
        first = await sandbox.call(own_pid)
        assert await sandbox.call(own_pid) == first
        async with sandbox.child() as child:
            assert await child.call(own_pid) == first
            assert await sandbox.call(own_pid) != first, "it is busy"
        assert await sandbox.within(Limits(memory_mb=99)).call(own_pid) != first, "other limits"
        shared = await sandbox.call(own_pid)
        with pytest.raises(Rejected):
            await sandbox.call(complain, "x")
        assert await sandbox.call(own_pid) != shared, "a call that raised was its last"
    outside = await sandbox.call(own_pid)
    assert await sandbox.call(own_pid) != outside, "nothing is shared outside of the block"


async def test_documents_worked_on_at_the_same_time_never_share(sandbox: Sandbox) -> None:
    async def work() -> set[int]:
        async with sandbox.document():
            return {await sandbox.call(own_pid) for _ in range(5)}

    found = await asyncio.gather(*(work() for _ in range(6)))
    assert all(len(pids) == 1 for pids in found)
    assert len(set.union(*found)) == 6


async def test_a_child_that_was_busy_long_is_not_used_again(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.sandbox._SHARED_SECONDS", 0.0)
    async with sandbox.document():
        assert await sandbox.call(own_pid) != await sandbox.call(own_pid)


async def test_documents_of_our_own_making_take_turns_in_a_lasting_child(sandbox: Sandbox) -> None:
    async with sandbox.lasting() as child, sandbox.lasting() as other:
        first, second = await child.call(own_pid), await other.call(own_pid)
        assert first != second, "two at the same time never share"
    async with sandbox.lasting() as child:
        assert await child.call(own_pid) in (first, second)
    assert await sandbox.call(own_pid) not in (first, second), "foreign bytes never come near it"
    async with sandbox.document():
        warm = await sandbox.call(own_pid)
        async with sandbox.lasting() as child:
            assert await child.call(own_pid) == warm, "one that knows the document already comes first"


async def test_a_lasting_child_ends_with_the_first_block_that_failed(sandbox: Sandbox) -> None:
    async with sandbox.lasting() as child:
        first = await child.call(own_pid)
    with pytest.raises(Rejected):
        async with sandbox.lasting() as child:
            assert await child.call(own_pid) == first
            await child.call(complain, "x")
    async with sandbox.lasting() as child:
        assert await child.call(own_pid) != first


async def test_what_a_document_used_up_is_not_the_next_ones_fault(sandbox: Sandbox) -> None:
    narrow = sandbox.within(Limits(memory_mb=130))
    async with narrow.lasting() as child:
        first = await child.call(keep_half)
    async with narrow.lasting() as child:
        assert await child.call(keep_half) != first, "it was repeated in a fresh one"
        os.kill(await child.call(own_pid), signal.SIGKILL)
        assert await child.call(own_pid), "nor is a child that somebody killed"
    with pytest.raises(Rejected) as raised:
        async with narrow.lasting() as child:
            await child.call(hoard)
    assert raised.value.code == "document.too_large", "what no child can do is refused"


async def test_progress_goes_to_the_call_that_asked_for_it(sandbox: Sandbox) -> None:
    seen: list[tuple[int, int]] = []
    async with sandbox.document():
        await sandbox.within(progress=lambda done, total: seen.append((done, total))).call(count_up, 2)
        await sandbox.call(count_up, 2)
    assert seen == [(1, 2), (2, 2)]


async def test_a_child_that_died_between_calls_is_a_clear_error(sandbox: Sandbox) -> None:
    async with sandbox.child() as child:
        os.kill(await child.call(own_pid), signal.SIGKILL)
        with pytest.raises(Defect) as raised:
            await child.call(own_pid)
    assert raised.value.code == "sandbox.lost", "whoever kills a child, it is not the document's fault"


async def test_a_missing_file_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(Rejected, match="nowhere"):
        await sandbox.call(existing, Path("/nowhere"))
