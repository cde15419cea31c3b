"""Signatures whose CMS or certificates lie: each case signs a small file with exactly one thing wrong."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from engine.trust import cms, der
from engine.trust.chains import denies_itself, issued_by
from engine.trust.inspection import inspect_file
from engine.trust.keys import SoftwareKey
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.forgery import OBJECTS, SIGNATURE, VALUE, append, forge_nothing, seal, sign_attributes, signed_pdf
from tests.trust.paper import DAY, LocalStamper, make_key

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
OTHER = make_key("ec", "Another Person", ROOT)
NOW = datetime.datetime.now(datetime.UTC)
Change = Callable[[asn1_cms.ContentInfo], None]


def judge(content: bytes, folder: Path, *anchors: SoftwareKey, at: datetime.datetime = NOW) -> Report:
    file = folder / "judged.pdf"
    file.write_bytes(content)
    return inspect_file(file, "0" * 64, tuple(anchor.certificate.dump() for anchor in anchors), at)


def changed(change: Change) -> bytes:
    """An honest signature whose CMS was edited afterwards."""

    def forge(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        info = asn1_cms.ContentInfo.load(forge_nothing(key, digest, covered))
        change(info)
        return bytes(info.dump(force=True))

    return signed_pdf(PERSON, forge=forge)


def signer(info: asn1_cms.ContentInfo) -> asn1_cms.SignerInfo:
    return info["content"]["signer_infos"][0]


def twice(info: asn1_cms.ContentInfo) -> None:
    info["content"]["signer_infos"].append(signer(info).copy())


def nobody(info: asn1_cms.ContentInfo) -> None:
    info["content"]["signer_infos"] = []


def no_certificates(info: asn1_cms.ContentInfo) -> None:
    info["content"]["certificates"] = []


def another_certificate(info: asn1_cms.ContentInfo) -> None:
    info["content"]["certificates"] = [asn1_cms.CertificateChoices("certificate", OTHER.certificate)]


def names_another(info: asn1_cms.ContentInfo) -> None:
    another_certificate(info)
    signer(info)["sid"] = asn1_cms.SignerIdentifier(
        "issuer_and_serial_number",
        {"issuer": OTHER.certificate.issuer, "serial_number": OTHER.certificate.serial_number},
    )


def another_value(info: asn1_cms.ContentInfo) -> None:
    signer(info)["signature"] = signer(info)["signature"].native[:-1] + b"\x00"


def another_digest(info: asn1_cms.ContentInfo) -> None:
    signer(info)["digest_algorithm"]["algorithm"] = "sha512"


def weak_digest(info: asn1_cms.ContentInfo) -> None:
    signer(info)["digest_algorithm"]["algorithm"] = "md5"


def unknown_digest(info: asn1_cms.ContentInfo) -> None:
    signer(info)["digest_algorithm"]["algorithm"] = "1.2.3.4.5"


def unknown_mechanism(info: asn1_cms.ContentInfo) -> None:
    signer(info)["signature_algorithm"]["algorithm"] = "1.2.3.4.5"


def attached(info: asn1_cms.ContentInfo) -> None:
    info["content"]["encap_content_info"]["content"] = core.OctetString(b"something else")


def emptily_attached(info: asn1_cms.ContentInfo) -> None:
    info["content"]["encap_content_info"]["content"] = core.OctetString(b"")


def other_content_type(info: asn1_cms.ContentInfo) -> None:
    info["content"]["encap_content_info"]["content_type"] = "signed_data"


def no_attributes(info: asn1_cms.ContentInfo) -> None:
    del signer(info)["signed_attrs"]


LIES: tuple[Change, ...] = (
    twice, nobody, no_certificates, another_certificate, names_another, another_value, another_digest, weak_digest,
    unknown_digest, unknown_mechanism, attached, emptily_attached, other_content_type, no_attributes,
)  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lying_cms_is_never_green(tmp_path: Path, lie: Change) -> None:
    report = judge(changed(lie), tmp_path, ROOT)
    assert report.integrity in (Integrity.BROKEN, Integrity.INDETERMINATE)
    assert report.level is None
    finding = report.signatures[0].findings[0]
    assert finding.zh and finding.en


def test_an_honest_cms_is_trusted(tmp_path: Path) -> None:
    report = judge(changed(lambda info: None), tmp_path, ROOT)
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-B")


def test_a_wrong_digest_is_broken_whatever_else_is_odd(tmp_path: Path) -> None:
    """What is certain is said first: protected bytes that were changed outweigh a damaged root."""
    root = bytearray(ROOT.certificate.dump())
    root[-1] ^= 1
    damaged = asn1.Certificate.load(bytes(root))

    def add_root(info: asn1_cms.ContentInfo) -> None:
        info["content"]["certificates"].append(asn1_cms.CertificateChoices("certificate", damaged))

    content = changed(add_root)
    assert judge(content, tmp_path).signatures[0].findings[0].code == "signature.certificate"
    report = judge(content.replace(b"(100)", b"(900)"), tmp_path)
    assert report.integrity is Integrity.BROKEN
    assert report.signatures[0].findings[0].code == "signature.digest"


def test_attributes_that_name_another_certificate_bind_nobody(tmp_path: Path) -> None:
    def forge(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        return sign_attributes(key, cms.signed_attributes(OTHER.certificate, digest))

    assert judge(signed_pdf(PERSON, forge=forge), tmp_path, ROOT).integrity in (
        Integrity.BROKEN,
        Integrity.INDETERMINATE,
    )


def test_a_signature_by_another_key_is_broken(tmp_path: Path) -> None:
    liar = SoftwareKey(OTHER.private, PERSON.certificate, PERSON.chain)
    report = judge(signed_pdf(liar), tmp_path, ROOT)
    assert report.integrity is Integrity.BROKEN
    assert report.signatures[0].findings[0].code == "signature.value"


@pytest.mark.parametrize("days", [-30, 400])
def test_a_certificate_out_of_its_time_is_no_trusted_one(tmp_path: Path, days: int) -> None:
    report = judge(signed_pdf(PERSON), tmp_path, ROOT, at=NOW + days * DAY)
    assert (report.integrity, report.trust) == (Integrity.VALID, Trust.EXPIRED)


def stamped(stamper: SoftwareKey, over: bytes | None = None) -> bytes:
    """A signature with a timestamp of its own, over its value or over something else."""

    def forge(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        plain = asn1_cms.ContentInfo.load(forge_nothing(key, digest, covered))
        value = over if over is not None else signer(plain)["signature"].native
        token = asyncio.run(LocalStamper(stamper).stamp(hashlib.sha256(value).digest()))
        attributes = b"\x31" + signer(plain)["signed_attrs"].dump()[1:]
        certificates = [choice.chosen for choice in plain["content"]["certificates"]]
        return cms.signed_data(
            certificates,
            attributes,
            signer(plain)["signature_algorithm"].dump(),
            signer(plain)["signature"].native,
            token,
        )

    return signed_pdf(PERSON, forge=forge)


def test_a_timestamp_over_something_else_proves_nothing(tmp_path: Path) -> None:
    report = judge(stamped(make_key("rsa", "Sample Timestamps", ROOT, usage="stamp"), b"another value"), tmp_path, ROOT)
    assert report.integrity is Integrity.INDETERMINATE
    assert report.signatures[0].findings[0].code == "timestamp.imprint"
    assert report.signatures[0].proven_at is None


def test_a_timestamp_by_somebody_who_may_not_stamp_proves_no_time(tmp_path: Path) -> None:
    honest = judge(stamped(make_key("rsa", "Sample Timestamps", ROOT, usage="stamp")), tmp_path, ROOT)
    assert honest.level == "B-T" and honest.signatures[0].proven_at
    report = judge(stamped(make_key("rsa", "No Authority", ROOT, usage="sign")), tmp_path, ROOT)
    assert report.level == "B-B" and report.signatures[0].proven_at is None


def old_certificate(digest: hashes.HashAlgorithm) -> x509.Certificate:
    """A root as they were made long ago; new libraries refuse to make one, so the signature is put in by hand."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old Root")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + DAY)
    modern = asn1.Certificate.load(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    mechanism = {"algorithm": f"{digest.name}_rsa", "parameters": core.Null()}
    modern["tbs_certificate"]["signature"] = mechanism
    modern["signature_algorithm"] = mechanism
    from cryptography.hazmat.primitives.asymmetric import padding

    body = modern["tbs_certificate"].dump(force=True)
    modern["signature_value"] = core.OctetBitString(key.sign(body, padding.PKCS1v15(), digest))
    return x509.load_der_x509_certificate(modern.dump(force=True))


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.MD5()], ids=["sha1", "md5"])
def test_an_old_root_that_comes_along_is_not_called_damaged(tmp_path: Path, digest: hashes.HashAlgorithm) -> None:
    root = old_certificate(digest)
    assert not denies_itself(root)
    assert issued_by(root, root) is (digest.name == "sha1")
    loaded = asn1.Certificate.load(root.public_bytes(serialization.Encoding.DER))

    def add_root(info: asn1_cms.ContentInfo) -> None:
        info["content"]["certificates"].append(asn1_cms.CertificateChoices("certificate", loaded))

    assert judge(changed(add_root), tmp_path).integrity is Integrity.VALID


def test_a_root_over_sha1_with_a_wrong_signature_denies_itself() -> None:
    damaged = bytearray(old_certificate(hashes.SHA1()).public_bytes(serialization.Encoding.DER))
    damaged[-1] ^= 1
    assert denies_itself(x509.load_der_x509_certificate(bytes(damaged)))


def test_a_document_timestamp_over_other_bytes_breaks_the_file(tmp_path: Path) -> None:
    field = b"<</FT/Sig/T(stamp)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R/V 21 0 R>>"
    stamp = SIGNATURE.replace(b"/Type/Sig", b"/Type/DocTimeStamp").replace(b"ETSI.CAdES.detached", b"ETSI.RFC3161")
    revision = {
        1: OBJECTS[1].replace(b"8 0 R]", b"8 0 R 20 0 R]"),
        3: OBJECTS[3].replace(b"8 0 R]", b"8 0 R 20 0 R]"),
        20: field,
        21: stamp,
    }
    authority = LocalStamper(make_key("rsa", "Sample Timestamps", ROOT, usage="stamp"))

    def forge(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        return asyncio.run(authority.stamp(digest))

    def forge_wrongly(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
        return asyncio.run(authority.stamp(hashlib.sha256(b"other bytes").digest()))

    prepared = append(signed_pdf(PERSON), revision)
    honest = judge(seal(prepared, PERSON, forge), tmp_path, ROOT)
    assert (honest.integrity, honest.trust) == (Integrity.VALID, Trust.TRUSTED)
    wrong = judge(seal(prepared, PERSON, forge_wrongly), tmp_path, ROOT)
    assert wrong.integrity is Integrity.BROKEN
    assert [entry.integrity for entry in wrong.signatures] == [Integrity.EXTENDED, Integrity.BROKEN]


def test_a_signature_of_a_curve_point_nobody_has_is_told(tmp_path: Path) -> None:
    """A value of the right form that no key made."""
    junk = der.sequence(der.integer(1), der.integer(1))

    def forge(info: asn1_cms.ContentInfo) -> None:
        signer(info)["signature"] = junk

    assert isinstance(PERSON.private, ec.EllipticCurvePrivateKey)
    assert VALUE in OBJECTS
    assert judge(changed(forge), tmp_path).integrity is Integrity.BROKEN
