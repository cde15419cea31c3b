"""Every built-in vendor keeps the contract that third parties are held to, and is found the way they are."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Misuse, Unavailable
from engine.settings import Settings
from engine.trust.authority.server import demo_authority
from engine.vendors.conformance import Bench, Case, certificate_cases, face_cases, sms_cases, storage_cases
from engine.vendors.protocols import (
    CertificateIssuer,
    CertificateRequest,
    FaceState,
    FaceVerifier,
    Person,
    Sms,
    SmsSender,
    SmsState,
    Storage,
)
from engine.vendors.registry import Registry, load_registry
from plugins.certificates.demo import DemoCertificates
from plugins.face.stub import StubFace, StubFaceSettings
from plugins.sms.console import ConsoleSms
from plugins.storage.local import LocalStorage, LocalStorageSettings

STAND_INS = ("console-sms", "stub-face", "demo-certificates")
PERSON = Person("示例", "990000199001010017")
DIGEST = "0" * 64


def declared() -> list[EntryPoint]:
    table = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    group = table["project"]["entry-points"]["sealflow.plugins"]
    vendors = {name: module for name, module in group.items() if module.startswith("plugins.")}
    return [EntryPoint(name, module, "sealflow.plugins") for name, module in vendors.items()]


def load(home: Path, **settings: Any) -> Registry:
    names = tuple(entry_point.name for entry_point in declared())
    return load_registry(Settings(home=home, **{"plugins": names, **settings}), declared())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "bench").mkdir()
    return Bench(tmp_path / "bench", phone="+8610000000001", person=("示例", "990000199001010017"), pause=0.02)


@pytest.mark.parametrize("case", storage_cases, ids=str)
async def test_the_local_store_keeps_the_contract(case: Case[Storage], bench: Bench, tmp_path: Path) -> None:
    await case.run(LocalStorage(LocalStorageSettings(floor_mb=0), tmp_path), bench)


@pytest.mark.parametrize("case", sms_cases, ids=str)
async def test_the_console_keeps_the_contract_of_a_sender(case: Case[SmsSender], bench: Bench, tmp_path: Path) -> None:
    await case.run(ConsoleSms(tmp_path), bench)


@pytest.mark.parametrize("case", face_cases, ids=str)
async def test_the_stub_keeps_the_contract_of_a_face_check(
    case: Case[FaceVerifier], bench: Bench, tmp_path: Path
) -> None:
    await case.run(StubFace(StubFaceSettings(), tmp_path), bench)


@pytest.mark.parametrize("case", certificate_cases, ids=str)
async def test_the_demo_authority_keeps_the_contract_of_an_issuer(
    case: Case[CertificateIssuer], bench: Bench, tmp_path: Path
) -> None:
    async with demo_authority(tmp_path / "demo-pki"):
        await case.run(DemoCertificates(tmp_path), bench)


async def test_a_demo_authority_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await DemoCertificates(tmp_path).issue(CertificateRequest(b"", "示例"), "key")
    assert caught.value.code == "certificate.unavailable"


def test_all_are_found_by_their_entry_points(tmp_path: Path) -> None:
    registry = load(tmp_path)
    assert registry.provider(Storage, "local")
    assert registry.provider(SmsSender, "console-sms")
    assert registry.provider(FaceVerifier, "stub-face")
    assert registry.provider(CertificateIssuer, "demo-certificates")


def test_only_the_stand_ins_are_for_development(tmp_path: Path) -> None:
    rows = [row for row in load(tmp_path).listed() if row.development_only]
    assert {row.name for row in rows} == set(STAND_INS)


@pytest.mark.parametrize("name", STAND_INS)
def test_production_refuses_each_stand_in(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misuse) as caught:
        load(tmp_path, environment="production", plugins=("local-storage", name))
    assert caught.value.code == "provider.development_only"
    assert name in caught.value.text.zh


async def test_the_console_shows_a_message_once_and_keeps_it_for_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = Sms("+8610000000001", "verification-code", {"code": "314159"})
    for sender in (ConsoleSms(tmp_path), ConsoleSms(tmp_path)):  # the second as after a restart
        report = await sender.send(message, "key")
    assert report.state is SmsState.DELIVERED
    assert capsys.readouterr().err.count("314159") == 1
    (kept,) = (tmp_path / "console-sms").iterdir()
    assert json.loads(kept.read_text("utf-8"))["values"] == {"code": "314159"}


async def test_the_console_names_a_wrong_number_without_telling_it_whole(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"100…34") as caught:
        await ConsoleSms(tmp_path).send(Sms("10000001234", "x", {}), "key")
    assert "10000001234" not in str(caught.value)


@pytest.mark.parametrize("outcome", ["passed", "failed", "pending"])
async def test_the_stub_comes_to_the_outcome_it_is_set_to(tmp_path: Path, outcome: Any) -> None:
    stub = StubFace(StubFaceSettings(outcome=outcome), tmp_path)
    check = await stub.start(PERSON, "签署", DIGEST, "key")
    result = await stub.result(check.id)
    assert result.state is FaceState(outcome)
    assert (result.reason is not None) == (outcome == "failed")
    assert (result.checked_at is None) == (outcome == "pending")


async def test_a_pending_check_can_be_decided_and_a_restart_remembers_it(tmp_path: Path) -> None:
    settings = StubFaceSettings(outcome="pending")
    check = await StubFace(settings, tmp_path).start(PERSON, "签署", DIGEST, "key")
    await StubFace(settings, tmp_path).decide(check.id, "passed")
    assert (await StubFace(settings, tmp_path).result(check.id)).state is FaceState.PASSED


async def test_starting_again_neither_resets_a_decision_nor_extends_the_time(tmp_path: Path) -> None:
    stub = StubFace(StubFaceSettings(outcome="pending"), tmp_path)
    first = await stub.start(PERSON, "签署", DIGEST, "key")
    await stub.decide(first.id, "failed")
    assert await stub.start(PERSON, "签署", DIGEST, "key") == first
    assert (await stub.result(first.id)).state is FaceState.FAILED


async def test_an_undecided_check_expires(tmp_path: Path) -> None:
    stub = StubFace(StubFaceSettings(outcome="pending"), tmp_path)
    check = await stub.start(PERSON, "签署", DIGEST, "key")
    (kept,) = (tmp_path / "stub-face").iterdir()
    long_ago = json.loads(kept.read_text("utf-8")) | {"started_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}
    kept.write_text(json.dumps(long_ago), "utf-8")
    assert (await stub.result(check.id)).state is FaceState.EXPIRED


async def test_the_stub_knows_no_passports(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="manual review"):
        await StubFace(StubFaceSettings(), tmp_path).start(replace(PERSON, document="passport"), "签署", DIGEST, "key")
