import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from engine.errors import Misuse
from engine.trust.anchors import load_anchors
from engine.trust.authority.pki import PARTIES, DemoPki, open_pki
from engine.trust.chains import issued_by
from engine.trust.keys import Pkcs12Keyring
from engine.trust.suites import sm2
from engine.trust.suites.identifiers import SM2_WITH_SM3


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return open_pki(tmp_path_factory.mktemp("home") / "pki")


async def held(pki: DemoPki) -> dict[str, x509.Certificate]:
    """Every certificate of the PKI by role or party."""
    keyring = Pkcs12Keyring(pki.keys)
    parties = {party: (await keyring.key(party)).certificate.dump() for party in PARTIES}
    return {
        "root": pki.root.certificate,
        "issuing": pki.issuing.certificate,
        "timestamping": pki.timestamping.certificate,
        "responder": pki.responder.certificate,
    } | {party: x509.load_der_x509_certificate(der) for party, der in parties.items()}


def places(certificate: x509.Certificate) -> dict[str, str]:
    """Where the certificate says its status and issuer are found."""
    found = {}
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.AuthorityInformationAccess):
            for entry in extension.value:
                kind = "ocsp" if entry.access_method == AuthorityInformationAccessOID.OCSP else "issuer"
                found[kind] = entry.access_location.value
        if isinstance(extension.value, x509.CRLDistributionPoints):
            (point,) = extension.value
            assert point.full_name
            found["crl"] = point.full_name[0].value
    return found


async def test_every_certificate_says_in_both_languages_that_it_is_for_demonstration(pki: DemoPki) -> None:
    for certificate in (await held(pki)).values():
        for kind in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
            (name,) = certificate.subject.get_attributes_for_oid(kind)
            assert "DEMO" in str(name.value) and "演示" in str(name.value)


async def test_serial_numbers_are_long_random_and_never_shared(pki: DemoPki) -> None:
    serials = [certificate.serial_number for certificate in (await held(pki)).values()]
    assert len(set(serials)) == len(serials)
    assert all(serial.bit_length() > 64 for serial in serials)


async def test_parties_may_sign_documents_and_nothing_else(pki: DemoPki) -> None:
    certificates = await held(pki)
    for party in PARTIES:
        certificate = Certificate.load(certificates[party].public_bytes(Encoding.DER))
        assert certificate.key_usage_value.native == {"non_repudiation"}
        assert certificate.basic_constraints_value.native["ca"] is False
        assert certificate.subject_alt_name_value is None
        assert {"key_usage", "basic_constraints"} <= certificate.critical_extensions


async def test_timestamp_and_status_certificates_have_their_one_purpose(pki: DemoPki) -> None:
    for holder, purpose, critical in (
        (pki.timestamping, ExtendedKeyUsageOID.TIME_STAMPING, True),
        (pki.responder, ExtendedKeyUsageOID.OCSP_SIGNING, False),
    ):
        extension = holder.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        assert list(extension.value) == [purpose]
        assert extension.critical is critical
    assert pki.responder.certificate.extensions.get_extension_for_class(x509.OCSPNoCheck)


async def test_the_addresses_in_the_certificates_are_those_of_the_kept_port(pki: DemoPki) -> None:
    certificates = await held(pki)
    base = f"http://127.0.0.1:{open_pki(pki.directory).port}"
    everywhere = {"ocsp": f"{base}/ocsp", "issuer": f"{base}/issuing.crt", "crl": f"{base}/issuing.crl"}
    for role in (*PARTIES, "timestamping"):
        assert places(certificates[role]) == everywhere
    assert places(certificates["issuing"]) == {"issuer": f"{base}/root.crt", "crl": f"{base}/root.crl"}
    assert places(certificates["responder"]) == {"issuer": f"{base}/issuing.crt"}
    assert places(certificates["root"]) == {}


async def test_no_certificate_outlives_its_issuer(pki: DemoPki) -> None:
    certificates = await held(pki)
    for role, certificate in certificates.items():
        issuer = certificates["root" if role in ("root", "issuing") else "issuing"]
        assert certificate.not_valid_after_utc <= issuer.not_valid_after_utc
        certificate.verify_directly_issued_by(issuer)


def test_opening_again_gives_the_same_pki_and_its_only_anchors_are_its_roots(pki: DemoPki) -> None:
    again = open_pki(pki.directory)
    assert again.port == pki.port
    assert again.root.certificate == pki.root.certificate
    assert again.sm2 is not None and pki.sm2 is not None
    assert again.sm2.root.certificate == pki.sm2.root.certificate
    roots = [branch.root.certificate.public_bytes(Encoding.DER) for branch in (pki, pki.sm2)]
    assert sorted(anchor.dump() for anchor in load_anchors(pki.anchors)) == sorted(roots)


def test_nobody_else_can_read_a_key(pki: DemoPki) -> None:
    secret = [*pki.keys.iterdir(), *(pki.directory / "authority").rglob("*.key")]
    assert len(secret) == 4 * len(PARTIES) + 8
    for file in secret:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(pki.directory.stat().st_mode) == 0o700


def test_all_who_come_at_the_same_moment_get_one_and_the_same_pki(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def open_together(_number: int) -> tuple[int, int]:
        together.wait()
        pki = open_pki(tmp_path / "home" / "pki")  # the lock is on an open file, so threads are as good as processes
        return pki.port, pki.root.certificate.serial_number

    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(open_together, range(6)))
    assert len(set(opened)) == 1
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == [".pki.lock", "pki"]


def test_a_creation_that_fails_half_way_leaves_nothing_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("engine.trust.authority.pki.write_pkcs12", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            open_pki(tmp_path / "pki")
    assert [path.name for path in tmp_path.iterdir()] == [".pki.lock"]
    assert open_pki(tmp_path / "pki").port


@pytest.mark.parametrize("damage", ["missing key", "foreign folder", "broken description"])
def test_a_damaged_or_foreign_folder_is_never_overwritten(tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "pki"
    if damage == "foreign folder":
        directory.mkdir()
        (directory / "thesis.docx").write_text("years of work")
    else:
        open_pki(directory)
        broken = directory / ("pki.json" if damage == "broken description" else "authority/root.key")
        broken.write_text("{")
    before = sorted(directory.rglob("*"))
    with pytest.raises(Misuse) as caught:
        open_pki(directory)
    assert caught.value.code == "trust.demo_damaged"
    assert str(directory) in caught.value.say("zh")
    assert sorted(directory.rglob("*")) == before


async def test_the_sm2_branch_is_built_like_the_other_and_signed_with_sm2_throughout(pki: DemoPki) -> None:
    assert pki.sm2 is not None
    keyring = Pkcs12Keyring(pki.keys)
    branch = [pki.sm2.root, pki.sm2.issuing, pki.sm2.timestamping, pki.sm2.responder]
    chain = [pki.sm2.root, pki.sm2.root, pki.sm2.issuing, pki.sm2.issuing]
    for holder, issuer in zip(branch, chain, strict=True):
        assert issued_by(holder.certificate, issuer.certificate)
        (name,) = holder.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        assert {"DEMO", "SM2"} <= set(str(name.value).split())
        assert holder.certificate.signature_algorithm_oid.dotted_string == SM2_WITH_SM3
    for party in PARTIES:
        twin = x509.load_der_x509_certificate((await keyring.key(f"{party}-sm2")).certificate.dump())
        other = x509.load_der_x509_certificate((await keyring.key(party)).certificate.dump())
        assert issued_by(twin, pki.sm2.issuing.certificate)
        assert twin.subject == other.subject
        assert places(twin) == {kind: place.replace(pki.base, pki.sm2.base) for kind, place in places(other).items()}


def test_a_machine_without_sm2_makes_and_opens_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_pki(tmp_path / "whole")
    monkeypatch.setattr(sm2, "is_available", lambda: False)
    assert open_pki(tmp_path / "plain").sm2 is None
    assert sorted(file.name for file in (tmp_path / "plain" / "anchors").iterdir()) == ["demo-root.pem"]
    again = open_pki(whole.directory)
    assert again.sm2 is None and again.root.certificate == whole.root.certificate
