"""``sealflow verify``: what it prints, what it writes beside, and that it stays at home when told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from engine.cli.entry import main
from tests.trust.forgery import TEXT, append, signed_pdf
from tests.trust.paper import make_key
from tests.trust.test_later_changes import edit

Verify = Callable[..., tuple[int, str, str]]
ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
SIGNED = signed_pdf(PERSON)
CHANGED = append(SIGNED, edit(TEXT, b"(100)", b"(900)"))


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Verify:
    monkeypatch.setenv("SEALFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEALFLOW_LANG", "en")
    monkeypatch.setenv("SEALFLOW_CONFIG", "")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "anchors").mkdir()
    pem = load_der_x509_certificate(ROOT.certificate.dump()).public_bytes(Encoding.PEM)
    (tmp_path / "anchors" / "root.pem").write_bytes(pem)

    def call(content: bytes, *options: object) -> tuple[int, str, str]:
        file = tmp_path / "contract.pdf"
        file.write_bytes(content)
        capfd.readouterr()
        status = main(["verify", str(file), "--anchors", str(tmp_path / "anchors"), "--offline", *map(str, options)])
        said = capfd.readouterr()
        return status, said.out, said.err

    return call


def test_integrity_trust_and_status_stand_side_by_side(verify: Verify) -> None:
    status, out, _ = verify(SIGNED, "--json")
    report: dict[str, Any] = json.loads(out)
    assert status == 0
    assert (report["integrity"], report["trust"], report["indication"]) == ("valid", "trusted", "INDETERMINATE")
    (entry,) = report["signatures"]
    assert (entry["indication"], entry["sub_indication"]) == ("INDETERMINATE", "TRY_LATER")
    assert entry["unknown_revocation"] == ["Common Name: Sample Person, Country: CN"]
    _, told, _ = verify(SIGNED)
    assert "INDETERMINATE / TRY_LATER" in told and "nothing says whether it had been revoked" in told


def test_everything_beside_the_answer_is_written(verify: Verify, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--html", out / "r.html", "--etsi", out / "r.xml", "--revisions", out / "rev", "--pictures", out / "pic")
    status, told, _ = verify(CHANGED, *options)
    assert status == 65 and "Changed after signing" in told
    assert (out / "rev" / "01-first.pdf").read_bytes() == SIGNED
    assert [file.name for file in (out / "pic").iterdir()] == ["01-first-page-1.png"]
    page = (out / "r.html").read_text("utf-8")
    assert "data:image/png;base64," in page and "SIG_CONSTRAINTS_FAILURE" in page
    assert ElementTree.parse(out / "r.xml").getroot().tag.endswith("ValidationReport")
    verify(CHANGED, "--etsi", out / "r.json")
    assert "ValidationReport" in json.loads((out / "r.json").read_bytes())


def test_a_place_that_cannot_be_written_is_named(verify: Verify, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    for option in ("--html", "--etsi", "--revisions"):
        status, _, err = verify(SIGNED, option, tmp_path / "taken" / "x")
        assert status != 0 and "taken" in err and "Traceback" not in err


def test_the_words_are_chinese_where_the_language_is(verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_LANG", "zh")
    _, told, _ = verify(CHANGED)
    assert "签署后" in told and "以那个版本的内容为准" in told
