from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms as reference
from asn1crypto import core, pem
from hypothesis import given
from hypothesis import strategies as st

from engine.trust import cms, der
from tests.trust.paper import make_key

ROOT = make_key("ec", "Sample Root", usage="ca")
KEYS = {kind: make_key(kind, f"Sample {kind}", ROOT) for kind in ("rsa", "ec")}


@given(st.integers(min_value=0, max_value=2**200))
def test_integers_are_written_as_a_known_encoder_writes_them(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()


@given(st.binary(max_size=70_000))
def test_octets_of_every_length_are_written_as_a_known_encoder_writes_them(value: bytes) -> None:
    assert der.octets(value) == core.OctetString(value).dump()


@given(st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 2**40), max_size=8))
def test_identifiers_are_written_as_a_known_encoder_writes_them(head: tuple[int, int], rest: list[int]) -> None:
    dotted = ".".join(map(str, (*head, *rest)))
    assert der.identifier(dotted) == core.ObjectIdentifier(dotted).dump()


@given(st.lists(st.binary(max_size=5).map(der.octets), max_size=6))
def test_members_of_a_set_are_in_the_order_der_wants(members: list[bytes]) -> None:
    written = core.SetOf.load(der.set_of(*members), spec=core.OctetString)
    assert [member.dump() for member in written] == sorted(members)


async def build(kind: str, content: bytes, token: bytes | None = None) -> bytes:
    key = KEYS[kind]
    attributes = cms.signed_attributes(key.certificate, hashlib.sha256(content).digest())
    signature = await key.sign(attributes, "sha256", "act")
    certificates = (key.certificate, *key.chain)
    return cms.signed_data(certificates, attributes, key.mechanism("sha256").dump(), signature, token)


def openssl_accepts(folder: Path) -> bool:
    command = "openssl cms -verify -binary -inform DER -in signature -content content -CAfile root -purpose any"
    return subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_openssl_accepts_the_signature_and_refuses_other_content(kind: str, tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"what was agreed")
    (tmp_path / "signature").write_bytes(await build(kind, b"what was agreed"))
    (tmp_path / "root").write_bytes(pem.armor("CERTIFICATE", ROOT.certificate.dump()))
    assert openssl_accepts(tmp_path)
    (tmp_path / "content").write_bytes(b"what was agreed!")
    assert not openssl_accepts(tmp_path)


async def test_the_form_is_that_of_a_pades_baseline_signature() -> None:
    signed = reference.ContentInfo.load(await build("ec", b"x"), strict=True)["content"]
    (signer,) = signed["signer_infos"]
    assert signed["encap_content_info"]["content_type"].native == "data"
    assert signed["encap_content_info"]["content"].native is None
    kinds = {attribute["type"].native for attribute in signer["signed_attrs"]}
    assert kinds == {"content_type", "message_digest", "signing_certificate_v2"}
    names = next(a for a in signer["signed_attrs"] if a["type"].native == "signing_certificate_v2")
    (named,) = names["values"][0]["certs"]
    assert named["issuer_serial"]["serial_number"].native == KEYS["ec"].certificate.serial_number
    assert len(signed["certificates"]) == 2
