"""Makes the documents of this folder anew: ``python samples/make_samples.py [FOLDER]``; all of it is invented."""

from __future__ import annotations

import sys
from pathlib import Path

from labour_contract import write_contract
from letter_agreement import write_agreement


def make_samples(folder: Path) -> None:
    """Write the Word contract and the Letter agreement into a folder."""
    write_contract(folder / "labour-contract.docx")
    write_agreement(folder / "employment-agreement-letter.pdf")


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
