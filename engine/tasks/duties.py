"""What one process of a worker does: ``python -m engine.tasks.duties DUTY COMPOSITION …``; ends with its supervisor.

Duties: ``consume`` runs, ``sweep`` what is due, ``relay`` to a broker. SIGTERM ends each: consuming lets running legs
finish for ``--drain`` seconds, then cancels them; their records let another process take over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from uuid import UUID

from dramatiq import Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread

from engine.errors import Misuse, SealflowError
from engine.tasks.actors import Advance, declare_actors
from engine.tasks.broker import broker_from
from engine.tasks.composition import Composition, load_composition
from engine.tasks.relay import Relay
from engine.tasks.sweeper import sweep_forever

READY = b"ready\n"
_PR_SET_PDEATHSIG = 1
_LAST_WORDS = 3.0
"""Seconds a cancelled leg has to give its claim back."""

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the process; returns its exit status."""
    options = _parser().parse_args(arguments)
    _die_with(options.parent)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it tells every lost connection at length; we tell it once
    try:
        composition = load_composition(options.composition)
        if options.duty == "consume":
            _consume(composition, options.threads, options.drain, stop)
        elif options.duty == "sweep":
            _sweep(composition, stop)
        else:
            _relay(composition, stop)
    except SealflowError as error:
        log.error("%s (%s)", error, error.code)
        return error.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="engine.tasks.duties", description=__doc__)
    parser.add_argument("duty", choices=("consume", "sweep", "relay"))
    parser.add_argument("composition")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    parser.add_argument("--threads", type=int, default=8, help="runs worked on at the same time")
    parser.add_argument("--drain", type=float, default=60.0, help="seconds running legs get after SIGTERM")
    return parser


def _die_with(parent: int) -> None:
    """Be killed by the kernel when the supervisor ends in any way, even one that lets it tell nobody."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(70)


def _report_ready() -> None:
    """Tell the supervisor over the socket that is our standard input, then leave that to nobody."""
    with contextlib.suppress(OSError):
        os.write(0, READY)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _consume(composition: Composition, threads: int, drain: float, stop: threading.Event) -> None:
    loop = EventLoopThread(log)
    loop.daemon = True  # a leg that does not end must not keep the process
    loop.start()
    set_event_loop_thread(loop)
    with _living(composition, loop) as advance:
        broker = broker_from(composition.database_url, composition.broker_url, visibility=composition.visibility)
        declare_actors(broker, advance)
        worker = Worker(broker, worker_threads=threads)
        worker.queue_prefetch = threads  # not more than can begin now: what waits here could run elsewhere
        worker.start()
        _report_ready()
        while not stop.wait(1.0):
            if not loop.is_alive():  # something let KeyboardInterrupt or SystemExit loose in it
                log.critical("The event loop of the runs has ended; so does this process, for a new one to take over.")
                os._exit(70)
        log.info("Draining: running legs have %.0f s to end.", drain)
        worker.stop(timeout=int(drain * 1000))
    broker.close()


@contextlib.contextmanager
def _living(composition: Composition, loop: EventLoopThread) -> Iterator[Advance]:
    """Enter the engine, and leave it when its legs have ended or were cancelled; both in one task of the loop."""
    opened: Future[Advance] = Future()
    leave = asyncio.Event()
    legs: set[asyncio.Task[object]] = set()

    async def live() -> None:
        try:
            async with composition.engine() as advance:
                opened.set_result(advance)
                await leave.wait()
                for leg in legs:
                    leg.cancel()
                if legs:
                    await asyncio.wait(legs, timeout=_LAST_WORDS)
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def advance_leg(run_id: UUID) -> None:
        task = asyncio.current_task()
        if task is not None:
            legs.add(task)
            task.add_done_callback(legs.discard)
        await opened.result()(run_id)

    life = asyncio.run_coroutine_threadsafe(live(), loop.loop)
    opened.result()
    try:
        yield advance_leg
    finally:
        loop.loop.call_soon_threadsafe(leave.set)
        try:
            life.result(timeout=2 * _LAST_WORDS)
        except TimeoutError:
            log.warning("The engine does not close in time; its leases will run out.")


def _sweep(composition: Composition, stop: threading.Event) -> None:
    async def serve() -> None:
        task = asyncio.create_task(sweep_forever(composition.database_url, composition.sweeps, composition.interval))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        if stop.is_set():
            task.cancel()
        _report_ready()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(serve())


def _relay(composition: Composition, stop: threading.Event) -> None:
    if composition.broker_url is None:
        raise Misuse(
            "relay.broker_missing",
            zh="没有配置消息中间件地址，无需转发。请设置 work.broker，或不要启动转发。",
            en="No broker address is set, so there is nowhere to relay to. Set work.broker or start without a relay.",
        )
    broker = broker_from(composition.database_url, composition.broker_url)
    _report_ready()
    Relay(composition.database_url, broker).run(stop)
    broker.close()


if __name__ == "__main__":
    raise SystemExit(main())
