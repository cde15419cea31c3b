"""A worker finishes what it was sent whatever is killed around it, and leaves nobody behind."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import psutil
from conftest import Toy, WorkerTree, eventually
from toy_installation import start_runs

Work = Callable[..., WorkerTree]


async def test_runs_sent_before_and_after_the_start_are_all_worked_on_once(toy: Toy, work: Work) -> None:
    await start_runs(toy.url, 20)
    tree = work(processes=2, threads=4)
    await start_runs(toy.url, 20)
    toy.await_done(40)
    assert toy.count("leg") == 40
    eventually(lambda: toy.count("outbox") == 0)
    assert tree.stop() == 0


async def test_a_killed_process_is_replaced_and_its_runs_are_finished_by_others(toy: Toy, work: Work) -> None:
    tree = work(processes=2, threads=4)
    victim, sibling = tree.consumers()
    await start_runs(toy.url, 80, work=0.3)
    eventually(lambda: toy.query("select count(distinct pid) from leg") == [(2,)])  # both are at work
    victim.kill()
    killed = time.monotonic()
    eventually(lambda: len(tree.consumers()) == 2, 5)
    assert time.monotonic() - killed < 5
    toy.await_done(80)
    assert sibling.is_running(), "the others were not disturbed"
    assert not toy.query("select run from leg where ended <> 'finished'")
    assert toy.count("toy where epoch > 1") > 0, "the kill hit somebody at work"


async def test_two_hosts_share_the_work_and_one_finishes_what_the_other_was_killed_over(toy: Toy, work: Work) -> None:
    first, second = work(processes=1, threads=4), work(processes=1, threads=4)
    await start_runs(toy.url, 40, work=0.2)
    eventually(lambda: toy.count("leg") > 4)
    first.process.kill()
    toy.await_done(40)
    shares = toy.query("select count(distinct pid) from leg")
    assert shares == [(2,)], "both had worked"
    assert second.stop() == 0


async def test_the_sweeper_sends_again_what_a_broken_queue_lost_and_is_replaced_when_killed(
    toy: Toy, work: Work
) -> None:
    tree = work(processes=1, threads=4)
    tree.children("sweep")[0].kill()
    await start_runs(toy.url, 10, work=0.01)
    toy.query("delete from outbox")
    toy.query("update toy set done = false, lease_until = null; delete from leg")
    toy.await_done(10)


async def test_duplicate_messages_are_harmless(toy: Toy, work: Work) -> None:
    runs = await start_runs(toy.url, 20, work=0.05)
    for copy in range(3):
        for run in runs:
            toy.query(
                f"insert into outbox (dedup, queue, body) values ('{copy}:{run}', 'runs', '{{\"run_id\": \"{run}\"}}')"
            )
    work(processes=2, threads=4)
    toy.await_done(20)
    eventually(lambda: toy.count("outbox") == 0)
    assert toy.count("leg") == 20


async def test_a_term_lets_running_legs_finish_takes_no_new_ones_and_exits_with_success(toy: Toy, work: Work) -> None:
    tree = work(processes=1, threads=2, drain=20)
    await start_runs(toy.url, 10, work=1.0)
    eventually(lambda: toy.count("toy where epoch > 0") == 2)
    assert tree.stop() == 0
    assert toy.count("leg where ended = 'finished'") == 2
    assert toy.count("toy where epoch = 0") == 8
    assert toy.count("outbox where locked_until is null") == 8, "given back, not left to time out"


async def test_legs_longer_than_the_draining_time_are_cancelled(toy: Toy, work: Work) -> None:
    tree = work(processes=1, threads=1, drain=0.5)
    await start_runs(toy.url, 1, work=600)
    eventually(lambda: toy.count("toy where epoch > 0") == 1)
    began = time.monotonic()
    assert tree.stop() == 0
    assert time.monotonic() - began < 10
    assert toy.query("select ended from leg") == [("cancelled",)]


async def test_a_second_term_does_not_wait(toy: Toy, work: Work) -> None:
    tree = work(processes=1, threads=1, drain=600)
    children = tree.children()
    await start_runs(toy.url, 1, work=600)
    eventually(lambda: toy.count("toy where epoch > 0") == 1)
    tree.process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.3)
    tree.process.send_signal(signal.SIGTERM)
    assert tree.process.wait(5) == 1
    assert not any(child.is_running() for child in children)


def test_the_processes_of_a_killed_supervisor_end_with_it(toy: Toy, work: Work) -> None:
    tree = work(processes=2, threads=1)
    children = tree.children()
    assert len(children) == 3
    os.kill(tree.process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, 5)
    assert not alive


async def test_a_message_nobody_understands_is_dropped_and_does_not_spin(toy: Toy, work: Work) -> None:
    toy.query("insert into outbox (dedup, queue, body) values ('x', 'runs', '{\"nonsense\": 1}')")
    toy.query("insert into outbox (dedup, queue, body) values ('y', 'runs', '{\"run_id\": \"not a uuid\"}')")
    work(processes=1, threads=1)
    eventually(lambda: toy.count("outbox") == 0)
    await start_runs(toy.url, 1)
    toy.await_done(1)


async def test_a_process_whose_event_loop_ended_is_replaced(toy: Toy, work: Work) -> None:
    tree = work(processes=1, threads=2)
    (before,) = tree.consumers()
    await start_runs(toy.url, 1, work=-0.1)
    toy.await_done(1)
    assert not before.is_running()
