"""Keeps processes alive: one that ends is started again, after a pause that grows while it keeps ending; Linux only.

SIGTERM or SIGINT asks all to finish; a second one, or the end of the time they get, kills them and what they started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
_STEADY = 10.0
"""Seconds a process must have lived for its end to count as the first one."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Post:
    """A place that must always be filled: the command of the process that fills it.

    The command writes any byte to its standard input, a socket, once it is ready.
    """

    name: str
    command: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Fills all posts until it is told to stop.

    ``grace``: seconds the processes get to finish. ``longest_pause``: seconds before a process that keeps dying is
    started again.
    """

    def __init__(self, posts: Sequence[Post], grace: float, longest_pause: float = LONGEST_PAUSE) -> None:
        self._posts = posts
        self._grace = grace
        self._longest_pause = longest_pause
        self._stopping = asyncio.Event()
        self._killing = asyncio.Event()

    async def run(self) -> int:
        """Return 0 after an orderly stop and 1 after a hard one."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        announcing = asyncio.create_task(self._announce())
        keeping = asyncio.gather(*(self._keep(post) for post in self._posts))
        try:
            await self._stopping.wait()
            announcing.cancel()
            notify("STOPPING=1")
            self._signal(signal.SIGTERM)
            killing = asyncio.create_task(self._killing.wait())
            both: set[asyncio.Future[Any]] = {keeping, killing}
            await asyncio.wait(both, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
            killing.cancel()
        finally:
            self._stopping.set()
            self._signal(signal.SIGKILL)
            await keeping
        return 1 if self._killing.is_set() else 0

    def stop(self) -> None:
        """Ask for an orderly stop; the second time for a hard one."""
        if self._stopping.is_set():
            self._killing.set()
        self._stopping.set()

    async def _keep(self, post: Post) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            started = loop.time()
            status = await self._fill(post)
            if self._stopping.is_set():
                return
            if loop.time() - started > _STEADY:
                pause = _FIRST_PAUSE
            log.warning("%s ended (status %s); it is started again in %.1f s.", post.name, status, pause)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, self._longest_pause)

    async def _fill(self, post: Post) -> int:
        """Start a process and wait for its end; then nothing it started is left in its process group either."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                # A group of its own: a terminal's Ctrl-C is for the supervisor, which passes on what is meant.
                process = await asyncio.create_subprocess_exec(*post.command, stdin=theirs.fileno(), process_group=0)
            post.process = process
            if self._stopping.is_set():  # told while it was being started
                process.terminate()
            ours.setblocking(False)
            listening = asyncio.create_task(_hear(ours, post.ready))
            status = await process.wait()
            listening.cancel()
        post.process = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return status

    def _signal(self, number: signal.Signals) -> None:
        for post in self._posts:
            if post.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    post.process.send_signal(number)

    async def _announce(self) -> None:
        for post in self._posts:
            await post.ready.wait()
        log.info("Ready: %s.", ", ".join(post.name for post in self._posts))
        notify("READY=1")


async def _hear(channel: socket.socket, ready: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        if await asyncio.get_running_loop().sock_recv(channel, 16):
            ready.set()


def notify(state: str) -> None:
    """Tell the service manager, where there is one (sd_notify(3): a datagram to ``NOTIFY_SOCKET``)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
