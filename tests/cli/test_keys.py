"""``sealflow keys``: a key is stopped by one command and its runs say so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pikepdf
import pytest

from engine.trust.authority.pki import open_pki
from engine.trust.authority.status import Register
from tests.pipeline.toys import pipeline
from tests.trust.paper import valid_signatures
from tests.trust.signature_service import SignatureService


def signing(tmp_path: Path) -> tuple[object, ...]:
    """A command that lets the employer sign a letter."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        pdf.save(tmp_path / "letter.pdf")
    file = pipeline(
        tmp_path,
        'use = "controls"\n[[stage.controls]]\nname = "seal"\nkind = "signature"\npage = 1\nx = 50\ny = 50',
        'use = "sign"\nas = "employer"\nfield = "seal"\nlevel = "B-B"',
    )
    return ("run", file, tmp_path / "letter.pdf", "-o", tmp_path / "out.pdf")


def state_of(listed: list[dict[str, str]], party: str) -> str:
    return next(row["state"] for row in listed if row["party"] == party)


def test_a_suspended_party_signs_again_once_it_is_resumed(sealflow, sealflow_json, tmp_path: Path):
    assert sealflow("keys", "suspend", "employer", "--reason", "token lost")[0] == 0
    status, listed = sealflow_json("keys", "list")
    assert status == 0
    assert state_of(listed, "employer").startswith("suspended")
    assert state_of(listed, "employee") == "usable"
    assert "token lost" in sealflow("keys", "list")[1]
    status, _, said = sealflow(*signing(tmp_path))
    assert status == 75, said
    assert "suspended" in said
    assert not (tmp_path / "out.pdf").exists()
    run = sealflow_json("status")[1][0]
    assert run["state"] == "ready"
    assert sealflow("keys", "resume", "employer")[0] == 0
    assert sealflow("resume", run["id"], "-o", tmp_path / "out.pdf")[0] == 0
    assert (tmp_path / "out.pdf").exists()


def test_revoking_is_final_and_the_demo_authority_says_so(
    sealflow, sealflow_json, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("SEALFLOW_HOME", str(tmp_path))  # whoever shares the home must still be able to sign
    sealflow("keys", "list")
    pki = open_pki(tmp_path / "demo-pki")
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


@contextmanager
def served(service: SignatureService) -> Iterator[None]:
    """The service on a loop of its own: a command has one too."""
    loop, ended = asyncio.new_event_loop(), threading.Event()
    started = threading.Event()

    async def serve() -> None:
        async with service.serve():
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    try:
        yield
    finally:
        ended.set()
        thread.join(10)
        loop.close()


def test_a_signature_in_doubt_parks_its_run_until_a_person_has_asked(
    sealflow, sealflow_json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    service = SignatureService()
    with served(service):
        service.table(tmp_path)
        (tmp_path / "sealflow.toml").write_text(
            f'[[trust.remote]]\nurl = "{service.url}"\nparties = {{ employer = "credential-1" }}\n'
            f'credentials = "{tmp_path}/token"\n'
        )
        monkeypatch.setenv("SEALFLOW_CONFIG", str(tmp_path / "sealflow.toml"))
        service.moods = ["before"]
        status, _, said = sealflow(*signing(tmp_path))
        assert status == 75, said
        assert sealflow("resume", (run := sealflow_json("status")[1][0])["id"])[0] == 75
        assert run["state"] == "parked"
        assert service.asked == 1, "nobody asked again by himself"
        assert sealflow("resume", run["id"], "--repeat", "-o", tmp_path / "out.pdf")[0] == 0
    assert (service.asked, service.uses) == (2, 1)
    assert valid_signatures(tmp_path / "out.pdf") == 1
    assert sealflow("journal", "verify")[0] == 0
