"""One verification of a contract that 50 people signed, B-LTA, beside pyHanko judging the same signatures.

Ours compares every revision with what came later, reads levels and revocation and gives a verdict on the file; pyHanko
is asked for each signature with its default comparison, as its manual shows, on one reader.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests make the file

from engine.trust.authority import pki
from engine.trust.inspection import inspect_file
from engine.trust.verdict import Integrity
from tests.trust.test_many_signers import SIGNERS, people, sign_in_turn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="sealflow-bench-") as name, patch.object(pki, "PARTIES", people()):
        file, anchors = asyncio.run(sign_in_turn(Path(name)))
        ours, theirs = [], []
        for _ in range(options.rounds):
            began = time.process_time()
            report = inspect_file(file, hashlib.sha256().hexdigest(), anchors, datetime.now(UTC))
            ours.append(time.process_time() - began)
            if report.integrity is not Integrity.VALID:
                raise SystemExit(f"the file is {report.integrity}")
            began = time.process_time()
            asyncio.run(_judge(file, anchors))
            theirs.append(time.process_time() - began)
        pages = file.stat().st_size
    table = Table("", "Sealflow", "pyHanko", title=f"{SIGNERS} signers, {pages / 1e6:.1f} MB, one verification")
    table.add_row("processor seconds", f"{statistics.median(ours):.2f}", f"{statistics.median(theirs):.2f}")
    table.add_row("ours = 1", "1.00", f"{statistics.median(theirs) / statistics.median(ours):.2f}")
    console = Console()
    console.print(table)
    console.print(f"median of {options.rounds} · Python {platform.python_version()} · {platform.platform()}")
    return 0


async def _judge(file: Path, anchors: tuple[bytes, ...]) -> None:
    with file.open("rb") as stream:
        reader = PdfFileReader(stream)
        roots = [Certificate.load(anchor) for anchor in anchors]
        for signature in reader.embedded_regular_signatures:
            context = ValidationContext(trust_roots=roots, allow_fetching=False)
            await async_validate_pdf_signature(signature, context)


if __name__ == "__main__":
    sys.exit(main())
