"""Signed PDFs written byte by byte, so that each test can make exactly one thing wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from engine.trust import cms
from engine.trust.keys import SoftwareKey

HOLE = b"<" + b"0" * 6000 + b">"
RANGE = b"[0 " + b" " * 36 + b"]"
Forger = Callable[[SoftwareKey, bytes, bytes], bytes]
"""Makes the DER for a key, the digest of the covered bytes, and these bytes."""

SIGNATURE = (
    b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20300101000000Z)/ByteRange%b/Contents%b>>"
    % (RANGE, HOLE)
)
CATALOGUE, PAGES, PAGE, TEXT, FIELD, VALUE, FONT, FILLED, NOTE = range(1, 10)
OBJECTS = {
    CATALOGUE: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R 8 0 R]/SigFlags 3/DA(/F 9 Tf)>>>>",
    PAGES: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    PAGE: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Resources<</Font<</F 7 0 R>>>>/Contents 4 0 R"
    b"/Annots[5 0 R 8 0 R]>>",
    TEXT: b"<</Length 33>>stream\nBT /F 20 Tf 50 200 Td (100) Tj ET\nendstream",
    FIELD: b"<</FT/Sig/T(first)/Type/Annot/Subtype/Widget/Rect[0 0 90 40]/F 132/P 3 0 R/V 6 0 R>>",
    VALUE: SIGNATURE,
    FONT: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    FILLED: b"<</FT/Tx/T(amount)/Type/Annot/Subtype/Widget/Rect[0 50 90 70]/F 4/P 3 0 R/V(100)>>",
}


def write_pdf(objects: Mapping[int, bytes], *, version: bytes = b"1.7", trailer: bytes = b"") -> bytes:
    """A file with a plain cross-reference table."""
    return _write(b"%%PDF-%b\n%%\xe2\xe3\xcf\xd3\n" % version, objects, max(objects) + 1, trailer)


def append(content: bytes, objects: Mapping[int, bytes], *, trailer: bytes = b"", size: int = 60) -> bytes:
    """The file with one more revision, which writes these objects anew."""
    previous = int(re.findall(rb"startxref\s+(\d+)", content)[-1])
    return _write(content + b"\n", objects, size, b"/Prev %d%b" % (previous, trailer))


def _write(content: bytes, objects: Mapping[int, bytes], size: int, trailer: bytes) -> bytes:
    table = b""
    for number, body in sorted(objects.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    if b"/Prev" not in trailer:
        table = b"0 1\n0000000000 65535 f \n" + table
    return content + b"xref\n%btrailer\n<</Size %d/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        size,
        trailer,
        len(content),
    )


def seal(content: bytes, key: SoftwareKey, forge: Forger | None = None) -> bytes:
    """Fill the last empty signature as an honest signer does, or with what ``forge`` makes."""
    start = content.rindex(HOLE)
    end = start + len(HOLE)
    numbers = b"0 %d %d %d" % (start, end, len(content) - end)
    content = content.replace(RANGE, b"[" + numbers.ljust(len(RANGE) - 2) + b"]")
    covered = content[:start] + content[end:]
    der = (forge or forge_nothing)(key, hashlib.sha256(covered).digest(), covered)
    return content[: start + 1] + der.hex().encode().ljust(len(HOLE) - 2, b"0") + content[end - 1 :]


def forge_nothing(key: SoftwareKey, digest: bytes, covered: bytes) -> bytes:
    """An honest PAdES signature."""
    attributes = cms.signed_attributes(key.certificate, digest)
    return sign_attributes(key, attributes)


def sign_attributes(key: SoftwareKey, attributes: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    value = key.private.sign(attributes, ec.ECDSA(SHA256()))
    certificates = [key.certificate, *(issuer for issuer in key.chain if issuer.subject != issuer.issuer)]
    return cms.signed_data(certificates, attributes, key.mechanism("sha256").dump(), value, None)


def signed_pdf(key: SoftwareKey, changes: Mapping[int, bytes] | None = None, forge: Forger | None = None) -> bytes:
    """A small contract with one signature and one filled field; ``changes`` replaces objects before signing."""
    return seal(write_pdf({**OBJECTS, **(changes or {})}), key, forge)
