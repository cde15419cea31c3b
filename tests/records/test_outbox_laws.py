"""Whatever order senders, readers, crashes and late readers act in, what was asked for last is looked at afterwards."""

from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg.types.json import Jsonb

from engine.records.outbox import RUNS, Delivery, OutboxReader
from engine.records.statements import statements

KEYS = st.sampled_from(["a", "b"])
PLACES = st.integers(0, 9)


def machine(url: str) -> type[RuleBasedStateMachine]:
    """A model: ``owed`` are keys sent since they were last taken, ``held`` is what readers, dead or alive, have."""

    class Outbox(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.connection = psycopg.connect(url, autocommit=True)
            self.connection.execute("truncate outbox")
            self.reader = OutboxReader(url, visibility=3600)
            self.owed: set[str] = set()
            self.held: list[Delivery] = []
            self.last: dict[str, Delivery] = {}

        @rule(key=KEYS, delay=st.sampled_from([0, 0, 3600]))
        def send(self, key: str, delay: int) -> None:
            row: dict[str, Any] = {"queue": RUNS, "dedup": key, "body": Jsonb({}), "delay": delay}
            self.connection.execute(statements("outbox")["send"], row)
            self.owed.add(key)

        @rule()
        def take(self) -> None:
            for delivery in self.reader.exchange([], 2):
                self.owed.discard(delivery.dedup)
                self.held.append(delivery)
                self.last[delivery.dedup] = delivery

        @rule(key=KEYS)
        def send_and_take(self, key: str) -> None:
            self.send(key, 0)
            self.take()

        def part_with(self, place: int) -> Delivery:
            delivery = self.held.pop(place % len(self.held))
            if self.last.get(delivery.dedup) == delivery:
                del self.last[delivery.dedup]
            return delivery

        @precondition(lambda self: self.held)
        @rule(place=PLACES)
        def acknowledge(self, place: int) -> None:
            self.reader.exchange([self.part_with(place)], 0)

        @precondition(lambda self: self.held)
        @rule(place=PLACES)
        def give_back(self, place: int) -> None:
            self.reader.release([self.part_with(place)])

        @precondition(lambda self: self.held)
        @rule(place=PLACES)
        def hold_longer(self, place: int) -> None:
            self.reader.extend([self.held[place % len(self.held)]])

        @precondition(lambda self: self.held)
        @rule(place=PLACES)
        def hand_over(self, place: int) -> None:
            self.reader.hand_over([self.part_with(place)], quiet=3600)

        @rule(key=KEYS)
        def come_back_from_the_broker(self, key: str) -> None:
            self.reader.settle([key])

        @rule()
        def let_time_pass(self) -> None:
            self.connection.execute(
                "update outbox set due_at = now(), locked_until = locked_until - interval '2 hours'"
            )
            self.reader.forget()

        @invariant()
        def what_is_owed_can_be_taken(self) -> None:
            rows = self.connection.execute(
                "select dedup from outbox where sent_at is null and (locked_until is null or locked_until <= now())"
            )
            assert self.owed <= {key for (key,) in rows}

        @invariant()
        def what_its_last_reader_has_not_finished_is_still_there(self) -> None:
            rows = self.connection.execute("select dedup from outbox where sent_at is null")
            assert set(self.last) <= {key for (key,) in rows}

        @invariant()
        def nobody_holds_the_same_message_twice(self) -> None:
            tokens = [(delivery.id, delivery.deliveries) for delivery in self.held]
            assert len(tokens) == len(set(tokens))

        def teardown(self) -> None:
            self.let_time_pass()
            taken = {delivery.dedup for delivery in self.reader.exchange([], 100)}
            assert self.owed <= taken
            self.reader.close()
            self.connection.close()

    return Outbox


def test_nothing_asked_for_is_forgotten(database_url: str) -> None:
    run_state_machine_as_test(
        machine(database_url),
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
