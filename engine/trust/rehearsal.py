"""Goes once through every parser when a limited server starts, so that its children find their classes ready.

The library builds its ASN.1 classes at first use; without this every child would build them anew, 5 to 10 ms a call.
The key made here signs nothing but the rehearsal and is forgotten.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.trust import cms
from engine.trust.embedding import digest_around, embed
from engine.trust.evidence import Evidence
from engine.trust.inspection import inspect_file
from engine.trust.preparation import SignatureOrder, prepare_signature
from engine.trust.revisions import ArchiveOrder, list_signers, prepare_archive
from engine.trust.suites import sm2

_OBJECTS = (
    b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R 5 0 R]>>>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<<>>/Annots[4 0 R 5 0 R]>>",
    b"<</FT/Sig/T(a)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]/P 3 0 R>>",
    b"<</FT/Sig/T(b)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]/P 3 0 R>>",
)


def _write_paper() -> bytes:
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(_OBJECTS, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"xref\n0 6\n%strailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, len(content))
    return content + trailer


def _make_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rehearsal")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return Certificate.load(builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def rehearse(folder: Path) -> None:
    """Sign twice, archive and judge a tiny file in ``folder``."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = _make_certificate(key, now)
    mechanism = SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
    source, tail = folder / "paper.pdf", folder / "tail"
    source.write_bytes(_write_paper())

    async def sign(field: str) -> None:
        nonlocal source
        hole = prepare_signature(source, tail, SignatureOrder(field, now, 2048))
        attributes = cms.signed_attributes(certificate, await digest_around(source, tail, hole))
        signature = key.sign(attributes, ec.ECDSA(SHA256()))
        content = cms.signed_data([certificate], attributes, mechanism, signature, None)
        source = await embed(source, tail, hole, content, folder / f"{field}.pdf")

    asyncio.run(sign("a"))
    asyncio.run(sign("b"))
    list_signers(source)
    hole = prepare_archive(source, tail, ArchiveOrder(Evidence((certificate.dump(),)), 2048))
    asyncio.run(embed(source, tail, hole, b"", folder / "archived.pdf"))
    for file in (source, folder / "archived.pdf"):
        inspect_file(file, hashlib.sha256().hexdigest(), (certificate.dump(),), now)
    if sm2.is_available():
        other = sm2.Sm2PrivateKey.generate()
        sm2.verify(PublicKeyInfo.load(other.public_info), other.sign(b""), b"")


with tempfile.TemporaryDirectory() as _folder:
    rehearse(Path(_folder))
