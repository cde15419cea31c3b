"""The peer of the contract benchmark: a plain script of reportlab, pikepdf and pyHanko, used as their manuals show.

Key, seal pictures, timestamp client and anchors are loaded once in a process. reportlab cannot embed the OpenType font
Sealflow fills with, so its text uses a font that is not embedded: less work than ours, and no PDF/A.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import resource
import time
from pathlib import Path

from papers import FIELDS, PARTIES, SEALS, place, values

WARM = 2
"""Contracts a process makes before the clock starts."""


def measure_plain(folder: Path, template: Path, contracts: int, processes: int) -> dict[str, float]:
    """Contracts a second over all processes, and the largest process in MiB."""
    context = multiprocessing.get_context("spawn")
    pki = folder / "home" / "demo-pki"
    seals = folder / "seals"
    share = contracts // processes
    gate = context.Barrier(processes + 1)
    results: multiprocessing.Queue[float] = context.Queue()
    workers = [
        context.Process(target=_work, args=(template, pki, seals, share, number, gate, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    started = time.perf_counter()
    sizes = [results.get() for _ in workers]
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return {"rate": share * processes / seconds, "rss": max(sizes)}


def _work(template, pki, seals, share, number, gate, results) -> None:  # type: ignore[no-untyped-def]  # a process entry
    logging.disable(logging.ERROR)
    maker = Maker(template, pki, seals)
    for warm in range(WARM):
        maker.make(-1 - warm)
    gate.wait()
    for contract in range(share):
        maker.make(number * share + contract)
    results.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


class Maker:
    """One process of the plain script."""

    def __init__(self, template: Path, pki: Path, seals: Path) -> None:
        from pyhanko.keys import load_cert_from_pemder
        from pyhanko.pdf_utils.images import PdfImage
        from pyhanko.sign import signers, timestamps
        from pyhanko.stamp import StaticStampStyle

        self.template = template
        self.roots = [load_cert_from_pemder(str(file)) for file in sorted((pki / "anchors").iterdir())]
        self.signers = {}
        self.styles = {}
        for party in PARTIES:
            phrase = (pki / "keys" / f"{party}.passphrase").read_bytes().strip()
            self.signers[party] = signers.SimpleSigner.load_pkcs12(
                str(pki / "keys" / f"{party}.p12"), passphrase=phrase
            )
            picture = PdfImage(str(seals / SEALS[party]))
            self.styles[party] = StaticStampStyle(background=picture, border_width=0, background_opacity=1.0)
        from engine.trust.authority.pki import open_pki

        self.timestamper = timestamps.HTTPTimeStamper(f"{open_pki(pki).base}/timestamp")

    def make(self, number: int) -> bytes:
        """One contract: fill, sign twice, archive."""
        document = self._fill(number)
        for party in PARTIES:
            document = self._sign(document, party, last=party == "employee")
        return document

    def _fill(self, number: int) -> bytes:
        import pikepdf
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfgen.canvas import Canvas

        pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
        overlay = io.BytesIO()
        canvas = Canvas(overlay, pagesize=A4)
        canvas.setFont("STSong-Light", 11)
        for line, name in enumerate(FIELDS):
            x, y = place(line)
            canvas.drawString(x, y + 5, values(number)[name])
        canvas.save()
        with pikepdf.open(self.template) as pdf, pikepdf.open(overlay) as drawn:
            pdf.pages[0].add_overlay(drawn.pages[0])
            output = io.BytesIO()
            pdf.save(output)
        return output.getvalue()

    def _sign(self, document: bytes, party: str, *, last: bool) -> bytes:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign import fields, signers
        from pyhanko_certvalidator import ValidationContext

        name, x, y, width, height = PARTIES[party]
        box = (int(x), int(y), int(x + width), int(y + height))
        metadata = signers.PdfSignatureMetadata(
            field_name=name,
            subfilter=fields.SigSeedSubFilter.PADES,
            embed_validation_info=True,
            use_pades_lta=last,
            validation_context=ValidationContext(trust_roots=self.roots, allow_fetching=True),
        )
        signer = signers.PdfSigner(
            metadata,
            self.signers[party],
            timestamper=self.timestamper,
            stamp_style=self.styles[party],
            new_field_spec=fields.SigFieldSpec(name, on_page=2, box=box),
        )
        output = io.BytesIO()
        signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(document)), output=output)
        return output.getvalue()


if __name__ == "__main__":
    raise SystemExit(f"run benchmarks/contract.py ({os.fspath(Path(__file__).name)} is its peer)")
