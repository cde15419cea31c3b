"""``sealflow keys``: a key is stopped by one command and its runs say so."""

from __future__ import annotations

from pathlib import Path

import pikepdf

from engine.trust.authority.pki import open_pki
from engine.trust.authority.status import Register
from tests.pipeline.toys import pipeline


def state_of(listed: list[dict[str, str]], party: str) -> str:
    return next(row["state"] for row in listed if row["party"] == party)


def test_a_suspended_party_signs_again_once_it_is_resumed(sealflow, sealflow_json, tmp_path: Path):
    assert sealflow("keys", "suspend", "employer", "--reason", "token lost")[0] == 0
    status, listed = sealflow_json("keys", "list")
    assert status == 0
    assert state_of(listed, "employer").startswith("suspended")
    assert state_of(listed, "employee") == "usable"
    assert "token lost" in sealflow("keys", "list")[1]
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        pdf.save(tmp_path / "letter.pdf")
    file = pipeline(
        tmp_path,
        'use = "controls"\n[[stage.controls]]\nname = "seal"\nkind = "signature"\npage = 1\nx = 50\ny = 50',
        'use = "sign"\nas = "employer"\nfield = "seal"\nlevel = "B-B"',
    )
    arguments = ("run", file, tmp_path / "letter.pdf", "-o", tmp_path / "out.pdf")
    status, _, said = sealflow(*arguments)
    assert status == 75, said
    assert "suspended" in said
    assert not (tmp_path / "out.pdf").exists()
    run = sealflow_json("status")[1][0]
    assert run["state"] == "ready"
    assert sealflow("keys", "resume", "employer")[0] == 0
    assert sealflow("resume", run["id"], "-o", tmp_path / "out.pdf")[0] == 0
    assert (tmp_path / "out.pdf").exists()


def test_revoking_is_final_and_the_demo_authority_says_so(sealflow, sealflow_json, shared_home: Path):
    sealflow("keys", "list")
    pki = open_pki(shared_home / "demo-pki")
    before = {serial for serial, at in Register(pki.register).entries().items() if at}
    assert sealflow("keys", "revoke", "platform", "--reason", "stolen")[0] == 0
    after = {serial for serial, at in Register(pki.register).entries().items() if at}
    assert len(after - before) == 1
    assert state_of(sealflow_json("keys", "list")[1], "platform").startswith("revoked")
    assert sealflow("keys", "resume", "platform")[0] == 75
    assert sealflow("keys", "revoke", "platform")[0] == 75


def test_a_mistyped_party_is_not_said_to_be_stopped(sealflow):
    status, _, said = sealflow("keys", "suspend", "emploer")
    assert status == 64
    assert "employer" in said
