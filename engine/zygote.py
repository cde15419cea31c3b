"""The server that forks limited children for ``engine.sandbox``; ends, with all children, when its socket closes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import inspect
import os
import resource
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from engine import wire
from engine.errors import Defect, Rejected, SealflowError

_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000


class Server:
    """Forks a child per request and reports how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, tuple[int, socket.socket]] = {}  # pid -> (call number, reply socket)

    def serve(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as ready:
            ready.register(self._control, selectors.EVENT_READ)
            ready.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fd == wake_read:
                        os.read(wake_read, 4096)
                        self._reap()
                    elif not self._accept():
                        self._end()

    def _accept(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, 64, 1)
        if not message:
            return False
        order, number = message.split()
        if order == b"kill":
            self._kill(int(number))
            return True
        reply = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            self._control.close()
            for _, other in self._children.values():
                other.close()
            _run_child(reply)
        self._children[pid] = (int(number), reply)
        return True

    def _kill(self, number: int) -> None:
        for pid, (known, _) in self._children.items():
            if known == number:
                _kill_family(pid)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _kill_family(pid)
                _, reply = self._children.pop(pid)
                with reply:
                    reply.settimeout(5)
                    with contextlib.suppress(OSError):  # the caller may have gone; then nobody is left to tell
                        reply.sendall(wire.frame(wire.Frame.ENDED, msgspec.msgpack.encode(status)))

    def _end(self) -> NoReturn:
        for pid in self._children:
            _kill_family(pid)
        os._exit(0)


def _kill_family(pid: int) -> None:
    """Kill a child and the programs it started, which share its group (``_restrict``) and may outlive it."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):  # no group yet, or no child any more
            kill(pid, signal.SIGKILL)


def _run_child(reply: socket.socket) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; a file beyond its limit must end the child
    limited = False
    try:
        with reply.makefile("rb") as requests:
            while header := requests.read(wire.HEADER.size):
                body = requests.read(wire.HEADER.unpack(header)[1])
                name, args, kwargs, limits = msgspec.msgpack.decode(body)
                if not limited:
                    _restrict(limits)
                    limited = True
                reply.sendall(wire.frame(*_answer(reply, name, args, kwargs)))
    finally:
        os._exit(0)


def _answer(reply: socket.socket, name: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[wire.Frame, bytes]:
    try:
        return wire.Frame.RESULT, _perform(reply, name, args, kwargs)
    except SealflowError as error:
        return wire.Frame.ERROR, msgspec.msgpack.encode(error.to_dict())
    except (MemoryError, RecursionError):
        return wire.Frame.ERROR, msgspec.msgpack.encode(_too_large().to_dict())
    except BaseException:  # whatever a parser throws must reach the caller as a value
        return wire.Frame.ERROR, msgspec.msgpack.encode(_unexpected(name).to_dict())


def _perform(reply: socket.socket, name: str, args: list[Any], kwargs: dict[str, Any]) -> bytes:
    function = wire.resolve(name)
    hints = wire.hints(function)
    parameters = list(function.__code__.co_varnames[: function.__code__.co_argcount])
    typed = [wire.convert(value, hints[parameter]) for parameter, value in zip(parameters, args, strict=False)]
    named = {key: wire.convert(value, hints[key]) for key, value in kwargs.items()}
    if "progress" in hints and "progress" not in named:
        named["progress"] = _reporter(reply)
    return wire.encode(function(*typed, **named))


def _reporter(reply: socket.socket) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        reply.sendall(wire.frame(wire.Frame.PROGRESS, msgspec.msgpack.encode((done, total))))

    return report


def _restrict(limits: dict[str, Any]) -> None:
    os.setsid()
    with open("/proc/self/statm", "rb", buffering=0) as file:
        own = int(file.read(64).split()[0]) * resource.getpagesize()
    megabyte = 1024 * 1024
    for kind, value in (
        (resource.RLIMIT_AS, own + limits["memory_mb"] * megabyte),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * megabyte),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value + 1 if kind == resource.RLIMIT_CPU else value))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _too_large() -> Rejected:
    return Rejected(
        "document.too_large",
        zh="处理该文件需要的内存超过限制。请拆分或重新导出文件后再试。",
        en="Working on the file needs more memory than allowed. Split or re-export it.",
    )


def _unexpected(name: str) -> Defect:
    trace = traceback.format_exc(limit=-6)
    return Defect(
        "sandbox.unexpected",
        zh=f"处理文件时发生意外错误（{name}）。请将错误编号和文件交给维护人员。",
        en=f"An unexpected error happened while working on the file ({name}). Give this code and the file to support.",
        trace=trace[-4000:],
    )


def _leave_network() -> None:
    """Give up the network for good where the system lets us: as root directly, else through a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER)


def _learn_hints() -> None:
    """Evaluate the annotations of all that may be called; in a child that touches half the compiler, 8 ms a call."""
    for name, module in list(sys.modules.items()):
        if name.startswith("engine."):
            for function in vars(module).values():
                if inspect.isfunction(function) and function.__module__ == name:
                    with contextlib.suppress(NameError):  # imported for type checkers only; such a one is not called
                        wire.hints(function)


def main(arguments: list[str]) -> NoReturn:
    """``python -m engine.zygote FD [MODULE…]``."""
    control = socket.socket(fileno=int(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to our parent, which closes the socket
    _leave_network()
    for module in arguments[1:]:
        importlib.import_module(module)
    _learn_hints()
    gc.freeze()  # children share these pages instead of copying them at their first collection
    Server(control).serve()
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main(sys.argv[1:])
