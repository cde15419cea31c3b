"""One user of the cluster as a process of its own, to be talked to over pipes or killed.

``python user_process.py DIRECTORY [ACCOUNT]`` prints ``up`` when the server answers, ``down`` after a line on standard
input made it leave, or ``CODE: words`` of the error. With ACCOUNT it becomes that account first.
"""

import asyncio
import os
import pwd
import sys
from pathlib import Path

import structlog

from engine.errors import SealflowError
from engine.records.cluster.supervisor import Cluster


async def main() -> None:
    """Start, wait for a line, stop."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    cluster = Cluster(Path(sys.argv[1]))
    try:
        await cluster.start()
    except SealflowError as error:
        print(f"{error.code}: {error.text.en}", flush=True)
        return
    print("up", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await cluster.stop()
    print("down", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(asyncio.to_thread(int))  # the interpreter may live where that account cannot read: load it all now
        account = pwd.getpwnam(sys.argv[2])
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    asyncio.run(main())
