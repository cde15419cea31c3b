"""Verifies an evidence bundle without network, account or Sealflow; whose anchors to trust is for the reader to say.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else:
python3 -I verify.py BUNDLE.zip [--lang zh|en]; exit status 0 verified, 1 not verified, 2 wrong usage.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
from datetime import datetime
from typing import Any

from engine.contracting.offline.arithmetic import Unknown, digest
from engine.contracting.offline.certificates import Trust, read_pem
from engine.contracting.offline.container import read_container
from engine.contracting.offline.encoding import Malformed
from engine.contracting.offline.messages import Invalid, Message, Token, unwrap
from engine.contracting.offline.statements import (
    check_intent,
    check_journal,
    check_ranges,
    check_signature,
    finished_files,
    parse,
)  # fmt: skip

FORMAT = "sealflow-evidence/1"
SEAL = ("manifest.json", "manifest.p7s", "manifest.tsr")
"""What seals the members cannot be listed among them."""
_TIME = "%Y-%m-%d %H:%M:%S UTC"
_WRONG = (Invalid, Malformed, Unknown, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
_REASONS = {
    "imprint": ("时间戳与内容不符", "the timestamp belongs to other content"),
    "digest": ("内容与签名时不一致", "the content is not what was signed"),
    "value": ("签名值不成立", "the signature value does not hold"),
    "certificate": ("签名与证书未绑定", "the signature does not name its certificate"),
    "usage": ("证书不是时间戳证书", "the certificate is not for timestamps"),
    "authority": ("时间戳机构的证书不能追溯到信任锚", "the timestamp authority does not lead to an anchor"),
    "anchor": ("签名证书不能追溯到信任锚", "the signer's certificate does not lead to an anchor"),
    "hole": ("签名数据与 PDF 中的不一致", "it is not what stands in the PDF"),
    "ranges": ("签名范围不成立", "the signed ranges are impossible"),
    "unlisted": ("PDF 中的签名与清单不一致", "the PDF holds other signatures than those listed"),
    "tokens": ("时间戳与签名中的不一致", "the timestamps are not those in the signature"),
    "intent": ("签名未包含该意愿证明的摘要", "the signature does not carry the digest of this intent proof"),
    "document": ("意愿证明所指的文件不是签署前的版本", "the intent proof names another document than was signed"),
    "head": ("日志所记的成品不是此合同", "the journal names another finished file"),
    "journal": ("链头与清单所记的不同", "the head is not the one in the manifest"),
    "strict": ("含有未受签名保护的内容", "it holds bytes that no signature protects"),
}


class Findings:
    """What was found, line by line, in one language; ``failed`` once a check did not hold."""

    def __init__(self, chinese: bool) -> None:
        self.chinese = chinese
        self.failed = False
        self.lines: list[str] = []
        self.named: list[str] = []

    def say(self, mark: str, member: str, zh: str, en: str) -> None:
        self.lines.append(f"{mark} {member}: " + (zh if self.chinese else en))

    def good(self, member: str, zh: str, en: str) -> None:
        self.say("[OK]", member, zh, en)

    def bad(self, member: str, why: object) -> None:
        self.failed = True
        self.named.append(member)
        word = str(why.args[0]) if isinstance(why, Exception) and why.args else str(why)
        zh, en = _REASONS.get(word, (word, word))
        if isinstance(why, Unknown):
            zh, en = "不支持的算法 " + word, "unknown algorithm " + word
        self.say("[!!]", member, zh, en)


def examine(data: memoryview, found: Findings, program: bytes | None = None) -> None:
    """Check a whole bundle; what is wrong is said of the member where it lies."""
    members, place = read_container(data)
    if place is not None:
        found.failed = True
        found.say(
            "[!!]", place, "压缩包在此处被改动（结构或校验值）", "the zip was altered here (structure or checksum)"
        )
        return
    missing = [name for name in SEAL if name not in members]
    for name in missing:
        found.bad(name, "missing 缺少")
    if missing:
        return
    whole = {name: bytes(content) for name, content in members.items()}
    examine_seal(whole, found)
    if found.failed:
        return
    manifest = parse(whole["manifest.json"])
    _check_digests(whole, manifest, found)
    try:
        if not found.failed:
            _check_content(whole, manifest, found)
    except _WRONG as error:  # sealed, and yet not what a bundle is
        found.bad("manifest.json", error)
    if program is not None and hashlib.sha256(program).digest() != hashlib.sha256(whole["verify.py"]).digest():
        zh = "正在运行的验证程序与包内的不同；请确认它的来源"
        found.say("[--]", "verify.py", zh, "the program that runs is not the bundle's; know where it came from")


def examine_seal(whole: dict[str, bytes], found: Findings) -> None:
    """The manifest's signature and the timestamp over that signature; each byte of the three is held by another."""
    name = "manifest.tsr"
    try:
        token = Token(unwrap(whole["manifest.tsr"]))
        token.check(lambda _: token.imprint)
        if not token.message.is_bare:
            raise Invalid("strict")
        name = "manifest.p7s"
        if token.imprint != digest(token.hashed, whole["manifest.p7s"]):
            raise Invalid("imprint")
        message = Message(whole["manifest.p7s"])
        if message.content is not None:
            raise Invalid("strict")
        try:
            message.check(lambda algorithm: digest(algorithm, whole["manifest.json"]))
        except Invalid as error:
            name = "manifest.json" if error.args == ("digest",) else name
            raise
        name = "manifest.json"
        if parse(whole[name])["format"] != FORMAT:
            raise ValueError("format")
    except _WRONG as error:
        found.bad(name, error)


def _check_digests(whole: dict[str, bytes], manifest: Any, found: Findings) -> None:
    listed = {entry["name"]: entry for entry in manifest["members"]}
    for name in sorted(whole.keys() - listed.keys() - set(SEAL)):
        found.bad(name, "not in the manifest 清单中没有")
    for name, entry in sorted(listed.items()):
        if name not in whole:
            found.bad(name, "missing 缺少")
        elif (hashlib.sha256(whole[name]).hexdigest(), len(whole[name])) != (entry["sha256"], entry["size"]):
            found.bad(name, "altered: SHA-256 differs 内容被改动：摘要与清单不符")
    if not found.failed:
        count = len(listed)
        found.good("manifest.json", f"{count} 个成员的摘要全部相符", f"the digests of all {count} members agree")


def _check_content(whole: dict[str, bytes], manifest: Any, found: Findings) -> None:
    def folder(start: str) -> list[Any]:
        return [one for name in sorted(whole) if name.startswith(start) for one in read_pem(whole[name])]

    anchors = folder("anchors/")
    trust = Trust(anchors, folder("certificates/"))
    sealed_at = examine_sealers(whole, trust, found)
    stated = parse(whole["signatures/signatures.json"])
    for file, entries in stated.items():
        try:
            check_ranges(whole[file], [entry["byte_range"] for entry in entries])
        except _WRONG as error:
            found.bad(file, error)
        for entry in entries:
            _check_signature(whole, file, entry, trust, sealed_at, found)
    _check_journal(whole, manifest, found)
    for anchor in anchors:
        zh = f"信任锚 {anchor.name}：请将其 SHA-256 指纹 {anchor.fingerprint} 与该机构公布的核对"
        en = f"anchor {anchor.name}: compare its SHA-256 fingerprint {anchor.fingerprint} with what its CA publishes"
        found.say("[--]", "anchors", zh, en)


def examine_sealers(whole: dict[str, bytes], trust: Trust, found: Findings) -> datetime:
    """Whether the seal's certificates lead to the bundle's anchors; gives the time of the seal."""
    token, message = Token(unwrap(whole["manifest.tsr"])), Message(whole["manifest.p7s"])
    stamper = token.message.signer
    if not all(trust.path(one, token.message.certificates, token.at) for one in token.message.certificates):
        found.bad("manifest.tsr", Invalid("authority"))
    if not trust.path(message.signer, message.certificates, token.at):
        found.bad("manifest.p7s", Invalid("anchor"))
    when, who = token.at.strftime(_TIME), message.signer.name
    found.good("manifest.p7s", f"由 {who} 封签", f"sealed by {who}")
    found.good("manifest.tsr", f"{when}，由 {stamper.name} 授时", f"{when} by {stamper.name}")
    return token.at


def _check_signature(
    whole: dict[str, bytes], file: str, entry: Any, trust: Trust, sealed_at: datetime, found: Findings
) -> None:
    name = entry["cms"]
    try:
        pdf, der = whole[file], whole[name]
        proven = check_signature(
            pdf, entry["byte_range"], der, [whole[one] for one in entry["tokens"]], trust, sealed_at
        )
        if proven.path is None:
            raise Invalid("anchor")
        who = f"{entry['field']} {proven.signer.name}"
        if proven.at is not None:
            when = proven.at.strftime(_TIME)
            found.good(name, f"{who}，{when}（{proven.authority}）", f"{who}, {when} ({proven.authority})")
        else:
            found.good(name, f"{who}，自身没有时间戳", f"{who}, without a timestamp of its own")
        if entry.get("intent"):
            name = entry["intent"]
            check_intent(parse(whole[name]), der, pdf, entry["byte_range"][1])
            found.good(
                name,
                "签名包含其摘要；所指文件是签署前的版本",
                "the signature carries its digest; it names what was signed",
            )
    except _WRONG as error:
        found.bad(name, error)


def _check_journal(whole: dict[str, bytes], manifest: Any, found: Findings) -> None:
    try:
        events = parse(whole["events.json"])
        check_journal(events["entries"])
        heads = [hashlib.sha256(whole[name]).hexdigest() for name in manifest["contracts"]]
        if not heads or sorted(heads) != sorted(finished_files(events["entries"])):
            raise Invalid("head")
        if events["head"] != manifest["journal"]:
            raise Invalid("journal")
        count, seq = len(events["entries"]), events["head"]["seq"]
        zh = f"{count} 条日志逐条重算相符；链头为第 {seq} 条 {events['head']['digest']}"
        en = f"{count} entries recomputed; the chain's head is entry {seq}, {events['head']['digest']}"
        found.good("events.json", zh, en)
    except _WRONG as error:
        found.bad("events.json", error)


def main(arguments: list[str]) -> int:
    """Verify the bundle named on the command line."""
    language = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    if "--lang" in arguments[:-1]:
        place = arguments.index("--lang")
        language = arguments[place + 1]
        arguments = arguments[:place] + arguments[place + 2 :]
    found = Findings(language.lower().startswith("zh"))
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # a real file here
    if len(arguments) != 1:
        sys.stdout.write("用法 / usage: python3 -I verify.py BUNDLE.zip [--lang zh|en]\n")
        return 2
    with open(__file__, "rb") as own:
        program = own.read()
    try:
        with open(arguments[0], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)
            try:
                examine(view, found, program)
            finally:
                view.release()
    except (OSError, ValueError) as error:
        found.bad(arguments[0], str(error))
    means = ("Python 标准库（未使用 openssl，未联网）", "Python's standard library alone (no openssl, no network)")
    found.say("[--]", "verify.py", "所用工具：" + means[0], "checked with " + means[1])
    zh, en = ("验证未通过", "NOT VERIFIED") if found.failed else ("验证通过", "VERIFIED")
    sys.stdout.write("\n".join([*found.lines, zh if found.chinese else en]) + "\n")
    return int(found.failed)
