"""A bundle that is sealed in order may still be wrong inside: each statement in it is checked for itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import pem

from engine.contracting.offline import verifier
from engine.contracting.offline.statements import canonical
from tests.contracting.offline.court import Platform, judge, packed, reworked

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def platform() -> Platform:
    return Platform()


def edited(content: bytes, change: Callable[[Any], None]) -> bytes:
    value = json.loads(content)
    change(value)
    return json.dumps(value).encode()


async def sealed_anew(platform: Platform, members: Members, **changes: Any) -> bytes:
    """The bundle with its anchor added, so that only what was changed is wrong."""
    rest, head = reworked(members)
    rest["anchors/platform.pem"] = pem.armor("CERTIFICATE", platform.root.certificate.dump())
    for name, content in changes.pop("replace", {}).items():
        rest[name] = content
    return await platform.bundle(rest, **{**head, **changes})


async def test_a_bundle_sealed_anew_with_another_platforms_key_holds_and_names_that_platform(
    platform: Platform, members: Members
) -> None:
    """Who sealed is for the reader to judge, by the anchors."""
    found = judge(await sealed_anew(platform, members))
    assert not found.failed, found.lines
    assert any("sealed by Platform" in line for line in found.lines)
    assert sum("compare its SHA-256 fingerprint" in line for line in found.lines) == 2


async def test_a_seal_whose_root_is_not_inside_is_no_seal(platform: Platform, members: Members) -> None:
    rest, head = reworked(members)
    found = judge(await platform.bundle(rest, **head))
    assert set(found.named) == {"manifest.tsr", "manifest.p7s"}


async def test_another_contract_in_its_place_is_found_by_signatures_and_journal(
    platform: Platform, members: Members
) -> None:
    other = members["contract.pdf"].replace(b"%PDF-1.", b"%PDF-2.", 1)
    found = judge(await sealed_anew(platform, members, replace={"contract.pdf": other}))
    assert "signatures/contract-1.p7s" in found.named
    assert "events.json" in found.named


async def test_a_signature_taken_from_another_place_is_named(platform: Platform, members: Members) -> None:
    swapped = {"signatures/contract-1.p7s": members["signatures/contract-2.p7s"]}
    found = judge(await sealed_anew(platform, members, replace=swapped))
    assert found.named == ["signatures/contract-1.p7s"]


async def test_a_timestamp_that_is_not_the_signatures_is_named(platform: Platform, members: Members) -> None:
    swapped = {"timestamps/contract-1-1.tst": members["timestamps/contract-2-1.tst"]}
    found = judge(await sealed_anew(platform, members, replace=swapped))
    assert found.named == ["signatures/contract-1.p7s"]


async def test_a_signature_left_out_of_the_list_is_found_in_the_pdf(platform: Platform, members: Members) -> None:
    shorter = edited(members["signatures/signatures.json"], lambda value: value["contract.pdf"].pop())
    found = judge(await sealed_anew(platform, members, replace={"signatures/signatures.json": shorter}))
    assert found.named == ["contract.pdf"]


async def test_an_intent_proof_with_another_word_is_named(platform: Platform, members: Members) -> None:
    name = next(name for name in members if name.startswith("intents/contract"))
    proof = json.loads(members[name])
    forged = {name: canonical({**proof, "factor": "face"})}
    found = judge(await sealed_anew(platform, members, replace=forged))
    assert found.named == [name]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another event", lambda value: value["entries"][1].update(event="nothing happened")),
        ("another time", lambda value: value["entries"][1].update(microseconds=1)),
        ("another detail", lambda value: value["entries"][1].update(detail="{}")),
        ("another predecessor", lambda value: value["entries"][2].update(previous="00" * 32)),
        ("two entries exchanged", lambda value: value["entries"].insert(0, value["entries"].pop())),
        ("no end", lambda value: value["entries"].clear()),
        ("another head", lambda value: value["head"].update(seq=1)),
        ("an entry without its digest", lambda value: value["entries"][0].pop("digest")),
    ],
)
async def test_a_rewritten_journal_is_named(
    what: str, change: Callable[[Any], None], platform: Platform, members: Members
) -> None:
    forged = {"events.json": edited(members["events.json"], change)}
    found = judge(await sealed_anew(platform, members, replace=forged))
    assert found.named == ["events.json"], what


@pytest.mark.parametrize("missing", ["signatures/signatures.json", "events.json", "signatures/contract-1.p7s"])
async def test_a_sealed_bundle_that_lacks_what_it_is_made_of_is_refused(
    missing: str, platform: Platform, members: Members
) -> None:
    rest, head = reworked(members)
    del rest[missing]
    rest["anchors/platform.pem"] = pem.armor("CERTIFICATE", platform.root.certificate.dump())
    assert judge(await platform.bundle(rest, **head)).failed


async def test_a_manifest_of_another_format_is_refused(platform: Platform) -> None:
    manifest = json.dumps({"format": "other/1", "members": []}).encode()
    assert judge(packed(await platform.seal(manifest))).named == ["manifest.json"]


async def test_a_manifest_in_which_a_name_stands_twice_is_refused(platform: Platform) -> None:
    """Two readers could take two different values."""
    manifest = b'{"format": "sealflow-evidence/1", "format": "sealflow-evidence/1", "members": []}'
    assert judge(packed(await platform.seal(manifest))).named == ["manifest.json"]


async def test_a_seal_over_another_manifest_is_named(platform: Platform, members: Members) -> None:
    sealed = await platform.seal(b'{"format": "sealflow-evidence/1", "members": []}')
    other = {**sealed, "manifest.json": sealed["manifest.json"] + b" "}
    assert judge(packed(other)).named == ["manifest.json"]


async def test_a_timestamp_of_another_seal_is_named(platform: Platform) -> None:
    one, other = await platform.seal(b'{"format": "sealflow-evidence/1"}'), await platform.seal(b"{}")
    assert judge(packed({**one, "manifest.tsr": other["manifest.tsr"]})).named == ["manifest.p7s"]


async def test_words_come_in_the_language_that_is_asked_for(platform: Platform, members: Members) -> None:
    bundle = await sealed_anew(platform, members)
    assert any("封签" in line for line in judge(bundle, chinese=True).lines)
    assert not any("封签" in line for line in judge(bundle).lines)


def test_every_reason_has_both_languages() -> None:
    for zh, en in verifier._REASONS.values():
        assert zh and en and not zh.isascii() and en.isascii()


def test_garbage_is_refused_in_words(tmp_path: Any) -> None:
    for content in (b"", b"PK\5\6", hashlib.sha256(b"").digest() * 100):
        found = judge(content)
        assert found.failed and found.lines[0].startswith("[!!] zip")
