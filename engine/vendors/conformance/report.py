"""Runs the cases of the kit and tells the outcome as rows a person or program can read."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import SealflowError
from engine.language import Text
from engine.vendors.conformance.bench import Bench, Case, NotApplicable, Violation
from engine.vendors.conformance.certificates import certificate_cases
from engine.vendors.conformance.face import face_cases
from engine.vendors.conformance.ocr import ocr_cases
from engine.vendors.conformance.sms import sms_cases
from engine.vendors.conformance.storage import storage_cases
from engine.vendors.protocols import CertificateIssuer, FaceVerifier, OcrEngine, SmsSender, Storage
from engine.vendors.registry import Registry

_CONTRACTS: dict[str, tuple[type, tuple[Case[Any], ...]]] = {
    "storage": (Storage, storage_cases),
    "sms sender": (SmsSender, sms_cases),
    "face verifier": (FaceVerifier, face_cases),
    "ocr engine": (OcrEngine, ocr_cases),
    "certificate issuer": (CertificateIssuer, certificate_cases),
}


class Verdict(StrEnum):
    """Outcome of one case."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one case for one provider; ``reason`` says why it is broken or was not tried."""

    capability: str
    provider: str
    case: str
    demand: Text
    verdict: Verdict
    reason: Text | None
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict is not Verdict.BROKEN

    @property
    def detail(self) -> Text:
        """What to show a person: the demand, and why it was not kept or not tried."""
        if self.reason is None:
            return self.demand
        if self.verdict is Verdict.NOT_TRIED:
            return Text(zh=f"未检查：{self.reason.zh}", en=f"not tried: {self.reason.en}")
        return Text(zh=f"{self.demand.zh}：{self.reason.zh}", en=f"{self.demand.en}: {self.reason.en}")


async def check(name: str, registry: Registry, bench: Bench | None = None) -> list[Finding]:
    """Examine the provider ``name``, or every provider of the plugin ``name``.

    Without a bench a temporary folder is used, no message sent and no face checked. A stage's shape was checked when
    the registry was loaded. Raises Misuse ``provider.unknown`` and what ``Registry.provider`` raises.
    """
    findings = []
    with tempfile.TemporaryDirectory(prefix="sealflow-check-") as folder:
        for row in registry.named(name):
            if row.capability not in _CONTRACTS:
                findings.append(_well_shaped(row.name))
                continue
            protocol, cases = _CONTRACTS[row.capability]
            provider = registry.provider(protocol, row.name)
            findings += await examine(row.capability, row.name, provider, cases, bench or Bench(Path(folder)))
    return findings


async def examine(
    capability: str, name: str, provider: object, cases: Iterable[Case[Any]], bench: Bench
) -> list[Finding]:
    """Run cases one after the other, each in a workspace of its own."""
    findings = []
    for case in cases:
        workspace = Path(tempfile.mkdtemp(dir=bench.workspace))
        began = time.monotonic()
        verdict, reason = await _try(case, provider, replace(bench, workspace=workspace))
        seconds = round(time.monotonic() - began, 3)
        findings.append(Finding(capability, name, case.name, case.text, verdict, reason, seconds))
    return findings


async def _try(case: Case[Any], provider: object, bench: Bench) -> tuple[Verdict, Text | None]:
    try:
        await case.run(provider, bench)
    except Violation as violation:
        return Verdict.BROKEN, violation.text
    except NotApplicable as missing:
        return Verdict.NOT_TRIED, missing.text
    except SealflowError as error:
        name = f"{type(error).__name__} {error.code}"
        return Verdict.BROKEN, Text(zh=f"意外的错误 {name}：{error.text.zh}", en=f"unexpected {name}: {error.text.en}")
    except Exception as error:  # a foreign exception is itself a broken contract
        cause = f"{type(error).__name__}: {error}"
        return Verdict.BROKEN, Text(
            zh=f"抛出了约定之外的异常 {cause}", en=f"raised {cause}, which is no error of the contract"
        )
    return Verdict.KEPT, None


def _well_shaped(name: str) -> Finding:
    return Finding(
        "stage", name, "shape", Text("阶段的形状符合约定", "the stage has its shape"), Verdict.KEPT, None, 0.0
    )
