"""One file with an international and an SM2 signature of one party: each is judged by itself, by us and by others."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import cms
from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import extract_certificate_info

from engine.sandbox import Sandbox
from engine.trust import cms as writer
from engine.trust.anchors import load_anchors
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.der import identifier, sequence, set_of
from engine.trust.inspection import inspect_file
from engine.trust.keys import Pkcs12Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.report import render_html
from engine.trust.signing import Surroundings, sign_document
from engine.trust.suites import libcrypto
from engine.trust.suites.keys import Sm2Key
from engine.trust.suites.sm2 import verify
from engine.trust.timestamps import TimestampClient
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.paper import Notebook, Rack, check_structure, draw_paper, prove


@dataclass(frozen=True)
class Signed:
    """The file, and the roots of both kinds."""

    file: Path
    folder: Path
    international: Certificate
    national: Certificate

    def judge(self, *anchors: Certificate) -> Report:
        return inspect_file(self.file, "", tuple(anchor.dump() for anchor in anchors), datetime.now(UTC))

    def signed_data(self, number: int) -> cms.SignedData:
        with self.file.open("rb") as stream:
            return PdfFileReader(stream).embedded_regular_signatures[number].signed_data


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("dual")
    return asyncio.run(sign_twice(folder))


async def sign_twice(folder: Path) -> Signed:
    demo = await ensure_demo(folder / "demo", "development")
    anchors = load_anchors(demo.anchors_directory)
    keyring = Pkcs12Keyring(demo.keyring_directory)
    source = draw_paper(folder / "paper.pdf", ("seal", "sm2"))
    sandbox = Sandbox(("engine.trust.preparation",))
    async with demo.serve(), TimestampClient(demo.authorities, anchors) as stamper:
        for field, party in (("seal", "employer"), ("sm2", "employer-sm2")):
            (folder / field).mkdir()
            once = Notebook().once
            around = Surroundings(sandbox, Rack(folder / "rack"), once, field, folder / field)
            key = await keyring.key(party, once, field)
            order = SignatureOrder(field, datetime.now(UTC), 0)
            output, proof = folder / field / "signed.pdf", prove(source, party)
            source = await sign_document(source, output, order, key, stamper, around, proof)
    await sandbox.close()
    national, international = sorted(anchors, key=lambda anchor: "SM2" not in anchor.subject.human_friendly)
    return Signed(source, folder, international, national)


@pytest.fixture
def without_sm2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(libcrypto, "_NAMES", ())
    libcrypto.libcrypto.cache_clear()
    yield
    libcrypto.libcrypto.cache_clear()


def said(report: Report) -> list[tuple[object, ...]]:
    return [(entry.algorithm, entry.integrity, entry.trust, entry.level) for entry in report.signatures]


def test_both_stand_over_the_same_content_each_with_its_own_timestamp(signed: Signed) -> None:
    report = signed.judge(signed.international, signed.national)
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-T")
    assert said(report) == [
        ("sha256_ecdsa / sha256", Integrity.EXTENDED, Trust.TRUSTED, "B-T"),
        ("sm2_sm3 / sm3", Integrity.VALID, Trust.TRUSTED, "B-T"),
    ]
    one, other = report.signatures
    assert one.signer == other.signer, "one party"
    assert "SM2" not in one.stamps[0].authority and "SM2" in other.stamps[0].authority
    check_structure(signed.file)


def test_whoever_trusts_only_one_kind_of_root_hears_it_of_each_signature(signed: Signed) -> None:
    report = signed.judge(signed.international)
    assert [entry[2] for entry in said(report)] == [Trust.TRUSTED, Trust.UNTRUSTED]
    assert (report.integrity, report.trust) == (Integrity.VALID, Trust.UNTRUSTED), "a file is as good as its worst"
    report = signed.judge(signed.national)
    assert [entry[2] for entry in said(report)] == [Trust.UNTRUSTED, Trust.TRUSTED]


@pytest.mark.usefixtures("without_sm2")
def test_a_machine_without_sm2_judges_one_and_says_of_the_other_that_it_cannot(signed: Signed) -> None:
    report = signed.judge(signed.international, signed.national)
    assert report.integrity is Integrity.INDETERMINATE
    one, other = report.signatures
    assert (one.integrity, one.trust, one.level) == (Integrity.EXTENDED, Trust.TRUSTED, "B-T")
    assert (other.integrity, other.level) == (Integrity.INDETERMINATE, None)
    assert [finding.code for finding in other.findings] == ["signature.algorithm"]
    assert "OpenSSL" in other.findings[0].en


def test_the_page_for_people_says_what_sm2_is_and_only_where_it_is(signed: Signed) -> None:
    page = render_html(signed.judge(signed.international, signed.national))
    assert page.count("国密算法 SM2/SM3") == page.count("Chinese national algorithms") == 1
    assert page.index("sm2_sm3 / sm3") < page.index("国密算法 SM2/SM3")


def test_poppler_finds_the_international_one_valid_and_does_not_know_the_other(signed: Signed) -> None:
    told = subprocess.run(["pdfsig", "-nocert", signed.file], capture_output=True, text=True, check=False).stdout
    one, other = told.split("Signature #")[1:]
    assert "Signature is Valid" in one
    assert "Signature is Valid" not in other and "Validation: Unknown" in other


def test_the_openssl_command_verifies_the_signed_attributes_of_the_sm2_signature(signed: Signed) -> None:
    """With a program that shares no line of ours: the value, and that it covers the digest of the bytes."""
    content = signed.signed_data(1)
    (info,) = content["signer_infos"]
    certificate = extract_certificate_info(content).signer_cert
    public = x509.load_der_x509_certificate(certificate.dump()).public_bytes(Encoding.PEM)
    folder = signed.folder
    (folder / "own.pem").write_bytes(public)
    openssl(folder, "x509", "-in", "own.pem", "-noout", "-pubkey", "-out", "public.pem")
    (folder / "attributes").write_bytes(info["signed_attrs"].untag().dump())
    (folder / "value").write_bytes(info["signature"].native)
    command = ["dgst", "-sm3", "-verify", "public.pem", "-sigopt", "distid:1234567812345678", "-signature", "value"]
    assert b"Verified OK" in openssl(folder, *command, "attributes")

    with signed.file.open("rb") as stream:
        numbers = PdfFileReader(stream).embedded_regular_signatures[1].byte_range
    whole = signed.file.read_bytes()
    (folder / "covered").write_bytes(whole[: numbers[1]] + whole[numbers[2] : numbers[2] + numbers[3]])
    digest = openssl(folder, "dgst", "-sm3", "-r", "covered").split()[0].decode()
    held = {attribute["type"].native: attribute["values"][0].native for attribute in info["signed_attrs"]}
    assert held["message_digest"].hex() == digest
    assert held["signing_certificate_v2"]["certs"][0]["hash_algorithm"]["algorithm"] == "sm3"


def test_the_openssl_command_verifies_the_international_signature_s_timestamp(signed: Signed) -> None:
    (info,) = signed.signed_data(0)["signer_infos"]
    folder = signed.folder
    (folder / "token").write_bytes(info["unsigned_attrs"][0]["values"][0].dump())
    (folder / "value").write_bytes(info["signature"].native)
    (folder / "root.der").write_bytes(signed.international.dump())
    openssl(folder, "x509", "-inform", "DER", "-in", "root.der", "-out", "root.pem")
    judged = openssl(folder, "ts", "-verify", "-data", "value", "-token_in", "-in", "token", "-CAfile", "root.pem")
    assert b"Verification: OK" in judged


def test_the_sm2_token_stamps_the_sm3_digest_of_the_signature_value_and_is_signed_with_sm2(signed: Signed) -> None:
    (info,) = signed.signed_data(1)["signer_infos"]
    token = info["unsigned_attrs"][0]["values"][0]["content"]
    stamped = token["encap_content_info"]["content"].parsed["message_imprint"]
    (signed.folder / "value").write_bytes(info["signature"].native)
    digest = openssl(signed.folder, "dgst", "-sm3", "-r", "value").split()[0].decode()
    assert (stamped["hash_algorithm"]["algorithm"].native, stamped["hashed_message"].native.hex()) == ("sm3", digest)
    (signer,) = token["signer_infos"]
    key = extract_certificate_info(token).signer_cert.public_key
    assert signer["signature_algorithm"]["algorithm"].native == "sm2_sm3"
    assert verify(key, signer["signature"].native, signer["signed_attrs"].untag().dump())


def test_a_signature_in_the_message_format_of_gmt_0010_is_read_too(
    signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content types and the name of the mechanism are its own; what is signed, and how, is the same."""
    monkeypatch.setattr(writer, "_DATA", identifier("1.2.156.10197.6.1.4.2.1"))
    monkeypatch.setattr(writer, "_SIGNED_DATA", identifier("1.2.156.10197.6.1.4.2.2"))
    kind = sequence(writer._CONTENT_TYPE, set_of(identifier("1.2.156.10197.6.1.4.2.1")))
    monkeypatch.setattr(writer, "_CONTENT_TYPE_IS_DATA", kind)
    mechanism = SignedDigestAlgorithm({"algorithm": "1.2.156.10197.1.301.1"})
    monkeypatch.setattr(Sm2Key, "mechanism", lambda _key, _digest: mechanism)
    demo = asyncio.run(ensure_demo(signed.folder / "demo", "development"))
    file = asyncio.run(sign_once(demo, tmp_path))
    report = Signed(file, tmp_path, signed.international, signed.national).judge(signed.national)
    assert said(report) == [("sm2 / sm3", Integrity.VALID, Trust.TRUSTED, "B-B")]
    assert b"811ccf550601040202" in file.read_bytes(), "the content type is that of GM/T 0010"


def test_what_we_write_keeps_the_content_types_of_rfc_5652() -> None:
    assert cms.ContentType("data").dotted == "1.2.840.113549.1.7.1"
    assert cms.ContentType("signed_data").dotted == "1.2.840.113549.1.7.2"


async def sign_once(demo: DemoTrust, folder: Path) -> Path:
    once, sandbox = Notebook().once, Sandbox(("engine.trust.preparation",))
    key = await Pkcs12Keyring(demo.keyring_directory).key("employee-sm2", once, "one")
    order = SignatureOrder("sm2", datetime.now(UTC), 0)
    around = Surroundings(sandbox, Rack(folder / "rack"), once, "one", folder)
    paper = draw_paper(folder / "paper.pdf", ("sm2",))
    try:
        return await sign_document(paper, folder / "signed.pdf", order, key, None, around, prove(paper))
    finally:
        await sandbox.close()


def openssl(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout + done.stderr
