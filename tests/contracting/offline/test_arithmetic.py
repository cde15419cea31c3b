"""The verifier's own arithmetic against signatures that other software made, and against spoiled ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.contracting.offline.arithmetic import CURVES, Unknown, compute_sm3, digest, is_genuine, sm3
from engine.contracting.offline.encoding import Malformed, Node, decode
from engine.trust.suites.sm2 import Sm2PrivateKey

MESSAGE = "甲方与乙方".encode()
Sample = tuple[Node, Node, bytes]
"""Public key, signature algorithm, signature over MESSAGE."""


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Node:
    return decode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def named(algorithm: str) -> Node:
    return decode(algos.SignedDigestAlgorithm({"algorithm": algorithm}).dump())


def pkcs1(bits: int, digest_name: str) -> Sample:
    key = rsa.generate_private_key(65537, bits)
    scheme = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512()}[digest_name]
    return public(key), named(f"{digest_name}_rsa"), key.sign(MESSAGE, padding.PKCS1v15(), scheme)


def pss(bits: int) -> Sample:
    key = rsa.generate_private_key(65537, bits)
    hashed = algos.DigestAlgorithm({"algorithm": "sha256"})
    parameters = {
        "hash_algorithm": hashed,
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashed},
        "salt_length": 32,
    }
    algorithm = algos.SignedDigestAlgorithm(
        {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)}
    )
    signature = key.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return public(key), decode(algorithm.dump()), signature


def ecdsa(curve: ec.EllipticCurve, digest_name: str) -> Sample:
    key = ec.generate_private_key(curve)
    scheme = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[digest_name]
    return public(key), named(f"{digest_name}_ecdsa"), key.sign(MESSAGE, ec.ECDSA(scheme))


def sm2() -> Sample:
    key = Sm2PrivateKey.generate()
    return decode(key.public_info), decode(bytes.fromhex("300a06082a811ccf55018375")), key.sign(MESSAGE)


SAMPLES: dict[str, Callable[[], Sample]] = {
    "RSA-2048 with SHA-256": lambda: pkcs1(2048, "sha256"),
    "RSA-1025 with SHA-512": lambda: pkcs1(1025, "sha512"),
    "RSA-2048 PSS": lambda: pss(2048),
    "RSA-1025 PSS, a modulus of odd length": lambda: pss(1025),
    "P-256": lambda: ecdsa(ec.SECP256R1(), "sha256"),
    "P-256 with a longer digest": lambda: ecdsa(ec.SECP256R1(), "sha512"),
    "P-384": lambda: ecdsa(ec.SECP384R1(), "sha384"),
    "SM2": sm2,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_signature_is_genuine_and_no_other_message_or_value_is(name: str) -> None:
    key, algorithm, signature = SAMPLES[name]()
    assert is_genuine(key, algorithm, signature, MESSAGE)
    assert not is_genuine(key, algorithm, signature, MESSAGE + b" ")
    for position in (len(signature) - 1, len(signature) // 2 + 8):
        spoiled = bytearray(signature)
        spoiled[position] ^= 1
        assert not is_genuine(key, algorithm, bytes(spoiled), MESSAGE)


@pytest.mark.parametrize("name", ["RSA-2048 with SHA-256", "RSA-2048 PSS", "P-256", "SM2"])
def test_the_signature_of_another_key_is_not_genuine(name: str) -> None:
    _, algorithm, signature = SAMPLES[name]()
    other, _, _ = SAMPLES[name]()
    assert not is_genuine(other, algorithm, signature, MESSAGE)


@pytest.mark.parametrize("values", [(0, 0), (1, 0), (0, 1)])
def test_the_zeros_that_fooled_others_are_no_signature(values: tuple[int, int]) -> None:
    """CVE-2022-21449: r = s = 0 held for every message."""
    key, algorithm, _ = ecdsa(ec.SECP256R1(), "sha256")
    zero = b"\x30\x06\x02\x01" + bytes([values[0]]) + b"\x02\x01" + bytes([values[1]])
    assert not is_genuine(key, algorithm, zero, MESSAGE)


def test_an_unknown_algorithm_is_neither_good_nor_bad() -> None:
    key, _, signature = ecdsa(ec.SECP256R1(), "sha256")
    with pytest.raises(Unknown):
        is_genuine(key, named("ed25519"), signature, MESSAGE)
    with pytest.raises(Unknown):
        digest("md5", b"")


def test_a_point_beside_its_curve_is_refused() -> None:
    for curve in CURVES.values():
        with pytest.raises(Malformed):
            curve.point(b"\x04" + (5).to_bytes(curve.size, "big") * 2)


def test_generators_lie_on_their_curves_and_have_the_order_they_say() -> None:
    for curve in CURVES.values():
        x, y = curve.generator
        assert curve.point(b"\x04" + x.to_bytes(curve.size, "big") + y.to_bytes(curve.size, "big")) == (x, y)
        assert curve.combine(curve.n, 0, curve.generator) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # GB/T 32905-2016, annex A
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_digests_of_its_standard(data: bytes, expected: str) -> None:
    assert compute_sm3(data).hex() == sm3(data).hex() == expected


def test_sm3_is_openssls_for_every_length_around_a_block() -> None:
    if "sm3" not in hashlib.algorithms_available:
        pytest.fail("this Python has no SM3 to compare with")
    for length in range(130):
        assert compute_sm3(bytes(length)) == hashlib.new("sm3", bytes(length)).digest()
