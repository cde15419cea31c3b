"""The words of the page around a verdict, in Chinese and English."""

from __future__ import annotations

from html import escape

from engine.trust.verdict import Integrity, Trust

INTEGRITY = {
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
TRUST = {
    Trust.TRUSTED: ("good", "证书由受信任的机构签发", "certificate leads to a trusted authority"),
    Trust.UNTRUSTED: ("bad", "证书不能追溯到受信任的机构", "certificate leads to no trusted authority"),
    Trust.REVOKED: ("bad", "证书在签署时已被吊销", "certificate had been revoked"),
    Trust.EXPIRED: ("bad", "证书在可证明的时间不在有效期内", "certificate was not valid at the proven time"),
    Trust.UNCHECKED: ("unsure", "未核对证书的可信性（没有提供信任锚）", "not checked: no trust anchors were given"),
}
LEVEL = {
    "B-B": ("基本签名，没有可信时间", "basic signature without a proven time"),
    "B-T": ("含可信时间戳", "with a timestamp"),
    "B-LT": ("含可信时间戳和离线验证数据", "with a timestamp and the data to verify it offline"),
    "B-LTA": ("长期归档：验证数据也受时间戳保护", "archival: the validation data is timestamped too"),
}


def both(zh: str, en: str) -> str:
    """A text in both languages, escaped."""
    return f'<span lang="zh">{escape(zh)}</span> <span lang="en">{escape(en)}</span>'
