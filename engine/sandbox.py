"""Runs functions that open foreign bytes in limited child processes; isolation of the network is best effort.

A small server process (``engine.zygote``) imports the heavy libraries once and forks one child per call, so a call
costs milliseconds. The child has limits on memory, processor time, file size and wall time; the limit on wall time is
enforced from outside because no C code can be stopped from within. When our process dies, server and children die too.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import msgspec

from engine import errors, wire
from engine.errors import Defect, Rejected, SealflowError

P = ParamSpec("P")
R = TypeVar("R")
Progress = Callable[[int, int], None]
"""Reports work done and work in total."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use: address space above the server's own and file size in MiB, times in seconds."""

    memory_mb: int = 1024
    cpu_seconds: int = 60
    file_mb: int = 2048
    wall_seconds: float = 120.0


DEFAULT_LIMITS = Limits()
_SHARED_SECONDS = 5.0
"""Wall time after which a child gets no further call: its limits count over all of them."""
_EXHAUSTED = ("document.too_large", "document.too_slow", "document.crashes_parser", "sandbox.lost")
"""Codes by which a child tells that it came to its end, whoever used up what it had."""


class _Server:
    """The zygote process and our end of its control socket; started at the first call and again if it was lost."""

    def __init__(self, preload: Sequence[str]) -> None:
        self.numbers = itertools.count(1)
        self._preload = preload
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    async def close(self) -> None:
        """End the server and with it every child."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            await self._process.wait()
            self._process = None

    async def send(self, order: bytes, reply: socket.socket) -> None:
        async with self._starting:
            for attempt in (1, 2):
                control = await self._ready_control()
                try:
                    socket.send_fds(control, [order], [reply.fileno()])
                    return
                except OSError:
                    if attempt == 2:
                        raise
                    await self.close()

    async def _ready_control(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.returncode is None:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "engine.zygote", str(theirs.fileno()), *self._preload, pass_fds=[theirs.fileno()]
            )
        self._control = ours
        return ours

    def kill(self, number: int) -> None:
        with contextlib.suppress(OSError):  # a server that is gone has taken its children along
            if self._control is not None:
                self._control.send(b"kill %d" % number)


class Caller(Protocol):
    """Whoever makes calls in limited children: the sandbox, each call in a child of its own, or one child."""

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See ``Child.call``."""
        ...


class Child:
    """A limited child that waits for calls; after a call that raised no more should be made."""

    def __init__(
        self,
        server: _Server,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        self.progress: Progress | None = None
        self.served = False
        self._server = server
        self._number = number
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._spent = 0.0

    def serves(self, server: _Server, limits: Limits) -> bool:
        """Whether it has these limits, and most of them still to use."""
        return server is self._server and limits == self._limits and self._spent < _SHARED_SECONDS

    def kill(self) -> None:
        self._server.kill(self._number)

    def close(self) -> None:
        """Let it end as soon as it is idle."""
        self._writer.close()

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a module-level function of ours in the child and return its result.

        Arguments and result travel as msgpack by their annotations (dataclasses, Structs, Path, plain values). A
        parameter named ``progress`` receives a reporter. A SealflowError raised in the child is raised here; a child
        that dies of its limits or of the bytes raises Rejected ``document.too_large``, ``document.too_slow`` or
        ``document.crashes_parser``; any other exception is Defect ``sandbox.unexpected``.
        """
        request = wire.encode([wire.name_of(function), list(args), kwargs, self._limits])
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                self._writer.write(wire.frame(wire.Frame.REQUEST, request))
                return await self._receive(function)
        except TimeoutError:
            raise _too_slow(self._limits) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _lost() from None
        finally:
            self._spent += time.monotonic() - began
            self.served = True

    async def _receive(self, function: Callable[..., R]) -> R:
        while True:
            kind, body = await wire.read_frame(self._reader)
            if kind is wire.Frame.PROGRESS and self.progress is not None:
                self.progress(*msgspec.msgpack.decode(body, type=tuple[int, int]))
            elif kind is wire.Frame.RESULT:
                result: R = wire.decode(body, wire.hints(function)["return"])
                return result
            elif kind is wire.Frame.ERROR:
                raise errors.from_dict(msgspec.msgpack.decode(body))
            elif kind is wire.Frame.ENDED:
                raise _died(msgspec.msgpack.decode(body, type=int))


class _Lane:
    """Makes calls in a child that served other documents before; what they used up is not this document's fault."""

    def __init__(self, child: Child, open_child: Callable[[], Awaitable[Child]]) -> None:
        self.child = child
        self._open = open_child

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """See ``Child.call``; functions read and write files of their own, so a repetition does no harm."""
        began_fresh = not self.child.served
        try:
            return await self.child.call(function, *args, **kwargs)
        except SealflowError as error:
            if began_fresh or error.code not in _EXHAUSTED:
                raise
        self.child.kill()
        self.child.close()
        self.child = await self._open()
        return await self.child.call(function, *args, **kwargs)


@dataclass(slots=True)
class _Shared:
    """The child that calls about one document take in turn."""

    child: Child | None = None
    busy: bool = False

    def drop(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None


_current: ContextVar[_Shared | None] = ContextVar("shared child", default=None)


class Sandbox:
    """A door to limited children; one per process and event loop, closed with ``close``.

    ``preload``: modules the server imports before it forks.
    """

    def __init__(self, preload: Sequence[str] = (), limits: Limits = DEFAULT_LIMITS) -> None:
        self._server = _Server(tuple(preload))
        self._limits = limits
        self._progress: Progress | None = None
        self._idle: list[Child] = []

    def within(self, limits: Limits | None = None, progress: Progress | None = None) -> Sandbox:
        """Give the same door with other limits or with a reporter for the functions that take ``progress``."""
        other = copy.copy(self)
        other._limits = limits or self._limits
        other._progress = progress or self._progress
        return other

    @asynccontextmanager
    async def document(self) -> AsyncIterator[None]:
        """Let the calls this task makes in the block share a child; for a block that deals with one document.

        A fork and the first touch of every parser cost more than most calls. Calls at the same time, with other
        limits, or after a call that raised or took long still get a child of their own.
        """
        shared = _Shared()
        token = _current.set(shared)
        try:
            yield
        finally:
            _current.reset(token)
            shared.drop()

    @asynccontextmanager
    async def child(self) -> AsyncIterator[Child]:
        """Give one limited child for several calls about one document; it ends with the block.

        Processor time and memory count over all its calls, wall time for each.
        """
        shared = _current.get()
        if shared is None or shared.busy:
            shared = _Shared()
            lasting = False
        else:
            lasting = True
        if shared.child is None or not shared.child.serves(self._server, self._limits):
            shared.drop()
            shared.child = await self._open()
        shared.busy = True
        shared.child.progress = self._progress
        try:
            yield shared.child
        except BaseException:
            shared.child.kill()  # it may be busy; an idle one ends when the connection does
            shared.drop()
            raise
        finally:
            shared.busy = False
            if not lasting:
                shared.drop()

    @asynccontextmanager
    async def lasting(self) -> AsyncIterator[Caller]:
        """Give a limited child for several calls about a file that we wrote ourselves, from its pages up.

        It may have served other such files before, one after the other, for as long as a child is used again at all:
        to fork and warm one costs as much as a signature. A child that already works on this document comes first.
        """
        shared = _current.get()
        if shared is not None and not shared.busy and shared.child is not None:
            async with self.child() as child:
                yield child
            return
        while self._idle and not self._idle[-1].serves(self._server, self._limits):
            self._idle.pop().close()
        lane = _Lane(self._idle.pop() if self._idle else await self._open(), self._open)
        try:
            yield lane
        except BaseException:
            lane.child.kill()
            lane.child.close()
            raise
        self._idle.append(lane.child)

    async def _open(self) -> Child:
        number = next(self._server.numbers)
        ours, theirs = socket.socketpair()
        with theirs:
            await self._server.send(b"child %d" % number, theirs)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        return Child(self._server, number, reader, writer, self._limits)

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a child of its own; see ``Child.call``."""
        async with self.child() as child:
            return await child.call(function, *args, **kwargs)

    async def close(self) -> None:
        """End the server and with it every child."""
        while self._idle:
            self._idle.pop().close()
        await self._server.close()


def _too_slow(limits: Limits) -> Rejected:
    return Rejected(
        "document.too_slow",
        zh=f"处理该文件超过了时限（{limits.wall_seconds:.0f} 秒）。请拆分或重新导出文件后再试。",
        en=f"Working on the file took longer than allowed ({limits.wall_seconds:.0f} s). Split or re-export it.",
        seconds=limits.wall_seconds,
    )


def _died(status: int) -> SealflowError:
    """Say why a child ended without an answer; ``status`` is as of ``waitpid``."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGXCPU:
        return Rejected(
            "document.too_slow",
            zh="处理该文件超过了处理器时限。请拆分或重新导出文件后再试。",
            en="Working on the file took more processor time than allowed. Split or re-export it.",
        )
    if number == signal.SIGXFSZ:
        return Rejected(
            "document.too_large",
            zh="该文件展开后超过了大小限制。请拆分或压缩后再试。",
            en="The file grows beyond the allowed size when processed. Split or compress it.",
        )
    if number in (signal.SIGKILL, signal.SIGTERM):  # nobody but the system or an operator sends these
        return _lost()
    return Rejected(
        "document.crashes_parser",
        zh="该文件导致解析程序崩溃，可能已损坏或含有恶意内容。请用原软件重新导出后再试。",
        en="The file crashed the program that reads it; it is damaged or hostile. Export it anew from its source.",
        signal=number,
    )


def _lost() -> Defect:
    return Defect(
        "sandbox.lost",
        zh="处理文件的隔离进程意外中断。系统将重试。",
        en="The isolated process that worked on the file was lost. It will be tried again.",
    )


def existing(path: Path) -> Path:
    """Return ``path`` if it is a regular file, else raise Rejected ``document.missing``."""
    if not path.is_file():
        raise Rejected(
            "document.missing",
            zh=f"找不到文件 {path}。请检查路径。",
            en=f"There is no file {path}. Check the path.",
            file=str(path),
        )
    return path
