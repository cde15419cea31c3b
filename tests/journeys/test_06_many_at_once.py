"""Guide, chapter 6, many at once: a sheet of rows, several processes, any of them killed, and each contract once."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections import Counter
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.journeys import office as desk
from tests.journeys.office import Office
from tests.pipeline.toys import pipeline

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = 8
CONTROLS = """use = "controls"
[[stage.controls]]
name = "name"
kind = "text"
required = true
page = 1
x = 120.0
y = 640.0
width = 200.0
[[stage.controls]]
name = "seal"
kind = "signature"
page = 1
x = 80.0
y = 200.0
width = 110.0
height = 60.0"""
STAGES = ('use = "normalize"', CONTROLS, 'use = "fill"', 'use = "sign"\nas = "employer"\nfield = "seal"')
LETTER = desk.SAMPLES / "employment-agreement-letter.pdf"


@pytest.fixture
def sheet(tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline of one signature and a sheet with a row per contract."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"name": f"示例 {number}"}) + "\n" for number in range(ROWS)), "utf-8")
    return pipeline(tmp_path, *STAGES, name="many"), rows


def ledger(folder: Path) -> list[dict[str, str]]:
    with (folder / "ledger.csv").open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def check(url: str, out: Path) -> None:
    """Every contract once: one run per row, one use of the key per run, the file that the ledger names."""
    rows = ledger(out)
    assert [(row["state"], row["level"], row["code"]) for row in rows] == [("done", "B-T", "")] * ROWS
    assert len({row["run"] for row in rows}) == ROWS
    for number, row in enumerate(rows):
        assert f"示例{number}" in desk.words(Path(row["file"]))
        assert desk.pdfsig(Path(row["file"])) == [("seal", "Signature is Valid", "total")]
    with psycopg.connect(url) as connection:
        keys = connection.execute("select key from effect where kind = 'signature'").fetchall()
        stages = connection.execute("select run_id, count(*) from stage_record group by run_id").fetchall()
        finished = connection.execute("select run_id from journal where event = 'finished'").fetchall()
    uses = Counter(key.split("/")[0] for (key,) in keys)
    assert {UUID(run): count for run, count in uses.items()} == {UUID(row["run"]): 1 for row in rows}
    assert sorted(stages) == sorted((UUID(row["run"]), len(STAGES)) for row in rows)
    assert sorted(finished) == sorted((UUID(row["run"]),) for row in rows)


async def test_a_killed_batch_goes_on_when_the_same_command_is_given_again(
    home: Path, database_url: str, sheet: tuple[Path, Path], tmp_path: Path
) -> None:
    file, rows = sheet
    settings = tmp_path / "sealflow.toml"
    settings.write_text("[work]\nlease = 2.0\n", "utf-8")  # a killed process is believed dead soon
    quick = {"SEALFLOW_CONFIG": str(settings)}
    out = tmp_path / "contracts"
    command = ("batch", file, LETTER, "--rows", rows, "-o", out, "--jobs", 3)
    for wanted in (1, 4):
        process = await asyncio.create_subprocess_exec(
            *desk.PROGRAM,
            *map(str, command),
            env=desk.surroundings(home, database_url) | quick,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await desk.wait_until(partial(_signed, database_url, wanted))
        process.kill()
        await process.wait()
    assert not (out / "ledger.csv").exists() or len(ledger(out)) == ROWS
    said = await desk.run_program(home, database_url, *command, **quick)
    assert said.status == 0, said.err
    check(database_url, out)
    before = {path.name: path.read_bytes() for path in out.glob("*.pdf")}
    assert (await desk.run_program(home, database_url, *command)).status == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.pdf")} == before, "a third time changes nothing"
    check(database_url, out)
    assert (await desk.run_program(home, database_url, "journal", "verify")).status == 0


def _signed(url: str, wanted: int) -> bool:
    return desk.count(url, "effect", "kind = 'signature'") >= wanted


async def test_the_same_batch_twice_at_the_same_time_makes_each_contract_once(
    home: Path, database_url: str, sheet: tuple[Path, Path], tmp_path: Path
) -> None:
    file, rows = sheet
    outs = (tmp_path / "one", tmp_path / "two")
    commands = [("batch", file, LETTER, "--rows", rows, "-o", out, "--jobs", 3) for out in outs]
    said = await asyncio.gather(*(desk.run_program(home, database_url, *command) for command in commands))
    assert [one.status for one in said] == [0, 0], [one.err for one in said]
    for out in outs:
        check(database_url, out)
    assert {row["sha256"] for row in ledger(outs[0])} == {row["sha256"] for row in ledger(outs[1])}


async def test_a_batch_waits_once_for_a_service_that_is_away_and_not_at_every_row(
    home: Path, database_url: str, sheet: tuple[Path, Path], tmp_path: Path
) -> None:
    file, rows = sheet
    settings = tmp_path / "sealflow.toml"
    settings.write_text(
        f"""[trust]
keys = "{home}/demo-pki/keys"
anchors = "{home}/demo-pki/anchors"
timestamp_authorities = [{{ url = "http://127.0.0.1:9/stamp" }}]

[work]
backoff = 3.0
""",
        "utf-8",
    )
    command = ("batch", file, LETTER, "--rows", rows, "-o", tmp_path / "out")
    started = time.monotonic()
    said = await desk.run_program(home, database_url, *command, "--jobs", 1, SEALFLOW_CONFIG=str(settings))
    assert said.status == 69 and f"{ROWS} × timestamp.unavailable" in said.out
    assert {row["code"] for row in ledger(tmp_path / "out")} == {"timestamp.unavailable"}
    assert time.monotonic() - started < 3.0 * ROWS
    assert (await desk.run_program(home, database_url, *command)).status == 0
    check(database_url, tmp_path / "out")


async def test_two_commands_resume_the_same_run(home: Path, records: str, office: Office, tmp_path: Path) -> None:
    file = pipeline(tmp_path, 'use = "await"\nevent = "confirmed"', *STAGES, name="both")
    run = await office.send(file, LETTER, values={"name": "示例"})
    outs = (tmp_path / "one.pdf", tmp_path / "two.pdf")
    said = await asyncio.gather(
        *(desk.run_program(home, records, "resume", run.id, "--event", "confirmed", "-o", out) for out in outs)
    )
    assert 0 in [one.status for one in said], [one.err for one in said]
    assert {one.status for one in said} <= {0, 75}, [one.err for one in said]
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1]
    assert len({out.read_bytes() for out in outs if out.exists()}) == 1
