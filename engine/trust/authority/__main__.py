"""Serves a demo PKI as its own process: ``python -m engine.trust.authority DIRECTORY``."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import structlog

from engine.errors import SealflowError
from engine.settings import load_settings
from engine.trust.demo import ensure_demo


async def serve(directory: Path) -> None:
    """Serve until SIGTERM or SIGINT; refuses when the settings say production."""
    demo = await ensure_demo(directory, load_settings().environment)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with demo.serve() as authority:
        print(authority.timestamp_url, flush=True)
        await stopped.wait()


def main() -> int:
    """Exit status: 0, 64 for a wrong command, otherwise the error's own."""
    if len(sys.argv) != 2:
        print("python -m engine.trust.authority DIRECTORY", file=sys.stderr)
        return 64
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is the address alone
    try:
        asyncio.run(serve(Path(sys.argv[1])))
    except SealflowError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
