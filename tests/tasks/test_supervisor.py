"""Posts stay filled, a hopeless one is not started in a frenzy, and nothing outlives the supervisor's own end."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.tasks.supervisor import Post, Supervisor, notify

READY = "import os; os.write(0, b'r');"


def python(name: str, code: str) -> Post:
    return Post(name, (sys.executable, "-S", "-c", code))


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - what we wait for happens in other processes
            await asyncio.sleep(0.02)


async def test_a_process_that_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x')"
    supervisor = Supervisor([python("hopeless", code)], grace=5)
    running = asyncio.create_task(supervisor.run())
    await until(lambda: starts.exists() and len(starts.read_text()) >= 3)
    await asyncio.sleep(1.0)
    supervisor.stop()
    assert await running == 0
    assert 3 <= len(starts.read_text()) <= 7


async def test_a_process_that_ignores_the_request_to_stop_is_killed_after_its_grace() -> None:
    deaf = python("deaf", f"import signal, time; signal.signal(15, signal.SIG_IGN); {READY} time.sleep(600)")
    supervisor = Supervisor([deaf], grace=0.3)
    running = asyncio.create_task(supervisor.run())
    await deaf.ready.wait()
    assert deaf.process is not None
    process = psutil.Process(deaf.process.pid)
    supervisor.stop()
    assert await running == 0
    assert not process.is_running()


async def test_what_a_dead_process_had_started_does_not_stay_behind(tmp_path: Path) -> None:
    grandchild = tmp_path / "pid"
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
        f"open({str(grandchild)!r}, 'w').write(str(child.pid)); {READY} child.wait()"
    )
    post = python("parent", code)
    supervisor = Supervisor([post], grace=5)
    running = asyncio.create_task(supervisor.run())
    await post.ready.wait()
    orphan = psutil.Process(int(grandchild.read_text()))
    assert post.process is not None
    post.process.kill()
    await until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
    supervisor.stop()
    await running


async def test_a_terminals_interrupt_is_for_the_supervisor_alone() -> None:
    post = python("child", f"{READY} import time; time.sleep(600)")
    supervisor = Supervisor([post], grace=5)
    running = asyncio.create_task(supervisor.run())
    await post.ready.wait()
    assert post.process is not None
    assert os.getpgid(post.process.pid) != os.getpgid(0)
    supervisor.stop()
    assert await running == 0


async def test_a_cancelled_supervisor_takes_its_processes_with_it() -> None:
    post = python("child", f"{READY} import time; time.sleep(600)")
    running = asyncio.create_task(Supervisor([post], grace=5).run())
    await post.ready.wait()
    assert post.process is not None
    process = psutil.Process(post.process.pid)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not process.is_running()


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    address = f"@sealflow-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mailbox:
        mailbox.bind("\0" + address[1:] if abstract else address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert mailbox.recv(64) == b"READY=1"


def test_an_absent_service_manager_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
