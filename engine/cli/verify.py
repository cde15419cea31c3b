"""``sealflow verify``: what a PDF's signatures are worth, for people, programs and as a page to keep."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.pipeline.delivery import unwritable
from engine.sandbox import Sandbox
from engine.settings import load_settings
from engine.trust import validation
from engine.trust.anchors import load_anchors
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
    "--offline",
    is_flag=True,
    help=str(
        Text(zh="不访问网络，只用文件内和已缓存的吊销信息。", en="Ask no network; only the file and what is cached.")
    ),
)
@console.json_option
def verify(file: Path, anchors: Path | None, html: Path | None, offline: bool, as_json: bool) -> int:
    return asyncio.run(_verify(file, anchors, html, offline, as_json))


async def _verify(file: Path, anchors: Path | None, html: Path | None, offline: bool, as_json: bool) -> int:
    settings = load_settings()
    roots = load_anchors(anchors) if anchors else assembly.trusted_roots(settings)
    sandbox = Sandbox(("engine.trust.inspection",))
    source = None if offline else RevocationSource(roots, proxy=settings.trust.proxy, timeout=_PATIENCE)
    try:
        inquiry = Inquiry(RevocationStore(settings.home / "revocation"), source)
        report = await validation.verify(sandbox, file, roots, inquiry=inquiry)
    finally:
        if source is not None:
            await source.close()
        await sandbox.close()
    if html is not None:
        try:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(render_html(report), "utf-8")
        except OSError as error:
            raise unwritable(html, error) from error
    if as_json:
        console.print_json(report.to_dict())
    else:
        _tell(report)
    return 0 if report.integrity in (Integrity.VALID, Integrity.EXTENDED) else 65


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
    for finding in report.findings:
        console.print_indented(str(finding.text))
    for signature in report.signatures:
        _tell_signature(signature)


def _tell_signature(signature: SignatureVerdict) -> None:
    kind = Text("时间戳", "Timestamp") if signature.kind == "timestamp" else Text("签名", "Signature")
    console.output.print(f"\n{kind} {', '.join(signature.fields)}: {_INTEGRITY[signature.integrity]}", markup=False)
    trust = _STAMP_TRUST.get(signature.trust) if signature.kind == "timestamp" else None
    lines = [signature.signer or "", str(trust or _TRUST[signature.trust])]
    if signature.proven_at is not None:
        lines.append(f"{Text('可信时间', 'Proven time')} {console.local_time(signature.proven_at)}")
    if signature.level:
        lines.append(signature.level)
    if signature.algorithm:
        words = explain_algorithm(signature.algorithm)
        lines.append(f"{Text('算法', 'Algorithm')} {signature.algorithm}" + (f" ({words})" if words else ""))
    lines += [str(finding.text) for finding in (*signature.findings, *signature.later_changes)]
    for line in filter(None, lines):
        console.print_indented(line)
