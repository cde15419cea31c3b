from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.pipeline.toys import pipeline
from tests.trust.paper import draw_paper, valid_signatures

Sealflow = Callable[..., tuple[int, str, str]]
Json = Callable[..., tuple[int, Any]]
SOON = (datetime.now(UTC) + timedelta(days=365 * 11)).date().isoformat()
"""After the demo authority's certificate has ended, which lasts ten years."""


@pytest.fixture
def archived(sealflow_json: Json, tmp_path: Path) -> tuple[str, Path]:
    """A finished run and its file, exported."""
    file = tmp_path / "contract.pdf"
    stages = ('use = "sign"\nas = "platform"\nfield = "party-a"', 'use = "archive"')
    status, run = sealflow_json("run", pipeline(tmp_path, *stages), draw_paper(tmp_path / "paper.pdf"), "-o", file)
    assert status == 0, run
    return run["id"], file


def test_files_are_renewed_in_their_place_when_due_and_one_that_is_broken_stops_no_other(
    sealflow_json: Json, archived: tuple[str, Path], tmp_path: Path
) -> None:
    _, file = archived
    file.chmod(0o640)
    before = file.read_bytes()
    broken, empty = tmp_path / "broken.pdf", tmp_path / "empty.pdf"
    spoilt = bytearray(before)
    spoilt[spoilt.index(b"stream") + 40] ^= 1
    broken.write_bytes(spoilt)
    empty.write_bytes(b"no PDF")
    assert sealflow_json("renew", file)[1]["files"][0]["state"] == "kept"
    assert file.read_bytes() == before
    status, told = sealflow_json("renew", broken, empty, file, "--before", SOON)
    assert status == 65
    assert [entry["state"] for entry in told["files"]] == ["refused", "refused", "renewed"]
    assert told["files"][0]["error"]["code"] == "renewal.not_intact"
    assert broken.read_bytes() == spoilt
    assert file.read_bytes().startswith(before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert valid_signatures(file) == 1
    assert file.read_bytes().count(b"/ETSI.RFC3161") == 2
    assert list(file.parent.glob(".*")) == []


def test_runs_are_listed_with_their_reason_and_get_their_renewed_file_once(
    sealflow: Sealflow,
    sealflow_json: Json,
    archived: tuple[str, Path],
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, file = archived
    assert sealflow_json("renew", "--runs") == (0, {"files": []})
    config = tmp_path / "sealflow.toml"
    config.write_text('[trust.renewal]\nmargin = 10\n[trust.renewal.sunsets]\n"ecdsa-256" = 2027-03-01\n')
    monkeypatch.setenv("SEALFLOW_CONFIG", str(config))
    status, told = sealflow_json("renew", "--runs", "--dry-run", "--before", "2027-02-28")
    (entry,) = told["files"]
    assert (status, entry["name"], entry["state"]) == (0, run, "due")
    assert (entry["cause"], entry["what"], entry["due_at"][:10]) == ("algorithm", "ecdsa-256", "2027-02-19")
    monkeypatch.delenv("SEALFLOW_CONFIG")
    status, told = sealflow_json("renew", "--runs", "--before", SOON)
    (entry,) = told["files"]
    assert (status, entry["state"], entry["cause"]) == (0, "renewed", "certificate")
    assert "TSA" in entry["what"]
    assert sealflow("export", run, "-o", tmp_path / "again.pdf")[0] == 0
    assert (tmp_path / "again.pdf").read_bytes().startswith(file.read_bytes())
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select digest, parent, generation, error from renewal").fetchone()
        assert row is not None
        assert row[1] != row[0]
        assert row[2:] == (2, None)
        assert connection.execute("select head ->> 0 from run").fetchone() == (row[0],)
        events = connection.execute("select detail ->> 'to' from journal where event = 'renewed'").fetchall()
        assert events == [(row[0],)]
        acts = connection.execute("select count(*) from effect where key like '%renewal%'").fetchone()
        assert acts == (1,)
    assert sealflow("journal", "verify")[0] == 0


def test_files_or_runs_must_be_named(sealflow_json: Json) -> None:
    status, told = sealflow_json("renew")
    assert (status, told["error"]["code"]) == (64, "renewal.nothing")
