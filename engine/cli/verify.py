"""``sealflow verify``: what a PDF's signatures are worth, for people, programs and as a page to keep."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.pipeline.delivery import unwritable
from engine.sandbox import Sandbox
from engine.settings import load_settings
from engine.trust import validation
from engine.trust.anchors import load_anchors, load_retirements
from engine.trust.changes import PageChanges, draw_changes, extract_revisions
from engine.trust.consents import WORDS, Consent, Standing, check_consents, load_proofs
from engine.trust.etsi_report import etsi_report, render_etsi
from engine.trust.indication_words import INDICATIONS, MEANINGS
from engine.trust.inquiry import Inquiry
from engine.trust.report import render_html
from engine.trust.revocation import RevocationSource
from engine.trust.revocation_store import RevocationStore
from engine.trust.suites.words import explain_algorithm
from engine.trust.verdict import Integrity, Report, SignatureVerdict

_PATIENCE = 5.0
"""Seconds an authority has to say whether a certificate was revoked."""


@click.command(
    help=str(
        Text(
            zh="验证 PDF 的签名：完整性、信任、级别、时间戳及签名后的变化。",
            en="Verify the signatures of a PDF: integrity, trust, level, timestamps, later changes.",
        )
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--anchors",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=str(Text(zh="受信任根证书所在文件夹。", en="Folder with the trusted root certificates.")),
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help=str(Text(zh="另存一份可阅读的验证报告。", en="Also write a report that a person can read.")),
)
@click.option(
    "--etsi",
    type=click.Path(path_type=Path, dir_okay=False),
    help=str(
        Text(
            zh="另存 ETSI TS 119 102-2 报告；后缀为 .json 时写同样结构的 JSON。",
            en="Also write the report of ETSI TS 119 102-2; with the suffix .json the same in JSON.",
        )
    ),
)
@click.option(
    "--revisions",
    type=click.Path(path_type=Path, file_okay=False),
    help=str(Text(zh="把每个签名所签的版本写到此文件夹。", en="Write what each signer signed to this folder.")),
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help=str(Text(zh="把签署后有变化的页面画到此文件夹。", en="Draw pages that changed after signing to this folder.")),
)
@click.option(
    "--proofs",
    type=click.Path(path_type=Path, exists=True),
    help=str(
        Text(
            zh="意愿证明所在文件夹或 JSON 文件，逐个签名核对。",
            en="Proofs of intent, a folder or JSON file, to check, too.",
        )
    ),
)
@click.option(
    "--offline",
    is_flag=True,
    help=str(
        Text(zh="不访问网络，只用文件内和已缓存的吊销信息。", en="Ask no network; only the file and what is cached.")
    ),
)
@console.json_option
def verify(
    file: Path,
    anchors: Path | None,
    html: Path | None,
    etsi: Path | None,
    revisions: Path | None,
    pictures: Path | None,
    proofs: Path | None,
    offline: bool,
    as_json: bool,
) -> int:
    return asyncio.run(_verify(file, anchors, _Outputs(html, etsi, revisions, pictures), proofs, offline, as_json))


@dataclass(frozen=True)
class _Outputs:
    """What to write beside the answer."""

    html: Path | None
    etsi: Path | None
    revisions: Path | None
    pictures: Path | None


async def _verify(
    file: Path, anchors: Path | None, outputs: _Outputs, proofs: Path | None, offline: bool, as_json: bool
) -> int:
    settings = load_settings()
    given = None if proofs is None else load_proofs(proofs)
    roots = load_anchors(anchors) if anchors else assembly.trusted_roots(settings)
    retired = load_retirements(anchors) if anchors else assembly.retired_roots(settings)
    draws = ("engine.pdf.page_comparison",) if outputs.html or outputs.pictures else ()
    sandbox = Sandbox(("engine.trust.inspection", *draws))
    source = None if offline else RevocationSource(roots, proxy=settings.trust.proxy, timeout=_PATIENCE)
    try:
        inquiry = Inquiry(RevocationStore(settings.home / "revocation"), source)
        report = await validation.verify(sandbox, file, roots, inquiry=inquiry, retired=retired)
        consents = await sandbox.call(check_consents, file, given) if given is not None and report.signatures else None
        await _write(sandbox, file, report, outputs)
    finally:
        if source is not None:
            await source.close()
        await sandbox.close()
    if as_json:
        told = {} if consents is None else {"consents": msgspec.to_builtins(consents)}
        console.print_json({**report.to_dict(), **told})
    else:
        _tell(report)
        _tell_consents(consents or ())
    sound = report.integrity in (Integrity.VALID, Integrity.EXTENDED)
    return 0 if sound and all(consent.standing is Standing.BOUND for consent in consents or ()) else 65


def _tell_consents(consents: tuple[Consent, ...]) -> None:
    for consent in consents:
        words = WORDS[consent.standing]
        console.output.print(f"\n{Text('意愿', 'Intent')} {', '.join(consent.fields)}: {words}", markup=False)
        if consent.proof is not None:
            proof = consent.proof
            said = (proof.party, proof.factor, proof.vendor, proof.reference, console.local_time(proof.passed_at))
            console.print_indented(" · ".join(said))


async def _write(sandbox: Sandbox, file: Path, report: Report, outputs: _Outputs) -> None:
    drawn: tuple[PageChanges, ...] = ()
    with tempfile.TemporaryDirectory(prefix="sealflow-pictures-") as scratch:
        folder = outputs.pictures or Path(scratch)
        if outputs.pictures or outputs.html:
            with _telling(folder):
                drawn = await draw_changes(sandbox, file, report, folder)
        if outputs.html:
            _save(outputs.html, render_html(report, drawn, folder).encode())
    if outputs.revisions:
        with _telling(outputs.revisions):
            await extract_revisions(file, report, outputs.revisions)
    if outputs.etsi:
        as_json = outputs.etsi.suffix.lower() == ".json"
        _save(outputs.etsi, msgspec.json.encode(etsi_report(report)) if as_json else render_etsi(report))


def _save(goal: Path, content: bytes) -> None:
    with _telling(goal):
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(content)


@contextlib.contextmanager
def _telling(goal: Path) -> Iterator[None]:
    """Say which place cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(goal, error) from error


_INTEGRITY = {
    Integrity.VALID: Text("完整：签名后未被改动", "Intact: unchanged since it was signed"),
    Integrity.EXTENDED: Text("完整：签名后仅有允许的追加", "Intact: only lawful additions since it was signed"),
    Integrity.MODIFIED: Text("签名后被改动", "Changed after signing"),
    Integrity.BROKEN: Text("签名无效", "A signature is broken"),
    Integrity.INDETERMINATE: Text("无法判断", "Cannot be judged"),
    Integrity.UNSIGNED: Text("没有签名", "Not signed"),
}
_TRUST = {
    "trusted": Text("签名人可信", "signer trusted"),
    "untrusted": Text("签名人不在信任范围内", "signer not among the trusted"),
    "revoked": Text("证书已吊销", "certificate revoked"),
    "expired": Text("证书已过期", "certificate expired"),
    "unchecked": Text("未核对信任", "trust not checked"),
}
_STAMP_TRUST = {
    "trusted": Text("时间戳机构可信", "authority trusted"),
    "untrusted": Text("时间戳机构不在信任范围内", "authority not among the trusted"),
}


def _tell(report: Report) -> None:
    good = report.integrity in (Integrity.VALID, Integrity.EXTENDED)
    level = f" · {report.level}" if report.level else ""
    console.output.print(
        f"[{'green' if good else 'red'}]{_INTEGRITY[report.integrity]}[/] · {_TRUST[report.trust]}{level}"
    )
    if report.indication is not None:
        console.print_indented(f"EN 319 102-1: {report.indication} — {INDICATIONS[report.indication]}")
    for finding in report.findings:
        console.print_indented(str(finding.text))
    for signature in report.signatures:
        _tell_signature(signature)


def _tell_signature(signature: SignatureVerdict) -> None:
    kind = Text("时间戳", "Timestamp") if signature.kind == "timestamp" else Text("签名", "Signature")
    console.output.print(f"\n{kind} {signature.places}: {_INTEGRITY[signature.integrity]}", markup=False)
    trust = _STAMP_TRUST.get(signature.trust) if signature.kind == "timestamp" else None
    lines = [signature.signer or "", str(trust or _TRUST[signature.trust])]
    if signature.proven_at is not None:
        lines.append(f"{Text('可信时间', 'Proven time')} {console.local_time(signature.proven_at)}")
    if signature.level:
        lines.append(signature.level)
    if signature.algorithm:
        words = explain_algorithm(signature.algorithm)
        lines.append(f"{Text('算法', 'Algorithm')} {signature.algorithm}" + (f" ({words})" if words else ""))
    lines.append(" / ".join(filter(None, (signature.indication, signature.sub_indication))))
    if signature.sub_indication is not None:
        lines += map(str, MEANINGS[signature.sub_indication])
    lines += [str(finding.text) for finding in (*signature.findings, *signature.later_changes)]
    for line in filter(None, lines):
        console.print_indented(line)
