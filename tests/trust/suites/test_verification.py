"""Certificates, revocation lists and OCSP answers signed with SM2 are read like any other: right key, right words."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import SignatureValidationContext

from engine.trust.chains import build_chain, denies_itself, issued_by, load_certificate
from engine.trust.evidence import Evidence
from engine.trust.levels import is_proven
from engine.trust.paths import Material, judge_path, trust_of
from engine.trust.status import ask_about, read_list, read_ocsp
from engine.trust.suites import libcrypto
from engine.trust.suites.verification import SuiteValidator

IDENTITY = ["-sigopt", "distid:1234567812345678"]
CONFIGURATION = """
[ca]
default_ca = office
[office]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
default_md = sm3
policy = any
default_days = 30
default_crl_days = 7
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,nonRepudiation
crlDistributionPoints = URI:http://127.0.0.1/list.crl
authorityKeyIdentifier = keyid
[responder]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = yes
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority run with the openssl command alone."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("1000\n")
    for name in ("root", "stranger", "leaf", "revoked", "responder"):
        openssl(folder, "genpkey", "-algorithm", "SM2", "-out", f"{name}.key")
    for name in ("root", "stranger"):
        request = ["req", "-x509", "-new", "-key", f"{name}.key", "-sm3", *IDENTITY, "-subj", "/CN=Sample Root"]
        openssl(folder, *request, "-config", "openssl.cnf", "-extensions", "root", "-days", "60", "-out", f"{name}.pem")
    for name, profile in (("leaf", "leaf"), ("revoked", "leaf"), ("responder", "responder")):
        openssl(folder, "req", "-new", "-key", f"{name}.key", "-sm3", *IDENTITY, "-subj", f"/CN={name}",
                "-config", "openssl.cnf", "-out", f"{name}.csr")  # fmt: skip
        openssl(folder, "ca", "-batch", "-notext", "-config", "openssl.cnf", "-cert", "root.pem",
                "-keyfile", "root.key", *IDENTITY, "-vfyopt", "distid:1234567812345678",
                "-extensions", profile, "-in", f"{name}.csr", "-out", f"{name}.pem")  # fmt: skip
    authority = ["ca", "-config", "openssl.cnf", "-cert", "root.pem", "-keyfile", "root.key", *IDENTITY]
    openssl(folder, *authority, "-revoke", "revoked.pem")
    openssl(folder, *authority, "-gencrl", "-out", "list.pem")
    openssl(folder, "crl", "-in", "list.pem", "-outform", "DER", "-out", "list.crl")
    return folder


def load(office: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((office / f"{name}.pem").read_bytes())


def x509_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_a_chain_follows_the_key_that_signed_and_not_the_name_alone(office: Path) -> None:
    leaf, root, stranger = (load(office, name) for name in ("leaf", "root", "stranger"))
    assert issued_by(leaf, root)
    assert not issued_by(leaf, stranger)
    assert build_chain(leaf, [stranger, root]) == [leaf, root]
    assert not denies_itself(root)


def test_a_damaged_root_denies_itself(office: Path) -> None:
    content = bytearray(x509_der(load(office, "root")))
    content[-1] ^= 1
    damaged = load_certificate(bytes(content))
    assert damaged is not None and denies_itself(damaged)


def test_a_revocation_list_names_the_revoked_and_counts_only_with_its_issuer_s_signature(office: Path) -> None:
    root, leaf, revoked = (load(office, name) for name in ("root", "leaf", "revoked"))
    found = (office / "list.crl").read_bytes()
    now = datetime.now(UTC)
    good, bad = read_list(found, leaf, root, now), read_list(found, revoked, root, now)
    assert good is not None and good.revoked_at is None
    assert bad is not None and bad.revoked_at is not None
    assert read_list(found, leaf, load(office, "stranger"), now) is None
    assert read_list(found[:-1] + bytes([found[-1] ^ 1]), leaf, root, now) is None
    assert is_proven((x509_der(leaf), ()), Evidence((), (), (found,)), [x509_der(root)])


def test_an_ocsp_answer_counts_from_a_delegate_and_not_after_a_flipped_bit(office: Path) -> None:
    root, leaf, revoked, responder = (load(office, name) for name in ("root", "leaf", "revoked", "responder"))
    answers = {}
    for certificate in (leaf, revoked):
        (office / "request").write_bytes(ask_about(certificate, root))
        openssl(office, "ocsp", "-index", "index.txt", "-CA", "root.pem", "-rsigner", "responder.pem", "-rkey",
                "responder.key", "-rmd", "sm3", "-rsigopt", "distid:1234567812345678", "-reqin", "request", "-respout",
                "answer", "-ndays", "1")  # fmt: skip
        answers[certificate] = (office / "answer").read_bytes()
    now = datetime.now(UTC)
    good, bad = read_ocsp(answers[leaf], leaf, root, now), read_ocsp(answers[revoked], revoked, root, now)
    assert good is not None and good.revoked_at is None and good.responder == responder
    assert bad is not None and bad.revoked_at is not None
    assert read_ocsp(answers[leaf], revoked, root, now) is None
    place = answers[leaf].find(b"good") if b"good" in answers[leaf] else 60
    spoiled = bytearray(answers[leaf])
    spoiled[place] ^= 1
    assert read_ocsp(bytes(spoiled), leaf, root, now) is None
    assert read_ocsp(answers[leaf], leaf, root, now + timedelta(days=3)) is None


async def test_a_path_of_sm2_certificates_is_judged_like_any_other(office: Path) -> None:
    moment = datetime.now(UTC) + timedelta(minutes=3)  # beyond the tolerance for clocks
    lists = Evidence((), (), ((office / "list.crl").read_bytes(),))
    words = {}
    for name in ("leaf", "revoked"):
        for anchor in ("root", "stranger"):
            material = Material((x509_der(load(office, anchor)),), lists)
            certificate = Certificate.load(x509_der(load(office, name)))
            words[name, anchor] = trust_of(await judge_path(certificate, (), material, moment, None), material)
    assert words == {
        ("leaf", "root"): "trusted",
        ("leaf", "stranger"): "untrusted",
        ("revoked", "root"): "revoked",
        ("revoked", "stranger"): "untrusted",
    }


def test_without_sm2_on_the_machine_nothing_is_taken_for_signed(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, leaf = load(office, "root"), load(office, "leaf")
    monkeypatch.setattr(libcrypto, "_NAMES", ())
    libcrypto.libcrypto.cache_clear()
    try:
        assert not issued_by(leaf, root)
        assert not denies_itself(root)
        assert read_list((office / "list.crl").read_bytes(), leaf, root, datetime.now(UTC)) is None
    finally:
        libcrypto.libcrypto.cache_clear()


def test_what_nobody_here_can_tell_is_not_called_wrong(office: Path) -> None:
    key = Certificate.load(x509_der(load(office, "leaf"))).public_key
    ecdsa = SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})
    with pytest.raises(AlgorithmNotSupported):  # a curve that this library does not have
        SuiteValidator().validate_signature(b"", b"", key, ecdsa)
    national = SignedDigestAlgorithm({"algorithm": "sm2_sm3"})
    with pytest.raises(AlgorithmNotSupported):
        SuiteValidator().validate_signature(b"", b"", key, national, SignatureValidationContext(prehashed=True))
    with pytest.raises(InvalidSignature):
        SuiteValidator().validate_signature(b"", b"", key, national)
