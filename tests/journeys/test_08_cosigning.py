"""Guide, chapter 8: each party is recognised, agrees to the very document and signs in its turn; all can be checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.office import Said
from tests.trust.paper import draw_paper

PIPELINE = """
[pipeline]
name = "cosigned"
version = 1

[[stage]]
use = "cosign"
level = "B-B"
ordered = true
[[stage.signers]]
as = "employer"
field = "party-a"
[[stage.signers]]
as = "employee"
field = "party-b"
"""
Command = Callable[..., Said]


@pytest.fixture
def run(sealflow: Command, tmp_path: Path) -> str:
    """A run that waits for the employer."""
    pipeline = tmp_path / "cosigned.toml"
    pipeline.write_text(PIPELINE, "utf-8")
    paper = draw_paper(tmp_path / "paper.pdf")
    started = sealflow("run", pipeline, paper, "-o", tmp_path / "signed.pdf", "--json")
    assert (started.status, started.json["state"], started.json["waiting_for"]) == (75, "waiting", "signed:employer")
    return str(started.json["id"])


def issue(sealflow: Command, run: str, party: str, *more: object) -> str:
    arguments = ("--party", party, "--factor", "face", "--vendor", "sample-vendor", "--reference", f"check-{party}")
    issued = sealflow("intent", "issue", run, *arguments, *more)
    assert issued.status == 0, issued.err
    return issued.out.strip()


def deliver(sealflow: Command, run: str, event: str, folder: Path, **payload: str) -> Said:
    file = folder / "payload.json"
    file.write_text(json.dumps(payload), "utf-8")
    return sealflow("resume", run, "--event", event, "--payload", file, "-o", folder / "signed.pdf")


def test_both_parties_sign_what_they_agreed_to_and_anybody_can_check_it(
    sealflow: Command, run: str, tmp_path: Path
) -> None:
    first = deliver(sealflow, run, "signed:employer", tmp_path, token=issue(sealflow, run, "employer"))
    assert first.status == 75
    assert "signed:employee" in first.out
    last = deliver(sealflow, run, "signed:employee", tmp_path, token=issue(sealflow, run, "employee"))
    assert last.status == 0, last.err
    assert sealflow("intent", "proofs", run, "-o", tmp_path / "proofs").status == 0
    checked = sealflow("verify", tmp_path / "signed.pdf", "--offline", "--proofs", tmp_path / "proofs")
    assert checked.status == 0, checked.out
    assert checked.out.count("about the document that was signed") == 2
    assert "employee · face · sample-vendor · check-employee" in " ".join(checked.out.split())
    told = sealflow("verify", tmp_path / "signed.pdf", "--offline", "--proofs", tmp_path / "proofs", "--json").json
    assert [consent["standing"] for consent in told["consents"]] == ["bound", "bound"]
    assert [signature["intent"] for signature in told["signatures"]] == [one["intent"] for one in told["consents"]]
    (tmp_path / "proofs" / "intent-01.json").unlink()
    assert sealflow("verify", tmp_path / "signed.pdf", "--offline", "--proofs", tmp_path / "proofs").status == 65


def test_a_token_of_another_party_is_refused_in_words_and_the_run_waits_on(
    sealflow: Command, run: str, tmp_path: Path
) -> None:
    refused = deliver(sealflow, run, "signed:employer", tmp_path, token=issue(sealflow, run, "employee"))
    assert refused.status == 75
    assert "belongs to employee" in " ".join(refused.err.split())
    assert sealflow("status", run, "--json").json["state"] == "waiting"


def test_who_declines_ends_it_with_a_reason(sealflow: Command, run: str, tmp_path: Path) -> None:
    ended = deliver(sealflow, run, "declined:employee", tmp_path, reason="wrong start date")
    assert ended.status == 65
    assert "wrong start date" in " ".join(ended.err.split())
    late = deliver(sealflow, run, "signed:employer", tmp_path, token="0" * 32)
    assert late.status == 75
    assert "is over" in " ".join(late.err.split())


@pytest.mark.parametrize("time", ["yesterday", "2026-11-25T10:30:00"])
def test_a_time_without_its_offset_is_no_time(sealflow: Command, run: str, time: str) -> None:
    words = ("--party", "a", "--factor", "face", "--vendor", "v", "--reference", "r", "--passed-at", time)
    assert sealflow("intent", "issue", run, *words).status == 64
