"""Renders a verdict as one HTML page in both languages for a judge to read; it adds nothing to what was found."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html import escape
from string import Template

from engine.trust.report_style import PAGE
from engine.trust.suites.words import explain_algorithm
from engine.trust.verdict import Finding, Integrity, Report, SignatureVerdict, Stamp, Trust

_BEIJING = timezone(timedelta(hours=8))

_INTEGRITY = {
    Integrity.VALID: (
        "good",
        "签名有效，签署后未被改动",
        "Signed, and unchanged since",
        "文件的全部内容都受签名或时间戳保护，与签署时逐字节一致。",
        "Everything in the file is protected by a signature or timestamp and is what was signed, byte for byte.",
    ),
    Integrity.EXTENDED: (
        "good",
        "签名有效，其后有允许的追加",
        "Signed; later additions are of the permitted kinds",
        "签名保护的内容与签署时一致；签署之后追加的内容已在下文逐项列出。",
        "What was signed is unchanged. What was added after signing is listed below.",
    ),
    Integrity.MODIFIED: (
        "bad",
        "签署后文件被改动",
        "Changed after signing",
        "文件在签署之后以签名不允许的方式被改动，当前内容不能视为签署人所签内容。",
        "The file was changed after signing in ways the signature does not permit. What it shows now must not be taken "
        "for what was signed.",
    ),
    Integrity.BROKEN: (
        "bad",
        "签名无效",
        "A signature is broken",
        "至少一个签名与文件内容不符或格式错误，不能证明任何内容。",
        "At least one signature does not fit the content or is malformed; it proves nothing.",
    ),
    Integrity.INDETERMINATE: (
        "unsure",
        "无法判断",
        "Cannot be judged",
        "现有信息不足以判断签名是否有效。这不等于有效。",
        "What is at hand does not allow a judgement. That does not mean valid.",
    ),
    Integrity.UNSIGNED: (
        "unsure",
        "文件没有签名",
        "Not signed",
        "文件中没有电子签名。",
        "The file holds no electronic signature.",
    ),
}
_TRUST = {
    Trust.TRUSTED: ("good", "证书由受信任的机构签发", "certificate leads to a trusted authority"),
    Trust.UNTRUSTED: ("bad", "证书不能追溯到受信任的机构", "certificate leads to no trusted authority"),
    Trust.REVOKED: ("bad", "证书在签署时已被吊销", "certificate had been revoked"),
    Trust.EXPIRED: ("bad", "证书在可证明的时间不在有效期内", "certificate was not valid at the proven time"),
    Trust.UNCHECKED: ("unsure", "未核对证书的可信性（没有提供信任锚）", "not checked: no trust anchors were given"),
}
_LEVEL = {
    "B-B": ("基本签名，没有可信时间", "basic signature without a proven time"),
    "B-T": ("含可信时间戳", "with a timestamp"),
    "B-LT": ("含可信时间戳和离线验证数据", "with a timestamp and the data to verify it offline"),
    "B-LTA": ("长期归档：验证数据也受时间戳保护", "archival: the validation data is timestamped too"),
}


def render_html(report: Report) -> str:
    """Give a self-contained page; every text taken from the file is escaped, nothing is loaded from anywhere."""
    tone, zh, en, zh_long, en_long = _INTEGRITY[report.integrity]
    if tone == "good" and report.trust is not Trust.TRUSTED:
        tone = "unsure"
    trust_tone, trust_zh, trust_en = _TRUST[report.trust]
    return Template(PAGE).substitute(
        name=escape(report.file),
        tone=tone,
        verdict=_both(zh, en),
        meaning=_both(zh_long, en_long),
        trust=f'<p class="{trust_tone}">{_both(f"签署人：{trust_zh}", f"Signers: {trust_en}")}</p>'
        if report.signatures
        else "",
        level=_level(report.level) if report.level else "",
        findings=_findings("文件", "File", report.findings),
        size=f"{report.size:,}",
        digest=escape(report.digest),
        checked=_time(report.checked_at),
        count=str(len(report.signatures)),
        signatures="".join(_signature(number, entry) for number, entry in enumerate(report.signatures, 1)),
    )


def _signature(number: int, entry: SignatureVerdict) -> str:
    tone, zh, en, *_ = _INTEGRITY[entry.integrity]
    trust_tone, trust_zh, trust_en = _TRUST[entry.trust]
    stamp = entry.kind == "timestamp"
    kind = _both("文档时间戳", "Document timestamp") if stamp else _both("电子签名", "Signature")
    rows = [
        (("结论", "Verdict"), f'<b class="{tone}">{_both(zh, en)}</b>'),
        (("时间戳机构", "Authority") if stamp else ("签署人", "Signer"), _name(entry.signer)),
        (("可信性", "Trust"), f'<span class="{trust_tone}">{_both(trust_zh, trust_en)}</span>'),
        (("时间", "Time"), _times(entry)),
        (
            ("级别", "Level"),
            _level(entry.level)
            if entry.level
            else (
                ""
                if stamp
                else _both("不是 PAdES 基线签名，或签名不完整", "no PAdES baseline signature, or not intact")
            ),
        ),
        (("覆盖范围", "Covers"), _coverage(entry)),
        (("此后的变化", "Later changes"), _list(entry.later_changes)),
        (("发现的问题", "Findings"), _list(entry.findings)),
        (("签署理由", "Reason"), escape(entry.reason or "")),
        (("签署地点", "Place"), escape(entry.location or "")),
        (("签名域", "Field"), escape(", ".join(entry.fields))),
        (("签发机构", "Issuer"), _name(entry.issuer)),
        (("证书序列号", "Serial"), _code(entry.serial)),
        (("证书指纹 SHA-256", "Certificate SHA-256"), _code(entry.certificate)),
        (("算法", "Algorithm"), _algorithm(entry.algorithm)),
    ]
    body = "".join(f"<tr><th>{_both(*title)}</th><td>{value}</td></tr>" for title, value in rows if value)
    return f'<section class="card {tone}"><h2><i>{number}</i>{kind}</h2><table>{body}</table></section>'


def _times(entry: SignatureVerdict) -> str:
    lines = [_stamp(stamp) for stamp in entry.stamps]
    if entry.claimed_at is not None:
        source = _both("签署方自报，未经证明", "claimed by the signing side, not proven")
        lines.append(f"{_time(entry.claimed_at)} <small>{source}</small>")
    return "<br>".join(lines) or _both("没有时间信息", "no time given")


def _stamp(stamp: Stamp) -> str:
    zh, en = (
        ("签名时间戳", "signature timestamp") if stamp.scope == "signature" else ("文档时间戳", "document timestamp")
    )
    if stamp.trust is Trust.TRUSTED:
        source = _both(f"{zh}，已证明", f"{en}, proven")
    else:
        source = _both(f"{zh}，时间戳机构未获信任", f"{en}, its authority is not trusted")
    return f"{_time(stamp.at)} <small>{source} · {_name(stamp.authority)}</small>"


def _coverage(entry: SignatureVerdict) -> str:
    if entry.whole_file:
        return _both("整个文件", "the whole file")
    return _both(f"文件开头的 {entry.covered:,} 字节", f"the first {entry.covered:,} bytes of the file")


def _level(level: str) -> str:
    zh, en = _LEVEL[level]
    return f"<b>PAdES {level}</b> {_both(zh, en)}"


def _findings(zh: str, en: str, findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    return f'<section class="card bad"><h2>{_both(zh, en)}</h2>{_list(findings)}</section>'


def _list(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    return "<ul>" + "".join(f"<li>{_both(found.zh, found.en)}</li>" for found in findings) + "</ul>"


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
    return _code(algorithm) + (f" <small>{_both(words.zh, words.en)}</small>" if words else "")


def _both(zh: str, en: str) -> str:
    return f'<span lang="zh">{escape(zh)}</span> <span lang="en">{escape(en)}</span>'
