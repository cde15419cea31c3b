"""Renders a verdict as one HTML page in both languages for a judge to read; it adds nothing to what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path
from string import Template

from engine.trust.changes import PageChanges
from engine.trust.indication_words import INDICATIONS, MEANINGS
from engine.trust.report_pictures import render_changes
from engine.trust.report_style import PAGE
from engine.trust.report_words import INTEGRITY, LEVEL, TRUST, both
from engine.trust.suites.words import explain_algorithm
from engine.trust.verdict import Finding, Report, SignatureVerdict, Stamp, Trust

_BEIJING = timezone(timedelta(hours=8))


def render_html(report: Report, changes: Sequence[PageChanges] = (), pictures: Path | None = None) -> str:
    """Give a self-contained page; every text taken from the file is escaped, nothing is loaded from anywhere.

    ``changes``: how pages changed since signatures; their pictures are taken from the folder ``pictures``.
    """
    tone, zh, en, zh_long, en_long = INTEGRITY[report.integrity]
    if tone == "good" and report.trust is not Trust.TRUSTED:
        tone = "unsure"
    trust_tone, trust_zh, trust_en = TRUST[report.trust]
    return Template(PAGE).substitute(
        name=escape(report.file),
        tone=tone,
        verdict=both(zh, en),
        meaning=both(zh_long, en_long),
        trust=f'<p class="{trust_tone}">{both(f"签署人：{trust_zh}", f"Signers: {trust_en}")}</p>'
        if report.signatures
        else "",
        level=_level(report.level) if report.level else "",
        findings=_findings("文件", "File", report.findings),
        size=f"{report.size:,}",
        digest=escape(report.digest),
        checked=_time(report.checked_at),
        count=str(len(report.signatures)),
        signatures="".join(_signature(number, entry) for number, entry in enumerate(report.signatures, 1)),
        advice=_advice(report),
        changes=render_changes(changes, pictures),
    )


def _signature(number: int, entry: SignatureVerdict) -> str:
    tone, zh, en, *_ = INTEGRITY[entry.integrity]
    trust_tone, trust_zh, trust_en = TRUST[entry.trust]
    stamp = entry.kind == "timestamp"
    kind = both("文档时间戳", "Document timestamp") if stamp else both("电子签名", "Signature")
    rows = [
        (("结论", "Verdict"), f'<b class="{tone}">{both(zh, en)}</b>'),
        (("时间戳机构", "Authority") if stamp else ("签署人", "Signer"), _name(entry.signer)),
        (("可信性", "Trust"), f'<span class="{trust_tone}">{both(trust_zh, trust_en)}</span>'),
        (("状态（EN 319 102-1）", "Status (EN 319 102-1)"), _status(entry)),
        (("吊销状态未知", "Revocation unknown"), "<br>".join(map(_name, entry.unknown_revocation))),
        (("时间", "Time"), _times(entry)),
        (
            ("级别", "Level"),
            _level(entry.level)
            if entry.level
            else (
                "" if stamp else both("不是 PAdES 基线签名，或签名不完整", "no PAdES baseline signature, or not intact")
            ),
        ),
        (("覆盖范围", "Covers"), _coverage(entry)),
        (("此后的变化", "Later changes"), _list(entry.later_changes)),
        (("发现的问题", "Findings"), _list(entry.findings)),
        (("签署理由", "Reason"), escape(entry.reason or "")),
        (("签署地点", "Place"), escape(entry.location or "")),
        (("签名域", "Field"), escape(entry.places)),
        (("意愿证明摘要", "Digest of the intent proof"), _code(entry.intent)),
        (("签发机构", "Issuer"), _name(entry.issuer)),
        (("证书序列号", "Serial"), _code(entry.serial)),
        (("证书指纹 SHA-256", "Certificate SHA-256"), _code(entry.certificate)),
        (("算法", "Algorithm"), _algorithm(entry.algorithm)),
    ]
    body = "".join(f"<tr><th>{both(*title)}</th><td>{value}</td></tr>" for title, value in rows if value)
    return f'<section class="card {tone}"><h2><i>{number}</i>{kind}</h2><table>{body}</table></section>'


def _status(entry: SignatureVerdict) -> str:
    words = INDICATIONS[entry.indication]
    told = f"<code>{entry.indication}</code> {both(words.zh, words.en)}"
    if entry.sub_indication is not None:
        meaning, _ = MEANINGS[entry.sub_indication]
        told += f"<br><code>{entry.sub_indication}</code> {both(meaning.zh, meaning.en)}"
    return told


def _advice(report: Report) -> str:
    """What a person can do, once for each reason."""
    reasons = dict.fromkeys(entry.sub_indication for entry in report.signatures if entry.sub_indication is not None)
    if not reasons:
        return ""
    lines = "".join(f"<li>{both(MEANINGS[reason][1].zh, MEANINGS[reason][1].en)}</li>" for reason in reasons)
    return f'<section class="card"><h2>{both("可以怎么做", "What to do")}</h2><ul>{lines}</ul></section>'


def _times(entry: SignatureVerdict) -> str:
    lines = [_stamp(stamp) for stamp in entry.stamps]
    if entry.claimed_at is not None:
        source = both("签署方自报，未经证明", "claimed by the signing side, not proven")
        lines.append(f"{_time(entry.claimed_at)} <small>{source}</small>")
    return "<br>".join(lines) or both("没有时间信息", "no time given")


def _stamp(stamp: Stamp) -> str:
    zh, en = (
        ("签名时间戳", "signature timestamp") if stamp.scope == "signature" else ("文档时间戳", "document timestamp")
    )
    if stamp.trust is Trust.TRUSTED:
        source = both(f"{zh}，已证明", f"{en}, proven")
    else:
        source = both(f"{zh}，时间戳机构未获信任", f"{en}, its authority is not trusted")
    return f"{_time(stamp.at)} <small>{source} · {_name(stamp.authority)}</small>"


def _coverage(entry: SignatureVerdict) -> str:
    if entry.whole_file:
        return both("整个文件", "the whole file")
    return both(f"文件开头的 {entry.covered:,} 字节", f"the first {entry.covered:,} bytes of the file")


def _level(level: str) -> str:
    zh, en = LEVEL[level]
    return f"<b>PAdES {level}</b> {both(zh, en)}"


def _findings(zh: str, en: str, findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    return f'<section class="card bad"><h2>{both(zh, en)}</h2>{_list(findings)}</section>'


def _list(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    return "<ul>" + "".join(f"<li>{both(found.zh, found.en)}</li>" for found in findings) + "</ul>"


def _time(moment: datetime) -> str:
    local = moment.astimezone(_BEIJING)
    return f'<time datetime="{local.isoformat()}">{local:%Y-%m-%d %H:%M:%S} +08:00</time>'


def _name(name: str | None) -> str:
    """Names of a certificate, the common one first and strong."""
    parts = [part.partition(": ") for part in (name or "").split(", ")]
    common = next((value for key, _, value in parts if key == "Common Name"), None)
    if common is None:
        return escape(name or "")
    rest = " · ".join(value for key, _, value in parts if key != "Common Name" and value)
    return f"<b>{escape(common)}</b> <small>{escape(rest)}</small>"


def _code(text: str | None) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _algorithm(algorithm: str | None) -> str:
    words = explain_algorithm(algorithm)
    return _code(algorithm) + (f" <small>{both(words.zh, words.en)}</small>" if words else "")
