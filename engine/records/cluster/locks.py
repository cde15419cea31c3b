"""Advisory file locks, only as good as the file system's flock; the kernel drops them with their last process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import Unavailable


class Lock:
    """An open lock file; every instance competes with every other, also inside one process."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, *, shared: bool = False) -> bool:
        """Take or convert without waiting; False: somebody else holds it in a way that excludes this one."""
        try:
            fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Forget our hold; a process that was started with this descriptor keeps the lock."""
        if self.descriptor != -1:
            os.close(self.descriptor)
            self.descriptor = -1

    def release(self) -> None:
        """End the lock even for processes that were forked from us and still have the file open."""
        if self.descriptor != -1:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.close()


@contextmanager
def hold(file: Path, patience: float) -> Iterator[None]:
    """Hold ``file`` alone, waiting up to ``patience`` seconds. Raises Unavailable ``database.busy``."""
    lock = Lock(file)
    try:
        deadline = time.monotonic() + patience
        while not lock.take():
            if time.monotonic() > deadline:
                raise Unavailable(
                    "database.busy",
                    zh=f"另一个进程正在启动或停止数据库（{file}），{patience:.0f} 秒内未结束。请稍后重试。",
                    en=f"Another process has been starting or stopping the database ({file}) for {patience:.0f} s. "
                    "Try again later.",
                    lock=str(file),
                )
            time.sleep(0.02)
        yield
    finally:
        lock.release()
