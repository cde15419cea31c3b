"""The few functions of the system's OpenSSL that know SM2, by ctypes; absent or built without SM2, it says so.

``cryptography`` will not have SM2, and the packages that do are either slow or no longer kept; the system's library is
on every machine that runs Python and is kept by its distribution. Handles are freed with their Python objects.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, addressof, byref, c_char_p, c_int, c_long, c_size_t, c_ubyte, c_void_p, create_string_buffer

_NAMES = ("libcrypto.so.4", "libcrypto.so.3")
_Pointer = c_void_p
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "EVP_KEYMGMT_fetch": (c_void_p, (_Pointer, c_char_p, c_char_p)),
    "EVP_KEYMGMT_free": (None, (_Pointer,)),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, (_Pointer, c_char_p, c_char_p)),
    "EVP_PKEY_CTX_new_from_pkey": (c_void_p, (_Pointer, _Pointer, c_char_p)),
    "EVP_PKEY_CTX_free": (None, (_Pointer,)),
    "EVP_PKEY_CTX_set1_id": (c_int, (_Pointer, c_char_p, c_int)),
    "EVP_PKEY_keygen_init": (c_int, (_Pointer,)),
    "EVP_PKEY_keygen": (c_int, (_Pointer, POINTER(c_void_p))),
    "EVP_PKEY_is_a": (c_int, (_Pointer, c_char_p)),
    "EVP_PKEY_free": (None, (_Pointer,)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (_Pointer,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_Pointer, _Pointer)),
    "EVP_sm3": (c_void_p, ()),
    "EVP_DigestSignInit": (c_int, (_Pointer, _Pointer, _Pointer, _Pointer, _Pointer)),
    "EVP_DigestSign": (c_int, (_Pointer, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_DigestVerifyInit": (c_int, (_Pointer, _Pointer, _Pointer, _Pointer, _Pointer)),
    "EVP_DigestVerify": (c_int, (_Pointer, c_char_p, c_size_t, c_char_p, c_size_t)),
    "d2i_PUBKEY": (c_void_p, (_Pointer, POINTER(c_void_p), c_long)),
    "i2d_PUBKEY": (c_int, (_Pointer, POINTER(c_void_p))),
    "d2i_AutoPrivateKey": (c_void_p, (_Pointer, POINTER(c_void_p), c_long)),
    "i2d_PrivateKey": (c_int, (_Pointer, POINTER(c_void_p))),
    "d2i_X509": (c_void_p, (_Pointer, POINTER(c_void_p), c_long)),
    "i2d_X509": (c_int, (_Pointer, POINTER(c_void_p))),
    "X509_free": (None, (_Pointer,)),
    "d2i_PKCS12": (c_void_p, (_Pointer, POINTER(c_void_p), c_long)),
    "i2d_PKCS12": (c_int, (_Pointer, POINTER(c_void_p))),
    "PKCS12_free": (None, (_Pointer,)),
    "PKCS12_verify_mac": (c_int, (_Pointer, c_char_p, c_int)),
    "PKCS12_parse": (c_int, (_Pointer, c_char_p, POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p))),
    "PKCS12_create": (
        c_void_p,
        (c_char_p, c_char_p, _Pointer, _Pointer, _Pointer, c_int, c_int, c_int, c_int, c_int),
    ),
    "OPENSSL_sk_new_null": (c_void_p, ()),
    "OPENSSL_sk_push": (c_int, (_Pointer, _Pointer)),
    "OPENSSL_sk_num": (c_int, (_Pointer,)),
    "OPENSSL_sk_value": (c_void_p, (_Pointer, c_int)),
    "OPENSSL_sk_free": (None, (_Pointer,)),
    "ERR_clear_error": (None, ()),
}


class NoSm2(Exception):
    """This machine has no OpenSSL 3 with SM2."""


@functools.cache
def libcrypto() -> ctypes.CDLL:
    """The library, its functions typed; raises NoSm2."""
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            for function, (result, arguments) in _SIGNATURES.items():
                entry = getattr(library, function)
                entry.restype, entry.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        management = library.EVP_KEYMGMT_fetch(None, b"SM2", None)
        if management:
            library.EVP_KEYMGMT_free(management)
            return library
        library.ERR_clear_error()
    raise NoSm2


class Handle:
    """Something the library made; freed with this object."""

    __slots__ = ("_free", "pointer")

    def __init__(self, pointer: int | None, free: str) -> None:
        self.pointer = pointer
        self._free = getattr(libcrypto(), free)
        if not pointer:
            libcrypto().ERR_clear_error()
            raise ValueError("the library refused it")

    def __del__(self) -> None:
        if self.pointer:
            self._free(self.pointer)

    def __repr__(self) -> str:
        return "Handle()"


def read(function: str, der: bytes, free: str) -> Handle:
    """Parse one whole DER structure; raises ValueError when it is none or something stands behind it."""
    buffer = create_string_buffer(der, len(der))
    place = c_void_p(addressof(buffer))
    handle = Handle(getattr(libcrypto(), function)(None, byref(place), len(der)), free)
    if place.value != addressof(buffer) + len(der):
        raise ValueError("something stands behind it")
    return handle


def write(function: str, handle: Handle) -> bytes:
    """DER of a structure of the library."""
    encode = getattr(libcrypto(), function)
    size = encode(handle.pointer, None)
    if size <= 0:
        libcrypto().ERR_clear_error()
        raise ValueError("the library cannot write it")
    buffer = (c_ubyte * size)()
    encode(handle.pointer, byref(c_void_p(addressof(buffer))))
    return bytes(buffer)
