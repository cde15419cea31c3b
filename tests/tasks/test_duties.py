"""A process that cannot do its duty says so and ends with the status of its error; one without a supervisor ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def perform(*arguments: str, parent: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.tasks.duties", *arguments, "--parent", str(parent)],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent.parent}", **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("relay", "toy_installation:compose"), "relay.broker_missing"),
        (("consume", "toy_installation:absent"), "worker.composition"),
    ],
)
def test_a_wrong_command_ends_with_64_and_its_code(arguments: tuple[str, ...], code: str) -> None:
    ended = perform(*arguments, parent=os.getpid(), TOY_DATABASE_URL="postgresql:///nowhere")
    assert ended.returncode == 64
    assert code in ended.stderr


def test_a_process_whose_supervisor_is_gone_does_not_begin() -> None:
    ended = perform("sweep", "toy_installation:compose", parent=1, TOY_DATABASE_URL="postgresql:///nowhere")
    assert ended.returncode == 70
    assert ended.stderr == ""
