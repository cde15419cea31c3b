"""SM2 signatures over SM3 (GB/T 32918.2, curve of 32918.5) with the default user id; keys lie in this process's memory.

A signature is the DER of r and s, as ECDSA's is (GM/T 0009). Foreign public keys reach the library as a bare point.
"""

from __future__ import annotations

import functools
from ctypes import byref, c_size_t, c_void_p, create_string_buffer
from dataclasses import dataclass

from asn1crypto.keys import PublicKeyInfo

from engine.trust.der import element, identifier, sequence
from engine.trust.suites.digests import digest_bytes
from engine.trust.suites.identifiers import SM2_CURVE
from engine.trust.suites.libcrypto import Handle, NoSm2, libcrypto, read, write

USER_ID = b"1234567812345678"
"""Distinguishing identifier where the parties agreed on no other (GM/T 0009, 10)."""
_ALGORITHM = sequence(identifier("1.2.840.10045.2.1"), identifier(SM2_CURVE))
"""AlgorithmIdentifier of a public key on the curve (RFC 5480, 2.1)."""
_FORMS = {(65, b"\x04"), (33, b"\x02"), (33, b"\x03")}
"""Length and first byte of an uncompressed and of a compressed point (SEC 1, 2.3.3)."""
_DOMAIN = bytes.fromhex(
    "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"
    "28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
"""The curve's a and b and its base point (GB/T 32918.5, 2)."""
_LONGEST = 80
"""Bytes of the longest signature."""


class WrongPassphrase(Exception):
    """A PKCS#12 file does not open with the passphrase."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a PKCS#12 file holds: the key, its certificate and the others, DER."""

    key: Sm2PrivateKey
    certificate: bytes | None
    others: tuple[bytes, ...]


class Sm2PrivateKey:
    """One SM2 private key in the library's memory."""

    def __init__(self, handle: Handle) -> None:
        if not libcrypto().EVP_PKEY_is_a(handle.pointer, b"SM2"):
            raise ValueError("no SM2 key")
        self._handle = handle
        self.public_info = write("i2d_PUBKEY", handle)
        """DER SubjectPublicKeyInfo."""

    def __repr__(self) -> str:
        return f"Sm2PrivateKey({self.public_info[-64:].hex()[:16]}…)"

    @classmethod
    def generate(cls) -> Sm2PrivateKey:
        """Make a new key; raises NoSm2."""
        library, made = libcrypto(), c_void_p()
        context = Handle(library.EVP_PKEY_CTX_new_from_name(None, b"SM2", None), "EVP_PKEY_CTX_free")
        library.EVP_PKEY_keygen_init(context.pointer)
        library.EVP_PKEY_keygen(context.pointer, byref(made))
        return cls(Handle(made.value, "EVP_PKEY_free"))

    @classmethod
    def load(cls, der: bytes) -> Sm2PrivateKey:
        """Read an unprotected key, PKCS#8 or SEC 1; raises ValueError or NoSm2."""
        return cls(read("d2i_AutoPrivateKey", der, "EVP_PKEY_free"))

    def dump(self) -> bytes:
        """DER of the unprotected key (SEC 1)."""
        return write("i2d_PrivateKey", self._handle)

    def sign(self, data: bytes) -> bytes:
        """Sign SM3(Z ‖ data), half a millisecond."""
        library = libcrypto()
        context, _kept = _prepare("EVP_DigestSignInit", self._handle)
        signature, size = create_string_buffer(_LONGEST), c_size_t(_LONGEST)
        if library.EVP_DigestSign(context.pointer, signature, byref(size), data, len(data)) != 1:
            library.ERR_clear_error()
            raise ValueError("the library did not sign")
        return signature.raw[: size.value]

    def to_pkcs12(self, name: bytes, certificate: bytes, others: tuple[bytes, ...], passphrase: bytes) -> bytes:
        """PKCS#12 (RFC 7292) as the library writes it by default: PBES2 with AES-256."""
        library = libcrypto()
        own, *rest = (read("d2i_X509", der, "X509_free") for der in (certificate, *others))
        chain = Handle(library.OPENSSL_sk_new_null(), "OPENSSL_sk_free")
        for handle in rest:
            library.OPENSSL_sk_push(chain.pointer, handle.pointer)
        made = library.PKCS12_create(passphrase, name, self._handle.pointer, own.pointer, chain.pointer, 0, 0, 0, 0, 0)
        return write("i2d_PKCS12", Handle(made, "PKCS12_free"))


def is_available() -> bool:
    """Whether this machine can compute SM2."""
    try:
        libcrypto()
    except NoSm2:
        return False
    return True


def read_pkcs12(content: bytes, passphrase: bytes) -> Bundle:
    """Open a PKCS#12 file that holds an SM2 key; raises WrongPassphrase, ValueError or NoSm2.

    The file is the operator's own, never one from outside.
    """
    library = libcrypto()
    bundle = read("d2i_PKCS12", content, "PKCS12_free")
    if library.PKCS12_verify_mac(bundle.pointer, passphrase, len(passphrase)) != 1:
        library.ERR_clear_error()
        raise WrongPassphrase
    key, own, rest = c_void_p(), c_void_p(), c_void_p()
    if library.PKCS12_parse(bundle.pointer, passphrase, byref(key), byref(own), byref(rest)) != 1:
        library.ERR_clear_error()
        raise ValueError("its content cannot be read")
    certificate = _take_certificate(own.value) if own.value else None
    others = []
    if rest.value:
        stack = Handle(rest.value, "OPENSSL_sk_free")
        for number in range(library.OPENSSL_sk_num(stack.pointer)):
            others.append(_take_certificate(library.OPENSSL_sk_value(stack.pointer, number)))
    return Bundle(Sm2PrivateKey(Handle(key.value, "EVP_PKEY_free")), certificate, tuple(others))


def verify(public_key: PublicKeyInfo, signature: bytes, data: bytes) -> bool:
    """Whether the key signed SM3(Z ‖ data); ValueError when it is no SM2 key, NoSm2 when nobody here can tell."""
    library = libcrypto()
    context, _kept = _prepare("EVP_DigestVerifyInit", _public_handle(_point(public_key)))
    held = library.EVP_DigestVerify(context.pointer, signature, len(signature), data, len(data)) == 1
    library.ERR_clear_error()
    return bool(held)


def digest(public_key: PublicKeyInfo, data: bytes) -> bytes:
    """SM3(Z ‖ data), what a key signs, for a service that holds it (GB/T 32918.2, 5.5 and 6.1); else ValueError."""
    point = _point(public_key)
    if len(point) != 65:
        raise ValueError("the point is compressed")
    identity = (8 * len(USER_ID)).to_bytes(2, "big") + USER_ID
    return digest_bytes("sm3", digest_bytes("sm3", identity + _DOMAIN + point[1:]) + data)


def is_sm2(public_key: PublicKeyInfo) -> bool:
    """Whether a public key lies on SM2's curve."""
    return bool(public_key.algorithm == "ec" and public_key.curve == ("named", "sm2"))


def _point(public_key: PublicKeyInfo) -> bytes:
    if not is_sm2(public_key):
        raise ValueError("no SM2 key")
    point = bytes(public_key["public_key"])
    if (len(point), point[:1]) not in _FORMS:  # the library would take infinity for a key
        raise ValueError("no point of a key")
    return point


@functools.lru_cache(256)
def _public_handle(point: bytes) -> Handle:
    """Whether the point is one of the curve is for the library to say: ValueError."""
    return read("d2i_PUBKEY", sequence(_ALGORITHM, element(0x03, b"\0", point)), "EVP_PKEY_free")


def _prepare(start: str, key: Handle) -> tuple[Handle, Handle]:
    """A digest context with user id and key; the second has to live as long as the first is used."""
    library = libcrypto()
    context = Handle(library.EVP_MD_CTX_new(), "EVP_MD_CTX_free")
    settings = Handle(library.EVP_PKEY_CTX_new_from_pkey(None, key.pointer, None), "EVP_PKEY_CTX_free")
    library.EVP_MD_CTX_set_pkey_ctx(context.pointer, settings.pointer)
    if (
        library.EVP_PKEY_CTX_set1_id(settings.pointer, USER_ID, len(USER_ID)) != 1
        or getattr(library, start)(context.pointer, None, library.EVP_sm3(), None, key.pointer) != 1
    ):
        library.ERR_clear_error()
        raise ValueError("the library refused the key")
    return context, settings


def _take_certificate(pointer: int | None) -> bytes:
    return write("i2d_X509", Handle(pointer, "X509_free"))
