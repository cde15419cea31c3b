import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import core
from asn1crypto import pkcs12 as asn1_pkcs12
from asn1crypto.keys import PrivateKeyInfo
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    pkcs12,
)

import engine.trust.keys
from engine.errors import Misuse
from engine.trust.authority.certificates import make_issuing, make_party, make_root
from engine.trust.authority.pki import write_pkcs12
from engine.trust.keys import Pkcs12Keyring, SoftwareKey
from engine.trust.suites import libcrypto, sm2

ROOT = make_root()
ISSUING = make_issuing(ROOT, "http://127.0.0.1:9")


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def self_signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **usage: bool) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sample")])
    asked = {"digital_signature": True} | usage
    flags = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.KeyUsage(**(flags | asked)), critical=True)
        .sign(key, hashes.SHA256())
    )


def software_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> SoftwareKey:
    return SoftwareKey(key, Certificate.load(self_signed(key).public_bytes(Encoding.DER)))


def write(directory: Path, party: str, bundle: bytes, passphrase: str = "open") -> None:
    (directory / f"{party}.p12").write_bytes(bundle)
    file = directory / f"{party}.passphrase"
    file.write_text(passphrase)
    file.chmod(0o600)


def bundle_by_hand(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    """Unprotected PKCS#12 that claims key and certificate belong together; no proper tool writes it if they do not."""
    mark = [{"type": "local_key_id", "values": [b"1"]}]
    held = PrivateKeyInfo.load(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    shown = Certificate.load(certificate.public_bytes(Encoding.DER))
    bags = asn1_pkcs12.SafeContents(
        [
            {"bag_id": "key_bag", "bag_value": held, "bag_attributes": mark},
            {
                "bag_id": "cert_bag",
                "bag_value": {"cert_id": "x509", "cert_value": core.ParsableOctetString(shown.dump())},
                "bag_attributes": mark,
            },
        ]
    )
    safe = asn1_pkcs12.AuthenticatedSafe([{"content_type": "data", "content": bags.dump()}])
    return bytes(
        asn1_pkcs12.Pfx({"version": "v3", "auth_safe": {"content_type": "data", "content": safe.dump()}}).dump()
    )


async def refusal(directory: Path, party: str = "sample") -> Misuse:
    with pytest.raises(Misuse) as caught:
        await Pkcs12Keyring(directory).key(party)
    assert party in caught.value.say("zh") and party in caught.value.say("en")
    return caught.value


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    holder = make_party(ISSUING, "http://127.0.0.1:9", "DEMO Sample", "DEMO")
    write_pkcs12(tmp_path / "sample.p12", holder, [ROOT.certificate, ISSUING.certificate])
    return tmp_path


async def test_a_party_gets_its_key_with_its_issuers_nearest_first_whatever_their_order_in_the_file(keys: Path) -> None:
    key = await Pkcs12Keyring(keys).key("sample")
    assert key.certificate.subject.native["common_name"] == "DEMO Sample"
    assert [link.serial_number for link in key.chain] == [
        ISSUING.certificate.serial_number,
        ROOT.certificate.serial_number,
    ]


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "rsa3072"])
async def test_every_kind_of_key_signs_as_its_mechanism_says(kind: str, digest: str) -> None:
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
    private = ec.generate_private_key(curves[kind]) if kind in curves else rsa_key(int(kind.removeprefix("rsa")))
    key = software_key(private)
    mechanism = key.mechanism(digest)
    signature = await key.sign(b"attributes", digest, "act")
    public = load_der_public_key(key.certificate.public_key.dump())
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[digest]
    if isinstance(public, ec.EllipticCurvePublicKey):
        assert mechanism.native == {"algorithm": f"{digest}_ecdsa", "parameters": None}
        public.verify(signature, b"attributes", ec.ECDSA(algorithm))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    if kind == "rsa2048":
        assert mechanism.native == {"algorithm": f"{digest}_rsa", "parameters": None}
        public.verify(signature, b"attributes", padding.PKCS1v15(), algorithm)
        return
    parameters = mechanism["parameters"]
    assert mechanism["algorithm"].native == "rsassa_pss"
    assert parameters["hash_algorithm"]["algorithm"].native == digest
    assert parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native == digest
    salt = parameters["salt_length"].native
    public.verify(signature, b"attributes", padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"attributes", padding.PKCS1v15(), algorithm)


async def test_an_rsa_2048_signature_is_the_same_every_time_so_that_a_replay_gives_the_same_document() -> None:
    key = software_key(rsa_key(2048))
    assert await key.sign(b"attributes", "sha256", "act") == await key.sign(b"attributes", "sha256", "act")


async def test_rsa_signing_leaves_the_event_loop_to_others() -> None:
    key = software_key(rsa_key(3072))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for _ in range(5):
        await key.sign(b"attributes", "sha256", "act")
    counting.cancel()
    assert turns > 5


async def test_an_unknown_digest_is_refused_by_name() -> None:
    with pytest.raises(Misuse) as caught:
        await software_key(rsa_key(2048)).sign(b"", "md5", "act")
    assert (caught.value.code, caught.value.facts["digest"]) == ("keys.digest", "md5")


async def test_a_file_is_opened_once_however_many_ask_at_the_same_moment(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    load = engine.trust.keys.load_pkcs12
    monkeypatch.setattr(engine.trust.keys, "load_pkcs12", lambda file: opened.append(file) or load(file))
    keyring = Pkcs12Keyring(keys)
    found = await asyncio.gather(*(keyring.key("sample") for _ in range(20)))
    assert len(opened) == 1
    assert all(key is found[0] for key in found)


async def test_a_renewed_certificate_is_used_without_a_restart(keys: Path) -> None:
    keyring = Pkcs12Keyring(keys)
    before = await keyring.key("sample")
    for file in keys.iterdir():
        file.unlink()
    write_pkcs12(keys / "sample.p12", make_party(ISSUING, "http://127.0.0.1:9", "DEMO Renewed", "DEMO"), [])
    after = await keyring.key("sample")
    assert after.certificate.serial_number != before.certificate.serial_number


@pytest.mark.parametrize("party", ["nobody", "../sample", "./other", "", ".", "other.p12", "a\nb", "*", "o" * 300])
async def test_an_unknown_party_is_told_which_parties_there_are_and_no_path_escapes(keys: Path, party: str) -> None:
    inner = keys / "inner"
    inner.mkdir()
    for suffix in (".p12", ".passphrase"):
        shutil.copy(keys / f"sample{suffix}", inner / f"other{suffix}")
    assert await Pkcs12Keyring(inner).key("other")
    with pytest.raises(Misuse) as caught:
        await Pkcs12Keyring(inner).key(party)
    assert caught.value.code == "keys.unknown_party"
    assert caught.value.facts["known"] == f"{inner}: other"


async def test_a_chinese_party_name_is_as_good_as_any(keys: Path) -> None:
    for file in list(keys.iterdir()):
        shutil.copy(file, keys / f"演示单位{file.suffix}")
    assert await Pkcs12Keyring(keys).key("演示单位")


@pytest.mark.parametrize("passphrase", ["wrong", ""])
async def test_a_wrong_passphrase_is_called_that(keys: Path, passphrase: str) -> None:
    (keys / "sample.passphrase").write_text(passphrase)
    assert (await refusal(keys)).code == "keys.passphrase"


async def test_a_missing_passphrase_file_is_named(keys: Path) -> None:
    (keys / "sample.passphrase").unlink()
    error = await refusal(keys)
    assert error.code == "keys.passphrase_file"
    assert str(keys / "sample.passphrase") in str(error)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
async def test_a_passphrase_that_others_can_read_is_refused_with_the_command_that_helps(keys: Path, mode: int) -> None:
    (keys / "sample.passphrase").chmod(mode)
    error = await refusal(keys)
    assert error.code == "keys.permissions"
    assert "chmod 600" in error.say("en") and "chmod 600" in error.say("zh")


async def test_the_passphrase_never_appears_in_an_error(keys: Path) -> None:
    (keys / "sample.passphrase").write_text("very secret")
    assert "very secret" not in str((await refusal(keys)).to_dict())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x30\x82\x01\x00\x02\x01\x03"])
async def test_a_file_that_is_no_pkcs12_is_called_unreadable(keys: Path, content: bytes) -> None:
    (keys / "sample.p12").write_bytes(content)
    assert (await refusal(keys)).code == "keys.unreadable"


async def test_an_expired_certificate_is_refused_with_its_day(tmp_path: Path) -> None:
    holder = make_party(ISSUING, "http://127.0.0.1:9", "DEMO", "DEMO", validity=timedelta(minutes=30))
    write_pkcs12(tmp_path / "sample.p12", holder, [])
    error = await refusal(tmp_path)
    assert error.code == "keys.expired"
    assert holder.certificate.not_valid_after_utc.date().isoformat() in error.say("zh")


async def test_a_key_that_expires_while_it_is_kept_is_refused_too(keys: Path) -> None:
    now = [datetime.now(UTC)]
    keyring = Pkcs12Keyring(keys, clock=lambda: now[0])
    await keyring.key("sample")
    now[0] += timedelta(days=365 * 6)
    with pytest.raises(Misuse) as caught:
        await keyring.key("sample")
    assert caught.value.code == "keys.expired"


async def test_a_certificate_from_the_future_points_at_the_clock(keys: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    with pytest.raises(Misuse) as caught:
        await Pkcs12Keyring(keys, clock=lambda: past).key("sample")
    assert caught.value.code == "keys.not_yet_valid"
    assert "时钟" in caught.value.say("zh")


async def test_a_certificate_that_may_not_sign_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key, digital_signature=False, key_agreement=True)
    write(tmp_path, "sample", pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, NoEncryption()), "")
    assert (await refusal(tmp_path)).code == "keys.usage"


async def test_a_bundle_without_a_key_is_incomplete(tmp_path: Path) -> None:
    only = pkcs12.serialize_key_and_certificates(b"x", None, ROOT.certificate, None, NoEncryption())
    write(tmp_path, "sample", only, "")
    assert (await refusal(tmp_path)).code == "keys.incomplete"


async def test_a_key_beside_somebody_elses_certificate_is_refused(tmp_path: Path) -> None:
    ours, theirs = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    write(tmp_path, "sample", bundle_by_hand(ours, self_signed(theirs)), "")
    assert (await refusal(tmp_path)).code == "keys.mismatch"
    write(tmp_path, "sample", bundle_by_hand(ours, self_signed(ours)), "")
    assert await Pkcs12Keyring(tmp_path).key("sample")


async def test_keys_too_weak_or_of_an_unsuitable_kind_are_refused(tmp_path: Path) -> None:
    weak = rsa_key(1024)
    edwards = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sample")])
    certificate = (
        x509.CertificateBuilder(name, name, edwards.public_key(), 1, datetime.now(UTC), datetime.now(UTC))
        .sign(edwards, None)
    )  # fmt: skip
    for key, held in ((weak, self_signed(weak)), (edwards, certificate)):
        write(tmp_path, "sample", pkcs12.serialize_key_and_certificates(b"x", key, held, None, NoEncryption()), "")
        assert (await refusal(tmp_path)).code == "keys.weak"


async def test_a_key_never_shows_itself_in_words() -> None:
    key = software_key(rsa_key(2048))
    assert str(key.private.private_numbers().d) not in repr(key)
    assert repr(key) == "SoftwareKey('Common Name: Sample')"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def national(tmp_path: Path) -> Path:
    """An SM2 key and certificate in a PKCS#12 file, all made with the openssl command."""
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-out", "key.pem")
    request = ["req", "-x509", "-new", "-key", "key.pem", "-sm3", "-sigopt", "distid:1234567812345678"]
    openssl(tmp_path, *request, "-subj", "/CN=Sample", "-addext", "keyUsage=nonRepudiation", "-out", "own.pem")
    export = ["pkcs12", "-export", "-inkey", "key.pem", "-in", "own.pem", "-passout", "pass:open"]
    openssl(tmp_path, *export, "-out", "made.p12")
    write(tmp_path, "sample", (tmp_path / "made.p12").read_bytes())
    return tmp_path


async def test_an_sm2_key_of_the_openssl_command_signs_over_sm3_and_says_so(national: Path) -> None:
    key = await Pkcs12Keyring(national).key("sample")
    assert (key.digest_algorithm, key.repeatable) == ("sm3", True)
    assert key.mechanism("sm3").native == {"algorithm": "sm2_sm3", "parameters": None}
    signature = await key.sign(b"attributes", "sm3", "act")
    assert sm2.verify(key.certificate.public_key, signature, b"attributes")
    assert not sm2.verify(key.certificate.public_key, signature, b"attribute")
    assert "Sample" in repr(key)


async def test_a_wrong_passphrase_of_an_sm2_key_is_called_so(national: Path) -> None:
    (national / "sample.passphrase").write_text("shut")
    assert (await refusal(national)).code == "keys.passphrase"


async def test_an_sm2_key_without_its_certificate_is_refused(national: Path) -> None:
    openssl(national, "pkcs12", "-export", "-inkey", "key.pem", "-nocerts", "-passout", "pass:open", "-out", "bare.p12")
    write(national, "sample", (national / "bare.p12").read_bytes())
    assert (await refusal(national)).code == "keys.mismatch"


async def test_an_sm2_key_that_may_not_sign_is_refused(national: Path) -> None:
    request = ["req", "-x509", "-new", "-key", "key.pem", "-sm3", "-subj", "/CN=Sample"]
    openssl(national, *request, "-addext", "keyUsage=keyEncipherment", "-out", "own.pem")
    export = ["pkcs12", "-export", "-inkey", "key.pem", "-in", "own.pem", "-passout", "pass:open"]
    openssl(national, *export, "-out", "made.p12")
    write(national, "sample", (national / "made.p12").read_bytes())
    assert (await refusal(national)).code == "keys.usage"


async def test_a_machine_without_sm2_says_what_the_key_needs(national: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_NAMES", ())
    libcrypto.libcrypto.cache_clear()
    try:
        refused = await refusal(national)
    finally:
        libcrypto.libcrypto.cache_clear()
    assert refused.code == "keys.no_sm2"
    assert "OpenSSL 3" in refused.say("zh") and "OpenSSL 3" in refused.say("en")
