"""SM2 does what the standard's example says, what the openssl command says, and takes nothing else."""

import ctypes.util
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from asn1crypto.keys import ECPointBitString, PublicKeyInfo
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from engine.trust import der
from engine.trust.suites import libcrypto, sm2
from engine.trust.suites.sm2 import Sm2PrivateKey, WrongPassphrase, read_pkcs12, verify

PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
X = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
Y = "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
R = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
S = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"


def key_of(point: str) -> PublicKeyInfo:
    return PublicKeyInfo.load(PREFIX + bytes.fromhex(point))


def signature(r: str = R, s: str = S) -> bytes:
    return der.sequence(der.integer(int(r, 16)), der.integer(int(s, 16)))


def openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True).stdout


def test_the_example_of_the_standard_holds() -> None:
    """GB/T 32918.5-2017, appendix A.2: user id 1234567812345678, message "message digest"."""
    assert verify(key_of(X + Y), signature(), b"message digest")


def test_what_is_signed_is_the_example_s_digest_of_identity_and_message() -> None:
    expected = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
    assert sm2.digest(key_of(X + Y), b"message digest").hex() == expected


@pytest.mark.parametrize(
    ("r", "s", "message"),
    [
        (R, S, b"message digest."),
        (S, R, b"message digest"),
        (R, "00", b"message digest"),
        ("00", S, b"message digest"),
        ("f" * 64, S, b"message digest"),
        (R, "f" * 80, b"message digest"),
    ],
)
def test_nothing_but_the_example_holds(r: str, s: str, message: bytes) -> None:
    assert not verify(key_of(X + Y), signature(r, s), message)


@pytest.mark.parametrize("spoil", [lambda value: value + b"\0", lambda value: value[:-1], lambda value: b"", bytes.hex])
def test_a_signature_value_that_is_no_der_is_wrong_and_no_error(spoil) -> None:
    value = spoil(signature())
    assert not verify(key_of(X + Y), value if isinstance(value, bytes) else value.encode(), b"message digest")


def test_a_key_may_be_written_as_a_compressed_point() -> None:
    compressed = PREFIX[:-1].replace(b"\x30\x59", b"\x30\x39").replace(b"\x03\x42\x00", b"\x03\x22\x00") + b"\x03"
    assert verify(PublicKeyInfo.load(compressed + bytes.fromhex(X)), signature(), b"message digest")


@given(st.binary(max_size=90))
def test_no_bytes_are_a_signature_by_chance_and_none_is_an_error(value: bytes) -> None:
    assert not verify(key_of(X + Y), value, b"message digest")


@given(st.binary(max_size=70))
def test_no_other_point_is_the_key_of_the_example(point: bytes) -> None:
    info = key_of(X + Y)
    info["public_key"] = ECPointBitString(point)
    with suppress(ValueError):  # most are no point of the curve
        assert not verify(info, signature(), b"message digest")


@pytest.mark.parametrize("point", ["00", "", "04", "06" + X + Y, "07" + X + Y, "04" + X, "02" + X + Y])
def test_infinity_and_points_in_odd_forms_are_refused(point: str) -> None:
    """The library reads the first as the point at infinity, under which anybody could sign."""
    info = key_of(X + Y)
    info["public_key"] = ECPointBitString(bytes.fromhex(point))
    with pytest.raises(ValueError, match="no point"):
        verify(info, signature(), b"message digest")


def test_a_point_beside_the_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="refused"):
        verify(key_of(X + X), signature(), b"message digest")


def test_a_key_of_another_curve_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    info = PublicKeyInfo.load(other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ValueError, match="no SM2 key"):
        verify(info, signature(), b"message digest")


def test_the_openssl_command_accepts_our_signature_and_we_accept_its_own(tmp_path: Path) -> None:
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-outform", "DER", "-out", "key.der")
    openssl(tmp_path, "pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "public.pem")
    key = Sm2PrivateKey.load((tmp_path / "key.der").read_bytes())
    message = "合同正文".encode()
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "ours").write_bytes(key.sign(message))
    identity = ["-sigopt", "distid:1234567812345678"]
    verified = ["dgst", "-sm3", "-verify", "public.pem", *identity, "-signature", "ours", "message"]
    assert b"Verified OK" in openssl(tmp_path, *verified)
    openssl(tmp_path, "dgst", "-sm3", "-sign", "key.der", "-keyform", "DER", *identity, "-out", "theirs", "message")
    assert verify(PublicKeyInfo.load(key.public_info), (tmp_path / "theirs").read_bytes(), message)


def test_a_key_survives_writing_and_reading() -> None:
    key = Sm2PrivateKey.generate()
    again = Sm2PrivateKey.load(key.dump())
    assert again.public_info == key.public_info
    assert verify(PublicKeyInfo.load(key.public_info), again.sign(b"contract"), b"contract")


def test_a_key_never_shows_itself() -> None:
    key = Sm2PrivateKey.generate()
    assert key.dump()[7:39].hex()[:8] not in repr(key) + repr(vars(key))


@pytest.mark.parametrize("content", [b"", b"0", b"\x30\x03\x02\x01\x01", Sm2PrivateKey.generate().dump() + b"\0"])
def test_what_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"refused|behind"):
        Sm2PrivateKey.load(content)


def test_a_pkcs12_file_of_the_openssl_command_opens_and_ours_opens_there(tmp_path: Path) -> None:
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-out", "key.pem")
    openssl(tmp_path, "req", "-x509", "-new", "-key", "key.pem", "-sm3", "-subj", "/CN=Sample", "-out", "own.pem")
    export = ["pkcs12", "-export", "-inkey", "key.pem", "-in", "own.pem", "-certfile", "own.pem"]
    openssl(tmp_path, *export, "-passout", "pass:secret", "-out", "file.p12")
    bundle = read_pkcs12((tmp_path / "file.p12").read_bytes(), b"secret")
    assert bundle.certificate is not None
    assert Certificate.load(bundle.certificate).public_key.dump() == bundle.key.public_info
    assert bundle.others == (bundle.certificate,)

    ours = bundle.key.to_pkcs12(b"party", bundle.certificate, bundle.others, b"word")
    (tmp_path / "ours.p12").write_bytes(ours)
    shown = openssl(tmp_path, "pkcs12", "-in", "ours.p12", "-passin", "pass:word", "-noenc")
    assert shown.count(b"BEGIN CERTIFICATE") == 2 and b"BEGIN PRIVATE KEY" in shown

    with pytest.raises(WrongPassphrase):
        read_pkcs12(ours, b"another")
    with pytest.raises(ValueError, match="refused"):
        read_pkcs12(ours[:-1], b"word")


def test_a_machine_without_sm2_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_NAMES", ("libsealflow-nothing.so.3", ctypes.util.find_library("c") or "libc.so.6"))
    libcrypto.libcrypto.cache_clear()
    try:
        assert not sm2.is_available()
        with pytest.raises(libcrypto.NoSm2):
            Sm2PrivateKey.generate()
    finally:
        libcrypto.libcrypto.cache_clear()
