"""``sealflow check``: three verdicts on one archived file side by side, each from its own judge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text as Plain

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.pdf.conformance import Conformance, Verdict
from engine.pdf.declaration import PROFILES, Profile
from engine.sandbox import Sandbox
from engine.settings import load_settings
from engine.stages import conformity
from engine.trust import validation
from engine.trust.anchors import load_anchors
from engine.trust.verdict import LEVELS, Integrity, Report, SignatureVerdict, Trust

_LISTED = 5
"""Things of a kind shown to a person; programs get all."""


@click.command(
    help=str(
        Text(
            zh="对归档文件并列给出三个结论：是否符合 PDF/A，签名级别与信任，每位签署人签署后内容未变。"
            "三者都成立时退出状态为 0。",
            en="Give three verdicts on an archived file side by side: PDF/A, level and trust of its signatures, "
            "content unchanged since each signer signed. Exit status 0 only if all three hold.",
        )
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="PDF/A-2b",
    show_default=True,
    help=str(Text(zh="PDF/A 的部分与级别。", en="Part and level of PDF/A.")),
)
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="B-LTA",
    show_default=True,
    help=str(Text(zh="签名至少应达到的级别。", en="Level the signatures must reach.")),
)
@click.option(
    "--anchors",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=str(Text(zh="受信任根证书所在文件夹。", en="Folder with the trusted root certificates.")),
)
@console.json_option
def check(file: Path, profile: Profile, level: str, anchors: Path | None, as_json: bool) -> int:
    conformance, report = asyncio.run(_judge(file, profile, anchors))
    columns = (_Conformance(conformance), _Level(report, level), _Unchanged(report))
    holds = all(column.holds for column in columns)
    if as_json:
        verdicts = {column.name: {"holds": column.holds, **column.plain()} for column in columns}
        console.print_json({"file": file.name, "digest": report.digest, "holds": holds, **verdicts})
    else:
        _show(columns)
    return 0 if holds else 65


async def _judge(file: Path, profile: Profile, anchors: Path | None) -> tuple[Conformance, Report]:
    roots = load_anchors(anchors) if anchors else assembly.trusted_roots(load_settings())
    sandbox = Sandbox(("engine.trust.inspection", "engine.pdf.conformance"))
    try:
        conformance, report = await asyncio.gather(
            conformity.judge(sandbox.within(conformity.LIMITS), file, profile),
            validation.verify(sandbox, file, roots),
        )
    finally:
        await sandbox.close()
    return conformance, report


class _Conformance:
    """Whether the file is PDF/A."""

    name = "conformance"

    def __init__(self, found: Conformance) -> None:
        self.found = found
        self.holds = found.verdict is Verdict.PASS
        self.heading = found.profile

    def plain(self) -> dict[str, Any]:
        return {
            "profile": self.found.profile,
            "verdict": self.found.verdict,
            "violations": msgspec.to_builtins(self.found.violations),
        }

    def lines(self) -> list[str]:
        if self.holds:
            return [str(Text(zh="未发现违反的条款", en="no clause is broken"))]
        certain = sum(one.certain for one in self.found.violations)
        if certain:
            return [str(Text(zh=f"{certain} 处违反条款，见下", en=f"breaks clauses at {certain} places, see below"))]
        return [str(Text(zh="有无法判断之处，见下", en="holds what cannot be judged, see below"))]

    def details(self) -> list[str]:
        places: dict[str, list[str]] = {}
        for one in self.found.violations:
            places.setdefault(f"{one.heading}: {one.text}", []).append(one.place)
        lines = [
            f"{what} [{', '.join(where[:_LISTED])}{', …' * (len(where) > _LISTED)}]" for what, where in places.items()
        ]
        more = len(lines) - _LISTED
        tail = [str(Text(zh=f"另有 {more} 种，见 --json", en=f"{more} more kinds, see --json"))] if more > 0 else []
        return lines[:_LISTED] + tail


class _Level:
    """What the signatures prove, and to whom they lead."""

    name = "level"

    def __init__(self, report: Report, wanted: str) -> None:
        self.report, self.wanted = report, wanted
        reached = LEVELS.index(report.level) if report.level in LEVELS else -1
        self.holds = reached >= LEVELS.index(wanted) and report.trust is Trust.TRUSTED
        self.heading = f"PAdES {wanted}"

    def plain(self) -> dict[str, Any]:
        return {"requested": self.wanted, "achieved": self.report.level, "trust": self.report.trust}

    def details(self) -> list[str]:
        return [str(finding.text) for finding in self.report.findings]

    def lines(self) -> list[str]:
        level = self.report.level or Text(zh="无级别", en="no level")
        lines = [str(Text(zh=f"达到 {level}", en=f"reaches {level}")), str(_TRUST[self.report.trust])]
        proven = [one.proven_at for one in _signers(self.report) if one.proven_at is not None]
        if proven:
            lines.append(str(Text(zh="最早可信时间：", en="earliest proven time:")))
            lines.append(console.local_time(min(proven)))
        return lines


class _Unchanged:
    """Whether each signer's content is what that signer saw."""

    name = "unchanged"

    def __init__(self, report: Report) -> None:
        self.report = report
        self.signers = _signers(report)
        self.holds = bool(self.signers) and all(_is_unchanged(one) for one in self.signers)
        self.heading = str(Text(zh="签署后内容未变", en="Unchanged content"))

    def plain(self) -> dict[str, Any]:
        return {
            "integrity": self.report.integrity,
            "signers": [
                {
                    "fields": list(one.fields),
                    "signer": one.signer,
                    "unchanged": _is_unchanged(one),
                    "integrity": one.integrity,
                    "findings": msgspec.to_builtins(one.findings),
                    "later_changes": msgspec.to_builtins(one.later_changes),
                }
                for one in self.signers
            ],
        }

    def lines(self) -> list[str]:
        if not self.signers:
            return [str(Text(zh="没有签名", en="no signature"))]
        return [f"{_mark(_is_unchanged(one))} {', '.join(one.fields)}" for one in self.signers]

    def details(self) -> list[str]:
        return [
            f"{', '.join(one.fields)}: {finding.text}"
            for one in self.signers
            if not _is_unchanged(one)
            for finding in one.findings[:_LISTED]
        ]


def _signers(report: Report) -> Sequence[SignatureVerdict]:
    return [one for one in report.signatures if one.kind == "signature"]


def _is_unchanged(signature: SignatureVerdict) -> bool:
    return signature.integrity in (Integrity.VALID, Integrity.EXTENDED)


_TRUST = {
    Trust.TRUSTED: Text(zh="签署人证书可信", en="signers are trusted"),
    Trust.UNTRUSTED: Text(zh="签署人不在信任范围内", en="a signer is not trusted"),
    Trust.REVOKED: Text(zh="有证书已吊销", en="a certificate is revoked"),
    Trust.EXPIRED: Text(zh="有证书已过期", en="a certificate is expired"),
    Trust.UNCHECKED: Text(zh="未核对信任", en="trust was not checked"),
}


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


def _show(columns: Sequence[_Conformance | _Level | _Unchanged]) -> None:
    table = Table(expand=True, width=min(80, console.output.width))
    for column in columns:
        table.add_column(Plain(column.heading), ratio=1, overflow="fold")
    words = {True: Text(zh="✓ 成立", en="✓ holds"), False: Text(zh="✗ 不成立", en="✗ does not hold")}
    table.add_row(*(Plain(str(words[column.holds]), "green" if column.holds else "red") for column in columns))
    table.add_row(*(Group(*map(Plain, column.lines())) for column in columns))
    console.output.print(table)
    for column in columns:
        for line in column.details():
            console.print_indented(line)
