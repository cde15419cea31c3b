"""Demands on a face check; nobody stands before a camera, so a passed check is not tried."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from engine.language import Text
from engine.vendors.conformance.bench import Bench, Case, NotApplicable, Violation, must_reject
from engine.vendors.protocols import FaceCheck, FaceVerifier, Person

_PURPOSE = "符合性检查 conformance check"
_LARGEST_EVIDENCE = 64 * 1024
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"/9j/", b"iVBORw0KGgo")  # JPEG and PNG, also in base64


def _key() -> str:
    return f"conformance-{secrets.token_hex(12)}"


def _digest() -> str:
    return hashlib.sha256(secrets.token_bytes(16)).hexdigest()


def _person(bench: Bench) -> Person:
    if bench.person is None:
        raise NotApplicable(zh="需要一位同意参加检查的人的姓名和证件号", en="needs a person who agreed to be checked")
    return Person(*bench.person)


async def _begin(verifier: FaceVerifier, bench: Bench, key: str, digest: str) -> FaceCheck:
    return await verifier.start(_person(bench), _PURPOSE, digest, key)


async def _replayed(verifier: FaceVerifier, bench: Bench) -> None:
    key, digest = _key(), _digest()
    first, second = await _begin(verifier, bench, key, digest), await _begin(verifier, bench, key, digest)
    if first.id != second.id:
        raise Violation(zh="同一编号发起了两次核身", en="one key began two checks")
    if (await _begin(verifier, bench, _key(), digest)).id == first.id:
        raise Violation(zh="不同编号得到同一次核身", en="two keys share one check")


async def _usable(verifier: FaceVerifier, bench: Bench) -> None:
    check = await _begin(verifier, bench, _key(), _digest())
    if check.expires_at.tzinfo is None or check.expires_at <= datetime.now(UTC):
        raise Violation(zh="有效期没有时区或已过期", en="the expiry has no zone or lies in the past")
    if not check.url or _person(bench).number in check.url:
        raise Violation(zh="链接为空或含有证件号", en="the address is empty or holds the person's number")


async def _bound(verifier: FaceVerifier, bench: Bench) -> None:
    digest = _digest()
    check = await _begin(verifier, bench, _key(), digest)
    result = await verifier.result(check.id)
    if (result.purpose, result.digest) != (_PURPOSE, digest):
        raise Violation(
            zh="结果没有绑定发起时的目的和摘要", en="the result does not carry the purpose and digest it began with"
        )
    if len(result.evidence) > _LARGEST_EVIDENCE or any(mark in result.evidence for mark in _PICTURES):
        raise Violation(zh="证据中含有影像", en="the evidence holds a picture or video")


async def _unknown(verifier: FaceVerifier, bench: Bench) -> None:  # noqa: ARG001  # needs nothing of the bench
    await must_reject(verifier.result(f"conformance-{secrets.token_hex(8)}"), "face.missing")


async def _foreign_document(verifier: FaceVerifier, bench: Bench) -> None:  # noqa: ARG001  # as above
    person = Person("示例", "X00000000", "conformance-unknown")
    await must_reject(verifier.start(person, _PURPOSE, _digest(), _key()), "face.person")


face_cases: tuple[Case[FaceVerifier], ...] = (
    Case("unknown", Text("没有的核身如实报告", "a check that is not there is said to be missing"), _unknown),
    Case("foreign-document", Text("不支持的证件被拒绝", "a document it cannot check is refused"), _foreign_document),
    Case("replayed", Text("同一编号只发起一次", "one key begins one check"), _replayed),
    Case("usable", Text("链接可用且不泄露证件号", "the address can be used and gives nothing away"), _usable),
    Case("bound", Text("结果绑定目的和摘要", "the result is bound to purpose and digest, without pictures"), _bound),
)
