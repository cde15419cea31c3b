"""Every command on real files, with records of its own in a real PostgreSQL."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pikepdf
import pytest

from tests.pipeline.toys import pipeline

Sealflow = Callable[..., tuple[int, str, str]]
SealflowJson = Callable[..., tuple[int, Any]]


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(612, 792))
        pdf.save(path)
    return path


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A pipeline that normalises, waits for a confirmation, and goes on."""
    return pipeline(tmp_path, 'use = "await"\nevent = "confirmed"', 'use = "normalize"', name="waiting")


def test_a_run_writes_its_file_and_can_be_looked_at(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path, letter: Path
) -> None:
    out = tmp_path / "a4.pdf"
    file = pipeline(tmp_path, 'use = "normalize"')
    status, run = sealflow_json("run", file, letter, "-o", out)
    assert (status, run["state"], run["facts"]["pages"]) == (0, "done", 1)
    with pikepdf.open(out) as pdf:
        assert [round(float(side)) for side in pdf.pages[0].mediabox] == [0, 0, 595, 842]
    status, shown = sealflow_json("status", run["id"])
    assert (status, [stage["stage"] for stage in shown["stages"]]) == (0, ["normalize"])
    status, table, _ = sealflow("status")
    assert status == 0 and run["id"] in table and "letter.pdf" in table
    again = tmp_path / "again.pdf"
    assert sealflow("export", run["id"], "-o", again)[0] == 0
    assert again.read_bytes() == out.read_bytes()


def test_a_waiting_run_says_how_to_go_on_and_does(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path, letter: Path, waiting: Path
) -> None:
    out = tmp_path / "out.pdf"
    status, said, _ = sealflow("run", waiting, letter, "-o", out)
    assert status == 75
    assert "--event confirmed" in said
    assert not out.exists()
    _, (run,) = sealflow_json("status", "--state", "waiting")
    assert sealflow("resume", run["id"], "-o", out)[0] == 75, "without the event it cannot go on"
    assert sealflow("resume", run["id"], "--event", "confirmed", "-o", out)[0] == 0
    assert out.exists()


def test_a_run_that_is_cancelled_stays_so(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path, letter: Path, waiting: Path
) -> None:
    assert sealflow("run", waiting, letter, "-o", tmp_path / "o.pdf")[0] == 75
    _, (run,) = sealflow_json("status", "--state", "waiting")
    status, said, _ = sealflow("cancel", run["id"])
    assert status == 0 and "letter.pdf" in said
    assert sealflow("resume", run["id"], "--event", "confirmed")[0] == 75
    status, _, err = sealflow("cancel", run["id"])
    assert status == 75 and "run.over" in err
    assert sealflow_json("status", run["id"])[1]["state"] == "cancelled"
    assert sealflow("journal", "verify")[0] == 0


def test_a_refused_file_is_65_and_the_original_is_kept(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing of the kind")
    out = tmp_path / "out.pdf"
    status, _, err = sealflow("run", pipeline(tmp_path, 'use = "normalize"'), broken, "-o", out)
    assert status == 65
    assert "Error document." in err and "Traceback" not in err
    assert not out.exists() and broken.read_bytes().startswith(b"%PDF-1.7\nnothing")
    _, (run,) = sealflow_json("status", "--state", "rejected")
    assert run["error"]["code"].startswith("document.")


def test_two_files_for_a_pipeline_that_takes_one_are_refused_with_a_way_out(
    sealflow: Sealflow, tmp_path: Path, letter: Path
) -> None:
    file, out = pipeline(tmp_path, 'use = "normalize"'), tmp_path / "o.pdf"
    for command in (("run", file), ("stage", "normalize")):
        status, _, err = sealflow(*command, letter, letter, "-o", out)
        assert status == 65 and "stage.one_file" in err and "merge" in err and "Traceback" not in err


def test_an_error_is_json_when_asked_for(sealflow_json: SealflowJson) -> None:
    status, said = sealflow_json("status", str(uuid4()))
    assert (status, said["error"]["code"]) == (65, "run.unknown")
    assert said["error"]["zh"] and said["error"]["en"]


def test_a_stage_runs_alone(sealflow_json: SealflowJson, tmp_path: Path, letter: Path) -> None:
    out = tmp_path / "alone.pdf"
    status, said = sealflow_json("stage", "normalize", letter, "-o", out, "--set", "page_limit=3")
    assert (status, said["facts"]["pages"]) == (0, 1)
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["stage", "normalise"], "normalise"),
        (["stage", "normalize", "--set", "page_limt=3"], "page_limit"),
        (["stage", "normalize", "--set", "page_limit='many'"], "page_limit"),
        (["stage", "normalize", "--set", "page_limit"], "name=value"),
    ],
)
def test_a_wrong_option_is_64_and_names_what_is_right(
    sealflow: Sealflow, tmp_path: Path, letter: Path, arguments: list[str], named: str
) -> None:
    command, name, *options = arguments
    status, _, err = sealflow(command, name, letter, "-o", tmp_path / "x.pdf", *options)
    assert status == 64
    assert named in err


def test_a_batch_keeps_a_ledger_and_goes_on_where_it_stopped(
    sealflow: Sealflow, sealflow_json: SealflowJson, tmp_path: Path, letter: Path
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"nothing")
    out = tmp_path / "results"
    command = ("batch", pipeline(tmp_path, 'use = "normalize"'), letter, broken, letter, "-o", out)
    status, rows = sealflow_json(*command)
    assert status == 65, "the worst row decides"
    assert [row["state"] for row in rows] == ["done", "rejected", "done"]
    assert sorted(path.name for path in out.glob("*.pdf")) == ["00001-letter.pdf", "00003-letter.pdf"]
    with (out / "ledger.csv").open(encoding="utf-8-sig") as file:
        ledger = list(csv.DictReader(file))
    assert [row["state"] for row in ledger] == ["done", "rejected", "done"]
    assert ledger[1]["code"].startswith("document.") and ledger[1]["reason"]
    _, again = sealflow_json(*command)
    assert [row["run"] for row in again] == [row["run"] for row in rows], "the same runs, not new ones"


def test_a_row_that_fails_is_in_the_ledger_and_stops_no_other(sealflow: Sealflow, tmp_path: Path, letter: Path) -> None:
    out = tmp_path / "results"
    (out / "00001-letter.pdf" / "in the way").mkdir(parents=True)
    odd = letter.with_name("=1+1.pdf")
    odd.write_bytes(b"nothing")
    status, said, _ = sealflow("batch", pipeline(tmp_path, 'use = "normalize"'), letter, odd, letter, "-o", out)
    assert status == 69, "the worst row decides"
    assert "1 of 3" in said and "1 × output.unwritable: rows 1" in said
    with (out / "ledger.csv").open(encoding="utf-8-sig") as file:
        ledger = list(csv.DictReader(file))
    assert [(row["state"], row["code"].partition(".")[0]) for row in ledger] == [
        ("done", "output"),
        ("rejected", "document"),
        ("done", ""),
    ]
    assert ledger[1]["reason"].startswith("'=1+1.pdf"), "a spreadsheet must not take it for a formula"


@pytest.mark.parametrize(
    "content",
    [
        '{"名": "值"}'.encode("gbk"),
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
        b'{"a": 1, "b": {"c": 1, "c": 2}}',
        b"[" * 99_999,
    ],
)
def test_rows_that_records_cannot_keep_are_refused_with_their_file(
    sealflow: Sealflow, tmp_path: Path, letter: Path, content: bytes
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(content)
    file = pipeline(tmp_path, 'use = "normalize"')
    for command in (("batch", file, letter, "--rows", rows), ("run", file, letter, "--values", rows)):
        status, _, err = sealflow(*command, "-o", tmp_path / "r")
        assert status == 65 and "values.unreadable" in err and "rows.jsonl" in err and "Traceback" not in err


def test_a_value_may_hold_any_separator_but_a_line_feed(
    sealflow_json: SealflowJson, tmp_path: Path, letter: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": "one\u2028two\x85three"}\r\n\r\n{"a": "b"}\n', "utf-8", newline="")
    file = pipeline(tmp_path, 'use = "normalize"')
    status, ledger = sealflow_json("batch", file, letter, "--rows", rows, "-o", tmp_path / "r")
    assert (status, len(ledger)) == (0, 2)


def test_names_are_shown_as_they_are_and_not_as_markup(sealflow: Sealflow, tmp_path: Path, letter: Path) -> None:
    odd = letter.rename(letter.with_name("[] [red]x.pdf"))
    out = tmp_path / "[" / "]o[bold].pdf"
    status, said, _ = sealflow(
        "run", pipeline(tmp_path, 'use = "normalize"'), odd, "--label", "[/] [] [red]x.pdf", "-o", out
    )
    assert status == 0 and str(out) in said
    assert "[] [red]x.pdf" in sealflow("status")[1]


def test_a_result_that_cannot_be_written_is_not_lost(sealflow: Sealflow, tmp_path: Path, letter: Path) -> None:
    (tmp_path / "file").touch()
    status, _, err = sealflow("run", pipeline(tmp_path, 'use = "normalize"'), letter, "-o", tmp_path / "file" / "o.pdf")
    assert status == 69 and "output.unwritable" in err
    command = next(line.split() for line in err.splitlines() if "sealflow export" in line)
    assert sealflow(*command[1:3], "-o", tmp_path / "o.pdf")[0] == 0
    assert (tmp_path / "o.pdf").exists()


def test_rows_that_are_no_json_are_named_by_line(sealflow: Sealflow, tmp_path: Path, letter: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": 1}\n{"a": \n', "utf-8")
    file = pipeline(tmp_path, 'use = "normalize"')
    status, _, err = sealflow("batch", file, letter, "--rows", rows, "-o", tmp_path / "r")
    assert status == 65 and "line 2" in err
    assert sealflow("batch", file, letter, letter, "--rows", rows, "-o", tmp_path / "r")[0] == 64


def test_values_must_be_a_json_object(sealflow: Sealflow, tmp_path: Path, letter: Path) -> None:
    values = tmp_path / "values.json"
    for text in ("[1]", "{", "\x00"):
        values.write_text(text, "utf-8")
        status, _, err = sealflow("stage", "fill", letter, "--values", values, "-o", tmp_path / "x.pdf")
        assert status == 65 and "values.json" in err


def test_pipelines_and_stages_are_listed_and_checked(sealflow_json: SealflowJson) -> None:
    status, rows = sealflow_json("pipelines")
    assert status == 0
    assert {"labour-contract"} <= {row["name"] for row in rows}
    assert all(row["problem"] == "" for row in rows)
    _, stages = sealflow_json("stages")
    known = {row["name"]: row for row in stages}
    assert {"convert", "normalize", "controls", "fill", "sign", "timestamp", "archive", "await", "merge"} <= set(known)
    assert known["sign"]["effect"] == "signs" and "as" in known["sign"]["options"]
    assert all(row["purpose"] for row in stages)


def test_plugins_are_listed_and_checked(sealflow: Sealflow, sealflow_json: SealflowJson) -> None:
    status, out, _ = sealflow("plugins")
    assert status == 0 and "local" in out
    status, findings = sealflow_json("plugins", "check", "local")
    assert status == 0
    assert findings and all(finding["passed"] for finding in findings)


def test_the_journal_is_verified_and_tampering_is_found(
    sealflow: Sealflow, tmp_path: Path, letter: Path, database_url: str
) -> None:
    import psycopg

    assert sealflow("run", pipeline(tmp_path, 'use = "normalize"'), letter, "-o", tmp_path / "o.pdf")[0] == 0
    assert sealflow("journal", "verify")[0] == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update journal set detail = '{}' where seq = 1")
    status, _, err = sealflow("journal", "verify")
    assert status == 65 and "1" in err


def test_an_unsigned_file_is_called_unsigned(sealflow: Sealflow, sealflow_json: SealflowJson, letter: Path) -> None:
    status, report = sealflow_json("verify", letter)
    assert (status, report["integrity"]) == (65, "unsigned")
    assert "Not signed" in sealflow("verify", letter)[1]


def test_json_is_one_document_without_noise(sealflow: Sealflow) -> None:
    _, out, _ = sealflow("pipelines", "--json")
    assert isinstance(json.loads(out), list)


def test_orphans_are_counted_then_removed_and_what_a_run_needs_stays(
    sealflow_json: SealflowJson, tmp_path: Path, letter: Path, shared_home: Path
) -> None:
    import hashlib
    import os

    status, run = sealflow_json("run", pipeline(tmp_path, 'use = "normalize"'), letter, "-o", tmp_path / "o.pdf")
    assert status == 0
    orphan = b"left by a killed process"
    digest = hashlib.sha256(orphan).hexdigest()
    place = shared_home / "store" / digest[:2] / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(orphan)
    needed = shared_home / "store" / run["files"][0][:2] / run["files"][0]
    for path in (place, needed):
        os.utime(path, (0, 0))
    status, counted = sealflow_json("orphans", "--rehearse")
    assert (status, counted["removed"]) == (0, False)
    assert counted["orphans"] >= 1 and place.exists()
    status, removed = sealflow_json("orphans")
    assert status == 0 and removed["orphans"] >= 1
    assert not place.exists() and needed.exists()
