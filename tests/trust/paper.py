"""Small files and stand-ins that the tests of signing share: a PDF with empty fields, a seal, a chain, a ledger."""

from __future__ import annotations

import datetime
import hashlib
import io
import re
import shutil
import subprocess
from pathlib import Path

from asn1crypto import algos
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image, ImageDraw
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from reportlab.pdfgen.canvas import Canvas

from engine.trust.acts import Act, Recall
from engine.trust.intent import Agreement, BaseRevision, Check, IntentProof, make_proof
from engine.trust.keys import PrivateKey, SoftwareKey

DAY = datetime.timedelta(days=1)


def draw_paper(file: Path, fields: tuple[str, ...] = ("party-a", "party-b"), pages: int = 1) -> Path:
    """A plain PDF with empty signature fields side by side on its first page."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595.28, 841.89))
    for number in range(pages):
        canvas.drawString(72, 760, f"Agreement, page {number + 1}")
        canvas.showPage()
    canvas.save()
    writer = IncrementalPdfFileWriter(buffer)
    for index, name in enumerate(fields):
        left = 60 + 120 * (index % 4)
        top = 200 + 120 * (index // 4)
        append_signature_field(writer, SigFieldSpec(name, box=(left, top - 100, left + 100, top)))
    output = io.BytesIO()
    writer.write(output)
    file.write_bytes(output.getvalue())
    return file


def draw_seal_picture(file: Path) -> Path:
    picture = Image.new("RGBA", (300, 300), (255, 255, 255, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((10, 10, 290, 290), outline=(200, 16, 16, 230), width=14)
    pen.regular_polygon((150, 150, 50), 5, fill=(200, 16, 16, 230))
    picture.save(file)
    return file


def make_key(kind: str, name: str, issuer: SoftwareKey | None = None, usage: str = "sign") -> SoftwareKey:
    """A throw-away key with its certificate; ``usage`` is ca, sign or stamp."""
    private: PrivateKey
    private = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    loaded = certify(private.public_key(), name, issuer, usage, private)
    return SoftwareKey(private, loaded, (issuer.certificate, *issuer.chain) if issuer else ())


def certify(
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    name: str,
    issuer: SoftwareKey | None,
    usage: str = "sign",
    own: PrivateKey | None = None,
) -> asn1.Certificate:
    """A certificate for a year; without an issuer the key's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.COUNTRY_NAME, "CN")])
    now = datetime.datetime.now(datetime.UTC)
    parent = x509.load_der_x509_certificate(issuer.certificate.dump()) if issuer else None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.subject if parent else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca=usage == "ca", path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=usage != "ca",
                content_commitment=usage == "sign",
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=usage == "ca",
                crl_sign=usage == "ca",
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if usage == "stamp":
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    certificate = builder.sign(issuer.private if issuer else own, hashes.SHA256())
    return asn1.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def valid_signatures(file: Path) -> int:
    """How many signatures poppler finds valid; every one must be. Document timestamps it cannot judge."""
    told = subprocess.run(["pdfsig", "-nocert", file], capture_output=True, text=True, check=False).stdout
    verdicts = re.findall(r"Signature Validation: (.*)", told)
    judged = [verdict for verdict in verdicts if verdict != "Signature has not yet been verified."]
    assert all(verdict == "Signature is Valid." for verdict in judged), told
    return len(judged)


def check_structure(file: Path) -> None:
    subprocess.run(["qpdf", "--check", file], capture_output=True, check=True)


def prove(document: Path, party: str = "somebody") -> IntentProof:
    """The proof that a party wants to sign a document; the same for the same bytes."""
    content = document.read_bytes()
    base = BaseRevision(hashlib.sha256(content).hexdigest(), len(content))
    moment = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    check = Check("face", "sample-vendor", "check-1")
    return make_proof(base.digest[:32], Agreement(base, party), check, moment, DAY)


class LocalStamper:
    """An honest timestamp authority in this process; ``away`` makes it fail, ``calls`` counts."""

    def __init__(self, key: SoftwareKey) -> None:
        from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        store = SimpleCertificateStore()
        for certificate in key.chain:
            store.register(certificate)
        private = key.private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._inner = DummyTimeStamper(key.certificate, asn1_keys.PrivateKeyInfo.load(private), store)
        self.away: Exception | None = None
        self.calls = 0

    async def stamp(self, digest: bytes, algorithm: str = "sha256") -> bytes:
        self.calls += 1
        if self.away is not None:
            raise self.away
        return (await self._inner.async_timestamp(digest, algorithm)).dump()


class CountingKey:
    """A signing key that counts how often it is used."""

    def __init__(self, inner: SoftwareKey) -> None:
        self.inner = inner
        self.certificate = inner.certificate
        self.chain = inner.chain
        self.digest_algorithm = inner.digest_algorithm
        self.uses = 0
        self.repeatable = inner.repeatable

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        return self.inner.mechanism(digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:
        self.uses += 1
        return await self.inner.sign(data, digest_algorithm, act)

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:
        return None


class Rack:
    """A content store in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    async def put(self, source: Path) -> str:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        shutil.copyfile(source, self._folder / digest)
        return digest

    async def get(self, digest: str, workspace: Path) -> Path:
        return self._folder / digest


class Crash(BaseException):
    """The process dies here."""


class Notebook:
    """A ledger in memory; ``die_before`` or ``die_after`` name the key at which the process dies, once."""

    def __init__(self) -> None:
        self.entries: dict[str, list[bytes | None]] = {}
        self.die_before: str | None = None
        self.die_after: str | None = None

    async def once(
        self, key: str, kind: str, intent: bytes, act: Act, *, repeatable: bool, recall: Recall | None = None
    ) -> tuple[bytes, bytes]:
        entry = self.entries.setdefault(key, [intent, None])
        if entry[1] is None:
            if self.die_before and key.endswith(self.die_before):
                self.die_before = None
                raise Crash
            entry[1] = await act(entry[0])
            if self.die_after and key.endswith(self.die_after):
                self.die_after = None
                raise Crash
        return entry[0], entry[1]
