"""``sealflow submit`` and ``sealflow worker`` as an operator uses them: two programs that share nothing but records."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tests.pipeline.toys import pipeline

SealflowJson = Callable[..., tuple[int, Any]]


@pytest.fixture
def worker(installation: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from engine.cli import main; raise SystemExit(main())",
                "worker",
                "--processes",
                "1",
            ],
            stdout=log,
            stderr=log,
        )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_what_is_submitted_is_carried_out_by_a_worker_that_then_drains(
    sealflow_json: SealflowJson, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    letter = tmp_path / "letter.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(612, 792))
        pdf.save(letter)
    status, run = sealflow_json("submit", pipeline(tmp_path, 'use = "normalize"'), letter)
    assert status == 0
    deadline = time.monotonic() + 60
    state = ""
    while state != "done":
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(0.3)
        state = sealflow_json("status", run["id"])[1]["state"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
