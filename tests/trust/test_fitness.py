"""What a key must prove before it signs: readable certificates, dates, usage, strength."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import pem

from engine.errors import Misuse
from engine.trust.fitness import chain_of, check_usage, read_certificates
from engine.trust.mechanisms import is_signature, is_strong
from tests.trust.paper import make_key

ROOT = make_key("ec", "Sample Root", usage="ca")
ISSUING = make_key("ec", "Sample Issuing", ROOT, usage="ca")
SIGNER = make_key("rsa", "Sample Works Ltd", ISSUING)


def test_certificates_are_read_in_their_order_from_pem_and_der(tmp_path: Path) -> None:
    chain = [SIGNER.certificate, ISSUING.certificate, ROOT.certificate]
    (tmp_path / "a.pem").write_bytes(b"".join(pem.armor("CERTIFICATE", one.dump()) for one in chain))
    (tmp_path / "a.der").write_bytes(SIGNER.certificate.dump())
    assert [one.dump() for one in read_certificates(tmp_path / "a.pem", "a")] == [one.dump() for one in chain]
    assert [one.dump() for one in read_certificates(tmp_path / "a.der", "a")] == [SIGNER.certificate.dump()]


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nMIIB\n", b"0\x03\x02\x01\x00"]
)
def test_a_file_without_certificates_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pem").write_bytes(content)
    with pytest.raises(Misuse) as caught:
        read_certificates(tmp_path / "a.pem", "a")
    assert caught.value.code == "keys.unreadable"
    assert "a.pem" in str(caught.value)


def test_the_chain_is_sorted_and_strangers_are_left_out() -> None:
    stranger = make_key("ec", "Sample Stranger").certificate
    chain = chain_of(SIGNER.certificate, [ROOT.certificate, stranger, ISSUING.certificate])
    assert chain == (ISSUING.certificate, ROOT.certificate)


def test_an_authority_does_not_sign_documents_and_a_signature_is_one_keys_only() -> None:
    with pytest.raises(Misuse) as caught:
        check_usage(ROOT.certificate, "drawer", "a")
    assert caught.value.code == "keys.usage"
    assert is_strong(SIGNER.certificate)
    assert is_strong(ROOT.certificate)
    assert not is_signature(SIGNER.certificate, b"", b"data", "sha256")
