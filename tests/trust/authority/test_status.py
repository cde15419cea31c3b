from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trust.authority.pki import DemoPki, open_pki
from engine.trust.authority.status import OCSP_KEPT, Register, StatusDesk

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def pki(tmp_path: Path) -> DemoPki:
    return open_pki(tmp_path / "pki")


@pytest.fixture
def register(pki: DemoPki) -> Register:
    return Register(pki.register)


@pytest.fixture
def desk(pki: DemoPki, register: Register) -> StatusDesk:
    return StatusDesk(pki, register)


def ask(pki: DemoPki, serial: int | None = None, *, nonce: bytes | None = None, issuer: str = "issuing") -> bytes:
    authority = getattr(pki, issuer).certificate
    builder = ocsp.OCSPRequestBuilder()
    if serial is None:
        builder = builder.add_certificate(pki.timestamping.certificate, authority, hashes.SHA1())
    else:
        key = x509.SubjectKeyIdentifier.from_public_key(authority.public_key()).digest
        name = hashes.Hash(hashes.SHA1())
        name.update(authority.subject.public_bytes())
        builder = builder.add_certificate_by_hash(name.finalize(), key, serial, hashes.SHA1())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def read(answer: bytes) -> ocsp.OCSPResponse:
    return ocsp.load_der_ocsp_response(answer)


def revoked_in(der: bytes) -> dict[int, datetime]:
    return {entry.serial_number: entry.revocation_date_utc for entry in x509.load_der_x509_crl(der)}


def test_an_issued_certificate_is_good_and_the_answer_is_signed_by_the_responder(
    pki: DemoPki, desk: StatusDesk
) -> None:
    response = read(desk.answer(ask(pki)))
    assert response.certificate_status == ocsp.OCSPCertStatus.GOOD
    assert response.next_update_utc is not None
    assert response.this_update_utc <= datetime.now(UTC) < response.next_update_utc
    (responder,) = response.certificates
    assert responder == pki.responder.certificate
    key = responder.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


def test_a_certificate_never_issued_is_unknown_and_not_good(pki: DemoPki, desk: StatusDesk) -> None:
    assert read(desk.answer(ask(pki, 4711))).certificate_status == ocsp.OCSPCertStatus.UNKNOWN


def test_a_revocation_shows_at_once_in_both_answers_even_when_they_were_kept(
    pki: DemoPki, desk: StatusDesk, register: Register
) -> None:
    serial = pki.timestamping.certificate.serial_number
    assert read(desk.answer(ask(pki))).certificate_status == ocsp.OCSPCertStatus.GOOD
    assert revoked_in(desk.revocation_list("issuing")) == {}
    register.record(serial, NOW)
    response = read(desk.answer(ask(pki)))
    assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert response.revocation_time_utc == NOW
    assert revoked_in(desk.revocation_list("issuing")) == {serial: NOW}
    assert revoked_in(desk.revocation_list("root")) == {}


def test_a_revocation_by_another_process_is_seen(pki: DemoPki, desk: StatusDesk) -> None:
    desk.answer(ask(pki))
    Register(pki.register).record(pki.timestamping.certificate.serial_number, NOW)
    assert read(desk.answer(ask(pki))).certificate_status == ocsp.OCSPCertStatus.REVOKED


def test_writers_that_know_different_states_of_the_register_lose_nothing(pki: DemoPki) -> None:
    first, second = Register(pki.register), Register(pki.register)
    before = dict(first.entries())
    second.entries()
    first.record(1)
    second.record(2, NOW)
    first.record(3)
    assert Register(pki.register).entries() == before | {1: None, 2: NOW, 3: None}


def test_an_answer_is_signed_once_and_kept_until_its_minute_is_over(pki: DemoPki, register: Register) -> None:
    now = [datetime.now(UTC)]
    desk = StatusDesk(pki, register, clock=lambda: now[0])
    first = desk.answer(ask(pki))
    assert desk.answer(ask(pki)) == first
    now[0] += OCSP_KEPT + timedelta(seconds=1)
    assert read(desk.answer(ask(pki))).this_update_utc == now[0].replace(microsecond=0)


def test_a_nonce_is_echoed_in_an_answer_of_its_own(pki: DemoPki, desk: StatusDesk) -> None:
    for nonce in (b"first 16 octets.", b"other 16 octets."):
        extensions = read(desk.answer(ask(pki, nonce=nonce))).extensions
        assert extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


def test_other_issuers_certificates_are_none_of_its_business(pki: DemoPki, desk: StatusDesk) -> None:
    answer = desk.answer(ask(pki, pki.issuing.certificate.serial_number, issuer="root"))
    assert read(answer).response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED


@settings(deadline=None)  # the first example makes a whole PKI
@given(noise=st.binary(max_size=100))
def test_noise_is_called_malformed(noise: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    global _quiet_desk
    if _quiet_desk is None:
        pki = open_pki(tmp_path_factory.mktemp("home") / "pki")
        _quiet_desk = StatusDesk(pki, Register(pki.register))
    assert read(_quiet_desk.answer(noise)).response_status == ocsp.OCSPResponseStatus.MALFORMED_REQUEST


_quiet_desk: StatusDesk | None = None


@pytest.mark.parametrize("role", ["root", "issuing"])
def test_revocation_lists_are_signed_numbered_and_say_when_the_next_comes(
    pki: DemoPki, desk: StatusDesk, role: str
) -> None:
    revocations = x509.load_der_x509_crl(desk.revocation_list(role))
    issuer = getattr(pki, role).certificate
    assert revocations.is_signature_valid(issuer.public_key())
    assert revocations.issuer == issuer.subject
    assert revocations.next_update_utc and revocations.next_update_utc > datetime.now(UTC)
    assert revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 0
