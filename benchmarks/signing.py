"""Signatures per second and core: our ``sign`` stage beside pyHanko as documented, pyHanko tuned, and the bare key.

All sign the same three pages with the same key and seal picture, one document after the other on one core; the
authority for timestamps and revocation runs on another. Ours opens the file in a limited child, passes the effect
ledger (in memory here), reads the level back from what it wrote; the peers do none of that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
from contract import start_authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from papers import PARTIES, make_template
from peers import Documented, Tuned
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine import assembly
from engine.assembly import Tools
from engine.pipeline.alone import ScratchStorage
from engine.pipeline.resolution import build_stage
from engine.pipeline.stage import Work
from engine.records.effects import MemoryLedger
from engine.settings import Settings, Trust
from engine.stages.conformity import REWRITTEN
from engine.trust.authority.certificates import Holder
from engine.trust.authority.pki import DemoPki, open_pki, write_pkcs12
from engine.trust.authority.status import Register
from engine.trust.demo import ensure_demo
from engine.trust.keys import load_pkcs12

SEAL = Path(__file__).parent.parent / "pipelines" / "seals" / "company.png"
FIELD, *BOX = PARTIES["employer"]
KINDS = ("P-256", "RSA-2048")
LEVELS = ("B-B", "B-LTA")
Sign = Callable[[int], Awaitable[object]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=40, help="signatures a candidate makes in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, all candidates in turn in each")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="sealflow-bench-") as name:
        folder = Path(name)
        os.sched_setaffinity(0, cores[:1])
        authority = start_authority(folder / "demo-pki")
        os.sched_setaffinity(0, cores[-1:])
        try:
            asyncio.run(_measure(folder, options.documents, options.rounds))
        finally:
            authority.send_signal(signal.SIGTERM)
            authority.wait()
    return 0


async def _measure(folder: Path, documents: int, rounds: int) -> None:
    demo = await ensure_demo(folder / "demo-pki", "development")
    pki = open_pki(demo.directory)
    _make_rsa_party(pki, demo.keyring_directory / "RSA-2048.p12")
    for suffix in ("p12", "passphrase"):
        (demo.keyring_directory / f"employer.{suffix}").rename(demo.keyring_directory / f"P-256.{suffix}")
    trust = Trust(demo.keyring_directory, demo.anchors_directory, (demo.authority,))
    paper = folder / "paper.pdf"
    async with assembly.open_tools(Settings(home=folder / "home", trust=trust)) as tools:
        await _make_paper(tools, make_template(folder / "template.pdf"), paper)
        candidates: dict[tuple[str, str, str], Sign] = {}
        tuned: list[Tuned] = []
        for kind in KINDS:
            key = demo.keyring_directory / f"{kind}.p12"
            bare = load_pkcs12(key)
            for level in LEVELS:
                place = folder / f"{kind}-{level}"
                place.mkdir()
                candidates["Sealflow", kind, level] = _stage(tools, kind, level, paper, place)
                tuned.append(Tuned(key, paper, SEAL, FIELD, level, demo))
                candidates["pyHanko tuned", kind, level] = tuned[-1].sign
                candidates["pyHanko as documented", kind, level] = Documented(key, paper, SEAL, FIELD, level, demo).sign
            candidates["key alone", kind, ""] = lambda number, bare=bare: bare.sign(b"%d" % number, "sha256", "alone")
        try:
            _show(await _race(candidates, documents, rounds), documents, rounds)
        finally:
            for peer in tuned:
                await peer.close()


def _stage(tools: Tools, kind: str, level: str, paper: Path, place: Path) -> Sign:
    options = {"as": kind, "field": FIELD, "level": level, "seal": str(SEAL)}
    stage = build_stage(tools.catalogue.stages["sign"], options, tools.catalogue, {str(SEAL): SEAL}, place="sign")
    storage = ScratchStorage(place)

    async def sign(number: int) -> object:
        workspace = place / f"work-{number}"
        workspace.mkdir()
        work = Work((paper,), {REWRITTEN: True, "inspection": []}, workspace, f"{number}", MemoryLedger(), storage)
        async with tools.sandbox.document():
            return await stage.run(work)

    return sign


async def _make_paper(tools: Tools, template: Path, paper: Path) -> None:
    """Our own normalised page with an empty field, for all candidates."""
    upright = paper.with_name("upright.pdf")
    await tools.run_stage("normalize", {}, (template,), {}, upright)
    box = dict(zip(("x", "y", "width", "height"), BOX, strict=True))
    control = {"name": FIELD, "kind": "signature", "page": 3, **box}
    await tools.run_stage("controls", {"controls": [control]}, (upright,), {}, paper)


def _make_rsa_party(pki: DemoPki, file: Path) -> None:
    """A party of the demo PKI whose key is RSA-2048 instead of P-256; else the same certificate."""
    key = rsa.generate_private_key(65537, 2048)
    like = pki.responder.certificate
    pattern = x509.load_der_x509_certificate(load_pkcs12(file.with_name("employer.p12")).certificate.dump())
    builder = x509.CertificateBuilder(pattern.issuer, pattern.subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(like.not_valid_before_utc).not_valid_after(like.not_valid_after_utc)
    for extension in pattern.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    certificate = builder.sign(pki.issuing.key, hashes.SHA256())
    Register(pki.register).record(certificate.serial_number)
    write_pkcs12(file, Holder(certificate, key), [pki.issuing.certificate, pki.root.certificate])  # type: ignore[arg-type]  # the demo's own holders are P-256


async def _race(
    candidates: dict[tuple[str, str, str], Sign], documents: int, rounds: int
) -> dict[tuple[str, str, str], tuple[float, float]]:
    """CPU and wall seconds per signature: the median of the rounds."""
    spent: dict[tuple[str, str, str], list[tuple[float, float]]] = {name: [] for name in candidates}
    numbers = iter(range(10**9))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("signing", total=len(candidates) * (rounds + 1))
        for turn in range(rounds + 1):
            for name, sign in candidates.items():
                count = documents if turn else 3  # the first turn warms up and is not counted
                cpu, wall = _cpu(), time.perf_counter()
                for _ in range(count):
                    await sign(next(numbers))
                if turn:
                    spent[name].append(((_cpu() - cpu) / count, (time.perf_counter() - wall) / count))
                progress.advance(task)
    return {
        name: (statistics.median(cpu for cpu, _ in rows), statistics.median(wall for _, wall in rows))
        for name, rows in spent.items()
    }


def _cpu() -> float:
    """Processor seconds of this process and of all below it, ended ones included."""
    own = psutil.Process()
    spent = 0.0
    for process in (own, *own.children(recursive=True)):
        if "engine.trust.authority" not in process.cmdline():
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _show(result: dict[tuple[str, str, str], tuple[float, float]], documents: int, rounds: int) -> None:
    table = Table("key", "level", "candidate", "CPU ms", "wall ms", "a second and core", "CPU, ours = 1")
    for (candidate, kind, level), (cpu, wall) in sorted(result.items(), key=lambda row: (row[0][1:], row[1])):
        ours = result.get(("Sealflow", kind, level))
        ratio = f"{cpu / ours[0]:.2f}" if ours else ""
        per_second = f"{1 / cpu:,.0f}" if cpu else ""
        table.add_row(kind, level, candidate, f"{cpu * 1e3:.2f}", f"{wall * 1e3:.2f}", per_second, ratio)
    console = Console()
    console.print(table)
    console.print(
        f"median of {rounds} rounds of {documents} documents · one core of {platform.machine()} · "
        f"Python {platform.python_version()} · {platform.platform()}"
    )


if __name__ == "__main__":
    sys.exit(main())
