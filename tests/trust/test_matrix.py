"""Every kind of key at every level with one, two and five parties: signed, judged by us and by others, then spoiled.

A flipped byte is caught when it stands in bytes a signature covers and the file is no longer called signed and intact;
when it stands in a signature's own hole and the verdict is another one; or when it stands in bytes behind everything
signed, such as validation data without a timestamp over it, and the file is not called unchanged.
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.sandbox import Sandbox
from engine.trust.anchors import load_anchors
from engine.trust.archiving import archive_document
from engine.trust.authority import certificates
from engine.trust.authority.server import DemoAuthority
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.indications import Indication
from engine.trust.inspection import inspect_file
from engine.trust.keys import PrivateKey, SigningKey, SoftwareKey
from engine.trust.preparation import SignatureOrder
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings, sign_document
from engine.trust.suites.keys import Sm2Key
from engine.trust.suites.sm2 import Sm2PrivateKey
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Report, Trust
from tests.trust.paper import Notebook, Rack, check_structure, draw_paper, prove

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = {
    "P-256": "sha256_ecdsa / sha256",
    "RSA-3072-PSS": "rsassa_pss / sha256",
    "RSA-2048": "sha256_rsa / sha256",
    "SM2": "sm2_sm3 / sm3",
}
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
PARTIES = (1, 2, 5)
FLIPS = 6
"""Bytes spoiled in each file, spread over its regions; the 48 files together meet every kind of place many times."""


@dataclass
class Office:
    """The demo authority on loopback, keys of every kind, and the files made so far."""

    demo: DemoTrust
    authority: DemoAuthority
    sandbox: Sandbox
    stamper: TimestampClient
    revocation: RevocationSource
    anchors: tuple[Certificate, ...]
    folder: Path
    private: dict[str, rsa.RSAPrivateKey]
    keys: dict[tuple[str, int], SigningKey] = field(default_factory=dict)
    files: dict[tuple[str, str, int], Path] = field(default_factory=dict)

    def key(self, kind: str, number: int) -> SigningKey:
        if (kind, number) not in self.keys:
            self.keys[kind, number] = self._make_key(kind, f"DEMO Party {number}")
        return self.keys[kind, number]

    def _make_key(self, kind: str, name: str) -> SigningKey:
        pki = self.authority.pki
        branch = pki.sm2 if kind == "SM2" else pki
        assert branch is not None
        holder = certificates.make_party(branch.issuing, branch.base, name, "DEMO")
        certificate, private = holder.certificate, holder.key
        if kind in self.private:
            private = self.private[kind]
            certificate = certify_instead(holder.certificate, private, branch.issuing.key)
        self.authority.register.record(certificate.serial_number)
        own = Certificate.load(certificate.public_bytes(Encoding.DER))
        chain = (Certificate.load(branch.issuing.certificate.public_bytes(Encoding.DER)),)
        return Sm2Key(private, own, chain) if isinstance(private, Sm2PrivateKey) else SoftwareKey(private, own, chain)

    async def file(self, kind: str, level: str, parties: int) -> Path:
        known = (kind, level, parties)
        if known not in self.files:
            self.files[known] = await (self._sign(*known) if level in ("B-B", "B-T") else self._archive(*known))
        return self.files[known]

    async def _sign(self, kind: str, level: str, parties: int) -> Path:
        fields = tuple(f"party-{number}" for number in range(parties))
        source = draw_paper(self.folder / f"paper-{parties}.pdf", fields)
        for number, name in enumerate(fields):
            around = self._around(f"{kind}-{level}-{parties}-{number}")
            order = SignatureOrder(name, datetime.now(UTC), 0)
            stamper = self.stamper if level != "B-B" else None
            source = await sign_document(
                source, around.workspace / "signed.pdf", order, self.key(kind, number), stamper, around, prove(source)
            )
        return source

    async def _archive(self, kind: str, level: str, parties: int) -> Path:
        around = self._around(f"{kind}-{level}-{parties}")
        source = await self.file(kind, "B-T", parties)
        output = around.workspace / "archived.pdf"
        return await archive_document(source, output, level, self.revocation, self.stamper, around)

    def _around(self, subject: str) -> Surroundings:
        workspace = self.folder / subject
        workspace.mkdir()
        return Surroundings(self.sandbox, Rack(self.folder / "rack"), Notebook().once, subject, workspace)

    async def judge(self, file: Path) -> Report:
        """As ``verify`` does, without a process of its own: these bytes are ours."""
        anchors = tuple(anchor.dump() for anchor in self.anchors)
        return await asyncio.to_thread(inspect_file, file, "", anchors, datetime.now(UTC))


def certify_instead(like: x509.Certificate, key: rsa.RSAPrivateKey, issuer: PrivateKey) -> x509.Certificate:
    """The same certificate for an RSA key."""
    builder = x509.CertificateBuilder(
        like.issuer,
        like.subject,
        key.public_key(),
        like.serial_number,
        like.not_valid_before_utc,
        like.not_valid_after_utc,
    )
    for extension in like.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(issuer, SHA256())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("matrix")
    demo = await ensure_demo(folder / "demo", "development")
    anchors = load_anchors(demo.anchors_directory)
    sandbox = Sandbox(preload=("engine.trust.rehearsal",))
    private = {"RSA-3072-PSS": rsa.generate_private_key(65537, 3072), "RSA-2048": rsa.generate_private_key(65537, 2048)}
    async with (
        demo.serve() as authority,
        TimestampClient(demo.authorities, anchors) as stamper,
        RevocationSource(anchors) as revocation,
    ):
        yield Office(demo, authority, sandbox, stamper, revocation, anchors, folder, private)
    await sandbox.close()


def ask_pdfsig(file: Path) -> list[str]:
    """What poppler says of every signature; of document timestamps it says nothing."""
    told = subprocess.run(["pdfsig", "-nocert", file], capture_output=True, text=True, check=False).stdout
    verdicts = re.findall(r"Signature Validation: (.*)", told)
    return [verdict for verdict in verdicts if verdict != "Signature has not yet been verified."]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_party_reaches_the_level_and_everybody_who_can_judge_agrees(
    office: Office, kind: str, level: str, parties: int
) -> None:
    file = await office.file(kind, level, parties)
    report = await verify(office.sandbox, file, office.anchors)
    signatures = [entry for entry in report.signatures if entry.kind == "signature"]
    assert report.integrity is (Integrity.EXTENDED if level == "B-LT" else Integrity.VALID)
    assert (report.trust, report.level, len(signatures)) == (Trust.TRUSTED, level, parties)
    lasting = level in ("B-LT", "B-LTA")  # the rest lacks revocation data, and offline nobody can tell
    assert report.indication is (Indication.PASSED if lasting else Indication.INDETERMINATE)
    for number, entry in enumerate(signatures):
        assert entry.fields == (f"party-{number}",)
        assert (entry.trust, entry.level, entry.algorithm) == (Trust.TRUSTED, level, KINDS[kind])
        assert entry.certificate == office.key(kind, number).certificate.sha256.hex()
        assert entry.integrity in (Integrity.VALID, Integrity.EXTENDED) and not entry.findings
        assert (entry.proven_at is None) is (level == "B-B")
    check_structure(file)
    told = ask_pdfsig(file)
    if kind == "SM2":
        assert "Signature is Valid." not in told
    else:
        assert told == ["Signature is Valid."] * parties


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_flipped_byte_anywhere_is_caught(
    office: Office, tmp_path: Path, kind: str, level: str, parties: int
) -> None:
    file = await office.file(kind, level, parties)
    content = file.read_bytes()
    before = await office.judge(file)
    holes = find_holes(content)
    seed = random.Random(f"{kind} {level} {parties}")
    missed = []
    for place in choose_places(content, holes, seed):
        spoiled = bytearray(content)
        spoiled[place] ^= seed.randrange(1, 256)
        (tmp_path / "spoiled.pdf").write_bytes(spoiled)
        after = await office.judge(tmp_path / "spoiled.pdf")
        if not is_caught(place, holes, before, after):
            missed.append((place, content[place - 20 : place + 20], spoiled[place], after.integrity, after.level))
    assert missed == []


def find_holes(content: bytes) -> list[tuple[int, int, int]]:
    """Of every signature: where its hole begins and ends, and where what it covers ends."""
    ranges = re.findall(rb"/ByteRange ?\[0 (\d+) (\d+) (\d+) *\]", content)
    return sorted((int(before), int(resume), int(resume) + int(rest)) for before, resume, rest in ranges)


def choose_places(content: bytes, holes: list[tuple[int, int, int]], seed: random.Random) -> list[int]:
    """One byte in each kind of region, as many as are wanted."""
    regions = [(0, holes[0][0])]
    for begin, end, covered in holes:
        signed = 2 * (4 + int.from_bytes(bytes.fromhex(content[begin + 5 : begin + 9].decode())))
        third = signed // 3
        regions += [(begin + 1 + part * third, begin + 1 + (part + 1) * third) for part in range(3)]
        regions += [(begin + 1 + signed, end), (begin, begin + 1), (end - 1, end), (end, covered)]
    for word in (
        rb"\nxref\n.*?trailer",
        rb"trailer.*?%%EOF",
        rb"/DSS.*?>>",
        rb"/ByteRange.*?\]",
        rb"stream.*?endstream",
    ):
        regions += [found.span() for found in re.finditer(word, content, re.DOTALL)]
    regions.append((holes[-1][2] - 200, len(content)))
    return [seed.randrange(*region) for region in seed.sample(regions, min(FLIPS, len(regions)))]


def is_caught(place: int, holes: list[tuple[int, int, int]], before: Report, after: Report) -> bool:
    good = (Integrity.VALID, Integrity.EXTENDED)
    if any(place < covered and not begin <= place < end for begin, end, covered in holes):
        return after.integrity not in good
    if place < holes[-1][1]:
        return describe(after) != describe(before)
    return after.integrity is not Integrity.VALID


def describe(report: Report) -> list[object]:
    """All a reader of the verdict learns."""
    plain = report.to_dict()
    for word in ("file", "checked_at"):
        del plain[word]
    return [plain]
