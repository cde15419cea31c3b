"""Checks signature values with integers alone: RSA (PKCS#1 v1.5, PSS), ECDSA and SM2; never signs, so time may leak.

Runs inside an evidence bundle: Python 3.8 and its standard library, nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from engine.contracting.offline.encoding import Malformed, Node, decode

DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "1.2.156.10197.1.401": "sm3",
}
_RSA = {"5": "sha1", "11": "sha256", "12": "sha384", "13": "sha512"}
_ECDSA = {"1.2.840.10045.4.1": "sha1", "1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384",
          "1.2.840.10045.4.3.4": "sha512"}  # fmt: skip
_PKCS1 = "1.2.840.113549.1.1."
_SM2_WITH_SM3 = "1.2.156.10197.1.501"
_SM2_CURVE = "1.2.156.10197.1.301"
_SM2_USER = b"1234567812345678"
"""The identity that GM/T 0009 takes where none was agreed."""


class Unknown(Exception):
    """The algorithm is none that is known here: no verdict, neither good nor bad."""


class Curve:
    """A curve y² = x³ + ax + b over a prime field, with its generator and order; all have a cofactor of 1."""

    def __init__(self, p: str, a: str, b: str, x: str, y: str, n: str) -> None:
        self.p, self.a, self.b, self.n = (int(value, 16) for value in (p, a, b, n))
        self.generator = (int(x, 16), int(y, 16))
        self.size = len(p) // 2

    def point(self, encoded: bytes) -> tuple[int, int]:
        """Read an uncompressed public key (SEC 1, 2.3.4); raises Malformed for a point beside the curve."""
        if len(encoded) != 1 + 2 * self.size or encoded[0] != 4:
            raise Malformed("a public key is no uncompressed point")
        x, y = (int.from_bytes(part, "big") for part in (encoded[1 : 1 + self.size], encoded[1 + self.size :]))
        if max(x, y) >= self.p or (y * y - x * x * x - self.a * x - self.b) % self.p:
            raise Malformed("a public key lies beside its curve")
        return x, y

    def add(self, one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
        if one is None or other is None:
            return one or other
        if one[0] == other[0]:
            if (one[1] + other[1]) % self.p == 0:
                return None
            slope = (3 * one[0] * one[0] + self.a) * pow(2 * one[1], -1, self.p)
        else:
            slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, self.p)
        x = (slope * slope - one[0] - other[0]) % self.p
        return x, (slope * (one[0] - x) - one[1]) % self.p

    def combine(self, first: int, second: int, point: tuple[int, int]) -> tuple[int, int] | None:
        """Give first · generator + second · point."""
        both, total = self.add(self.generator, point), None
        for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
            total = self.add(total, total)
            if first >> bit & 1:
                total = self.add(total, both if second >> bit & 1 else self.generator)
            elif second >> bit & 1:
                total = self.add(total, point)
        return total


CURVES = {
    "1.2.840.10045.3.1.7": Curve(
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    ),
    "1.3.132.0.34": Curve(
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc",
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    ),
    _SM2_CURVE: Curve(
        "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff",
        "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc",
        "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93",
        "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7",
        "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0",
        "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123",
    ),
}


def digest(name: str, data: bytes) -> bytes:
    """Digest of bytes; raises Unknown."""
    if name == "sm3":
        return sm3(data)
    if name not in DIGESTS.values():
        raise Unknown(name)
    return hashlib.new(name, data).digest()


def digest_name(algorithm: Node) -> str:
    """Name of an AlgorithmIdentifier's digest; raises Unknown, and Malformed for parameters it must not have."""
    nodes = algorithm.fields(1)
    found = nodes[0].identifier()
    if found not in DIGESTS:
        raise Unknown(found)
    if [node.raw for node in nodes[1:]] not in ([], [b"\x05\x00"]):
        raise Malformed("a digest algorithm has odd parameters")
    return DIGESTS[found]


def is_genuine(key: Node, algorithm: Node, signature: bytes, message: bytes, hashed: str = "") -> bool:
    """Whether the holder of ``key`` (SubjectPublicKeyInfo) signed ``message``.

    ``hashed``: the digest a CMS names beside the bare ``rsaEncryption``. Raises Unknown or Malformed.
    """
    kind, scheme = key.fields(2)[0].fields(1), algorithm.fields(1)
    name, public = scheme[0].identifier(), key.fields(2)[1].bits()
    if name.startswith(_PKCS1) and kind[0].identifier() in (_PKCS1 + "1", _PKCS1 + "10"):
        modulus, exponent = (node.number() for node in decode(public).fields(2))
        if name == _PKCS1 + "10":
            return _is_pss(modulus, exponent, scheme[1:], signature, message)
        if [node.raw for node in scheme[1:]] not in ([], [b"\x05\x00"]):
            raise Malformed("RSA has odd parameters")
        chosen = hashed if name == _PKCS1 + "1" else _RSA.get(name[len(_PKCS1) :], "")
        return _is_pkcs1(modulus, exponent, chosen, signature, message)
    if kind[0].identifier() != "1.2.840.10045.2.1" or len(kind) < 2:
        raise Unknown(name)
    curve_name = kind[1].identifier()
    if curve_name not in CURVES or (name not in _ECDSA and name != _SM2_WITH_SM3):
        raise Unknown(name + " / " + curve_name)
    if scheme[1:] and (name in _ECDSA or scheme[1].raw != b"\x05\x00"):
        raise Malformed("a signature algorithm has odd parameters")
    curve = CURVES[curve_name]
    r, s = (node.number() for node in decode(signature).fields(2))
    point = curve.point(public)
    if name == _SM2_WITH_SM3:
        return curve_name == _SM2_CURVE and _is_sm2(curve, point, public[1:], r, s, message)
    return _is_ecdsa(curve, point, r, s, digest(_ECDSA[name], message))


def _is_ecdsa(curve: Curve, point: tuple[int, int], r: int, s: int, hashed: bytes) -> bool:
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    number = int.from_bytes(hashed, "big") >> max(0, len(hashed) * 8 - curve.n.bit_length())
    inverse = pow(s, -1, curve.n)
    found = curve.combine(number * inverse % curve.n, r * inverse % curve.n, point)
    return found is not None and found[0] % curve.n == r


def _is_sm2(curve: Curve, point: tuple[int, int], public: bytes, r: int, s: int, message: bytes) -> bool:
    """GB/T 32918.2, 7: the digest begins with the signer's identity and key."""
    t = (r + s) % curve.n
    if not (0 < r < curve.n and 0 < s < curve.n and t):
        return False
    fixed = b"".join(value.to_bytes(32, "big") for value in (curve.a, curve.b, *curve.generator))
    identity = sm3(struct.pack(">H", len(_SM2_USER) * 8) + _SM2_USER + fixed + public)
    found = curve.combine(s, t, point)
    number = int.from_bytes(sm3(identity + message), "big")
    return found is not None and (number + found[0]) % curve.n == r


def _open(modulus: int, exponent: int, signature: bytes) -> bytes:
    size = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != size or value >= modulus:
        return b""
    return pow(value, exponent, modulus).to_bytes(size, "big")


def _is_pkcs1(modulus: int, exponent: int, name: str, signature: bytes, message: bytes) -> bool:
    """RFC 8017, 8.2.2: the one encoding there is, compared whole."""
    oid = next((dotted for dotted, known in DIGESTS.items() if known == name), None)
    if oid is None:
        raise Unknown("RSA / " + name)
    arcs = [int(arc) for arc in oid.split(".")]
    body = bytes([arcs[0] * 40 + arcs[1]]) + b"".join(_base128(arc) for arc in arcs[2:])
    inner = b"\x06" + bytes([len(body)]) + body + b"\x05\x00"
    hashed = digest(name, message)
    info = b"\x30" + bytes([len(inner)]) + inner + b"\x04" + bytes([len(hashed)]) + hashed
    info = b"\x30" + bytes([len(info)]) + info
    opened = _open(modulus, exponent, signature)
    return opened == b"\x00\x01" + b"\xff" * (len(opened) - len(info) - 3) + b"\x00" + info


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc > 0x7F:
        arc >>= 7
        digits.append(0x80 | arc & 0x7F)
    return bytes(reversed(digits))


def _is_pss(modulus: int, exponent: int, parameters: list[Node], signature: bytes, message: bytes) -> bool:
    """RFC 8017, 9.1.2 with MGF1."""
    given = {node.tag: node.children()[0] for node in (parameters[0].children() if parameters else [])}
    name = digest_name(given[0xA0]) if 0xA0 in given else "sha1"
    mask_name = digest_name(given[0xA1].fields(2)[1]) if 0xA1 in given else "sha1"
    salt_size = given[0xA2].number() if 0xA2 in given else 20
    bits = modulus.bit_length() - 1
    opened = _open(modulus, exponent, signature)[-((bits + 7) // 8) :]
    hashed = digest(name, message)
    split = len(opened) - len(hashed) - 1
    if split < salt_size + 1 or salt_size < 0 or opened[-1] != 0xBC:
        return False
    masked, seal = opened[:split], opened[split:-1]
    counters = range(-(-split // len(digest(mask_name, b""))))
    mask = b"".join(digest(mask_name, seal + struct.pack(">I", counter)) for counter in counters)[:split]
    block = int.from_bytes(masked, "big") ^ int.from_bytes(mask, "big")
    if int.from_bytes(masked, "big") >> bits - 8 * (len(hashed) + 1):
        return False
    plain = (block & (1 << bits - 8 * (len(hashed) + 1)) - 1).to_bytes(split, "big")
    salt = plain[split - salt_size :]
    if plain[: split - salt_size] != b"\x00" * (split - salt_size - 1) + b"\x01":
        return False
    return hmac.compare_digest(digest(name, bytes(8) + hashed + salt), seal)


def sm3(data: bytes) -> bytes:
    """SM3 digest (GB/T 32905); OpenSSL's where this Python has it, for it is a thousand times faster."""
    try:
        return hashlib.new("sm3", data).digest()
    except ValueError:
        return compute_sm3(data)


def compute_sm3(data: bytes) -> bytes:
    """SM3 in plain arithmetic: a megabyte takes some seconds."""
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack(">Q", len(data) * 8)
    for start in range(0, len(padded), 64):
        words = list(struct.unpack(">16I", padded[start : start + 64]))
        for j in range(16, 68):
            x = words[j - 16] ^ words[j - 9] ^ _turn(words[j - 3], 15)
            words.append(x ^ _turn(x, 15) ^ _turn(x, 23) ^ _turn(words[j - 13], 7) ^ words[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            first = _turn((_turn(a, 12) + e + _turn(0x79CC4519 if j < 16 else 0x7A879D8A, j % 32)) & 0xFFFFFFFF, 7)
            second = first ^ _turn(a, 12)
            one = (a ^ b ^ c) if j < 16 else (a & b | a & c | b & c)
            two = (e ^ f ^ g) if j < 16 else (e & f | ~e & g)
            a, b, c, d, e, f, g, h = (
                (one + d + second + (words[j] ^ words[j + 4])) & 0xFFFFFFFF, a, _turn(b, 9), c,
                _mix((two + h + first + words[j]) & 0xFFFFFFFF), e, _turn(f, 19), g,
            )  # fmt: skip
        state = [old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *state)


def _mix(x: int) -> int:
    return x ^ _turn(x, 9) ^ _turn(x, 17)


def _turn(x: int, bits: int) -> int:
    return (x << bits | x >> 32 - bits) & 0xFFFFFFFF if bits else x
