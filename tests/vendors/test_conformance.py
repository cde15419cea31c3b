"""The conformance kit finds each kind of fault, says it in words, and leaves a real provider as it was."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Misuse, Rejected, Unavailable
from engine.settings import Settings
from engine.vendors.conformance import (
    Bench,
    Verdict,
    check,
    examine,
    face_cases,
    ocr_cases,
    sms_cases,
    storage_cases,
)
from engine.vendors.protocols import (
    FaceCheck,
    FaceResult,
    FaceState,
    Person,
    Recognition,
    RecognizedLine,
    Sms,
    SmsReport,
    SmsState,
)
from engine.vendors.registry import load_registry
from plugins.storage.local import LocalStorage, LocalStorageSettings
from tests.vendors.conftest import Install

PHONE, PERSON = "+8610000000001", ("示例", "990000199001010017")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "bench").mkdir()
    return Bench(tmp_path / "bench", phone=PHONE, person=PERSON, pause=0.02)


async def broken(provider: object, cases: Any, bench: Bench) -> dict[str, str]:
    findings = await examine("x", "x", provider, cases, bench)
    return {
        finding.case: finding.reason.en for finding in findings if finding.verdict is Verdict.BROKEN and finding.reason
    }


class Good(LocalStorage):
    def __init__(self, home: Path) -> None:
        super().__init__(LocalStorageSettings(floor_mb=0), home)
        self.home = home


class Md5(Good):
    async def put(self, source: Path) -> str:
        await super().put(source)
        return hashlib.md5(source.read_bytes()).hexdigest()


class Moving(Good):
    async def put(self, source: Path) -> str:
        digest = await super().put(source)
        source.unlink()
        return digest


class Trusting(Good):
    async def get(self, digest: str, workspace: Path) -> Path:
        try:
            return await super().get(digest, workspace)
        except Rejected:
            raise
        except Exception:
            return self.home / "store" / digest[:2] / digest


class Leaking(Good):
    async def get(self, digest: str, workspace: Path) -> Path:
        try:
            return await super().get(digest, workspace)
        except Rejected as error:
            raise KeyError(digest) from error


class Strict(Good):
    async def delete(self, digest: str) -> None:
        (self.home / "store" / digest[:2] / digest).unlink()


class Forgetful(Good):
    async def delete(self, digest: str) -> None:
        return


class Timeless(Good):
    async def digests(self, stored_before: datetime) -> AsyncIterator[str]:
        async for digest in super().digests(datetime.now(UTC) + timedelta(days=9)):
            yield digest


class Stale(Good):
    async def put(self, source: Path) -> str:
        digest = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else ""
        return digest if (self.home / "store" / digest[:2] / digest).is_file() else await super().put(source)


class Greedy(Good):
    async def put(self, source: Path) -> str:
        keep = source.read_bytes() if source.is_file() else b""
        return await super().put(source) if len(keep) >= 0 else ""


class Blocking(Good):
    async def put(self, source: Path) -> str:
        return self._put(source)


class Down(Good):
    async def put(self, source: Path) -> str:
        raise Unavailable("storage.unavailable", zh="停机", en="down")


@pytest.mark.parametrize(
    ("kind", "case", "words"),
    [
        (Md5, "whole", "not the sha256"),
        (Moving, "whole", "differs|No such file|taken away"),
        (Trusting, "damaged", "unnoticed"),
        (Leaking, "missing", "KeyError"),
        (Strict, "deleted", "FileNotFoundError"),
        (Forgetful, "deleted", "nothing was raised"),
        (Timeless, "listed", "older than a day"),
        (Forgetful, "listed", "still listed"),
        (Stale, "renewed", "collector"),
        (Greedy, "flat", "work in chunks"),
        (Blocking, "asynchronous", "stood still"),
        (Down, "whole", "storage.unavailable"),
    ],
)
async def test_a_store_that_breaks_its_contract_is_found_out(
    kind: Callable[[Path], Good], case: str, words: str, bench: Bench, tmp_path: Path
) -> None:
    cases = [one for one in storage_cases if one.name == case]
    reasons = await broken(kind(tmp_path), cases, bench)
    assert any(word in reasons[case] for word in words.split("|"))


async def test_the_kit_leaves_the_store_as_it_was(bench: Bench, tmp_path: Path) -> None:
    store = Good(tmp_path)
    (tmp_path / "mine").write_bytes(b"mine")
    await store.put(tmp_path / "mine")
    assert await broken(store, storage_cases, bench) == {}
    assert [path.read_bytes() for path in (tmp_path / "store").glob("??/*")] == [b"mine"]


async def test_a_store_that_gives_copies_needs_a_function_that_damages(bench: Bench, tmp_path: Path) -> None:
    class Copying(Good):
        async def get(self, digest: str, workspace: Path) -> Path:
            return Path(shutil.copy(await super().get(digest, workspace), workspace / digest))

    async def damage(digest: str) -> None:
        path = tmp_path / "store" / digest[:2] / digest
        path.chmod(0o600)
        path.write_bytes(b"rot")

    (case,) = (case for case in storage_cases if case.name == "damaged")
    (finding,) = await examine("x", "x", Copying(tmp_path), [case], bench)
    assert finding.verdict is Verdict.NOT_TRIED
    (finding,) = await examine("x", "x", Copying(tmp_path), [case], replace(bench, damage=damage))
    assert finding.verdict is Verdict.KEPT


class Sender:
    """Faults by name; without any it keeps the contract."""

    def __init__(self, *faults: str) -> None:
        self.faults, self.sent = faults, dict[str, SmsReport]()

    async def send(self, message: Sms, key: str) -> SmsReport:
        if not message.phone.startswith("+861") and "any number" not in self.faults:
            raise Rejected("sms.number", zh="" if "mute" in self.faults else "号码有误", en="wrong number")
        known = self.sent.get(key)
        if "racing" in self.faults:
            await asyncio.sleep(0)
        if known is None or "twice" in self.faults:
            known = SmsReport(SmsState.ACCEPTED, reference=str(time.monotonic_ns()))
            self.sent[key] = known
        return known

    async def status(self, key: str, phone: str, sent_after: datetime) -> SmsReport:
        if "blind" in self.faults:
            return SmsReport(SmsState.UNKNOWN)
        if "sure" in self.faults:
            return SmsReport(SmsState.DELIVERED)
        return self.sent.get(key, SmsReport(SmsState.UNKNOWN))


@pytest.mark.parametrize(
    ("fault", "cases"),
    [
        ("", set()),
        ("any number", {"bad-number"}),
        ("mute", {"bad-number"}),
        ("twice", {"replayed", "concurrent"}),
        ("racing", {"concurrent"}),
        ("blind", {"replayed"}),
        ("sure", {"unknown", "replayed"}),
    ],
)
async def test_a_sender_that_breaks_its_contract_is_found_out(fault: str, cases: set[str], bench: Bench) -> None:
    assert set(await broken(Sender(fault), sms_cases, bench)) == cases


async def test_without_a_number_nothing_is_sent(bench: Bench) -> None:
    sender = Sender()
    findings = await examine("x", "x", sender, sms_cases, replace(bench, phone=None))
    assert {finding.case for finding in findings if finding.verdict is Verdict.NOT_TRIED} == {"replayed", "concurrent"}
    assert sender.sent == {}


class Verifier:
    """As ``Sender``."""

    def __init__(self, *faults: str) -> None:
        self.faults, self.begun = faults, dict[str, tuple[str, str]]()

    async def start(self, person: Person, purpose: str, digest: str, key: str) -> FaceCheck:
        if person.document != "resident_id" and "any document" not in self.faults:
            raise Rejected("face.person", zh="证件不支持", en="not supported")
        check = "one" if "shared" in self.faults else str(time.monotonic_ns()) if "twice" in self.faults else key
        self.begun[check] = (purpose, "f" * 64 if "unbound" in self.faults else digest)
        url = f"https://face.example/{person.number if 'leaking' in self.faults else check}"
        late = timedelta(hours=-1 if "expired" in self.faults else 1)
        return FaceCheck(check, url, datetime.now(None if "naive" in self.faults else UTC) + late)

    async def result(self, id: str) -> FaceResult:
        if id not in self.begun:
            raise KeyError(id) if "foreign" in self.faults else Rejected("face.missing", zh="没有", en="none")
        evidence = b'{"image":"/9j/4AAQSkZJRg=="}' if "picture" in self.faults else b"{}"
        return FaceResult(FaceState.PENDING, *self.begun[id], evidence=evidence)


@pytest.mark.parametrize(
    ("fault", "cases"),
    [
        ("", set()),
        ("any document", {"foreign-document"}),
        ("shared", {"replayed"}),
        ("twice", {"replayed"}),
        ("unbound", {"bound"}),
        ("picture", {"bound"}),
        ("leaking", {"usable"}),
        ("expired", {"usable"}),
        ("naive", {"usable"}),
        ("foreign", {"unknown"}),
    ],
)
async def test_a_face_check_that_breaks_its_contract_is_found_out(fault: str, cases: set[str], bench: Bench) -> None:
    assert set(await broken(Verifier(fault), face_cases, bench)) == cases


class Reader:
    """As ``Sender``; what it "reads" is drawn by the kit, so it only needs to tell the pages apart."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults

    async def recognize(self, image: Path, languages: tuple[str, ...]) -> Recognition:
        if "tlh" in languages and "any language" not in self.faults:
            raise Rejected("ocr.language", zh="语言不支持", en="not supported")
        if not image.read_bytes().startswith(b"\x89PNG") and "credulous" not in self.faults:
            raise Rejected("ocr.unreadable", zh="不是图像", en="no image")
        for _ in range(0 if "blocking" in self.faults else 20):
            await asyncio.sleep(0)
        confidence = 99.0 if "percent" in self.faults else 0.99
        box = ((120.0, 180.0), (420.0, 180.0), (420.0, 240.0), (120.0, 240.0))
        if "outside" in self.faults:
            box = ((120.0, 180.0), (4200.0, 180.0), (4200.0, 240.0), (120.0, 240.0))
        if "upside down" in self.faults:
            box = (box[2], box[3], box[0], box[1])
        text = "2O261123" if "misread" in self.faults else "2026 1123"
        empty = image.name == "page-0.png" and "imagining" not in self.faults
        width = 450 if "scaled" in self.faults else 900
        if "marking" in self.faults:
            image.write_bytes(image.read_bytes() + b"\0")
        return Recognition(width, 500, () if empty else (RecognizedLine(text, box, confidence),))


@pytest.mark.parametrize(
    ("fault", "cases"),
    [
        ("", set()),
        ("any language", {"language"}),
        ("credulous", {"unreadable"}),
        ("blocking", {"asynchronous"}),
        ("percent", {"printed"}),
        ("outside", {"printed"}),
        ("upside down", {"printed"}),
        ("misread", {"printed"}),
        ("marking", {"printed"}),
        ("imagining", {"blank"}),
        ("scaled", {"blank"}),
    ],
)
async def test_a_reader_that_breaks_its_contract_is_found_out(fault: str, cases: set[str], bench: Bench) -> None:
    assert set(await broken(Reader(fault), ocr_cases, bench)) == cases


async def test_a_provider_or_a_whole_plugin_is_checked_by_name(install: Install, tmp_path: Path) -> None:
    source = """
    @dataclass(frozen=True)
    class Staple:
        name: ClassVar[str] = "staple"
        version: ClassVar[int] = 1
        effect: ClassVar[str] = "appends"
        reads: ClassVar[frozenset[str]] = frozenset()
        async def run(self, work): ...

    @hookimpl
    def sealflow_storages(): return {"null": Memory}

    @hookimpl
    def sealflow_stages(): return {"staple": Staple}
    """
    registry = load_registry(Settings(home=tmp_path, plugins=("acme",)), [install(source)])
    quick = Bench(tmp_path, pause=0.0)
    by_name = await check("null", registry, quick)
    assert len(by_name) == len(storage_cases)
    assert {finding.provider for finding in by_name} == {"null"}
    assert Verdict.BROKEN in {finding.verdict for finding in by_name}
    by_plugin = await check("acme", registry, quick)
    assert {finding.capability for finding in by_plugin} == {"storage", "stage"}
    with pytest.raises(Misuse) as caught:
        await check("nil", registry)
    assert "null" in caught.value.text.en
