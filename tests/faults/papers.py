"""Small contracts for the fault harness: each its own PDF, so that no stage finds its work done by another run."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pagesizes import LETTER
from reportlab.pdfgen.canvas import Canvas

STAGES = ("convert", "normalize", "inspect", "controls", "fill", "sign", "sign", "timestamp", "archive")
NEVER = frozenset(
    {("inspect", "half-written"), ("inspect", "after-fsync"), ("inspect", "after-link"), ("convert", "after-link")}
)
"""Instants that do not come: ``inspect`` stores no file, and what ``convert`` makes of a PDF is stored already."""
BASE = STAGES.index("sign")
"""Ordinal of the first stage that may only append."""
PARTIES = ("employer", "employee")
EFFECTS: dict[str, tuple[str, ...]] = {
    "sign": ("signature", "timestamp"),
    "timestamp": ("evidence",),
    "archive": ("evidence",),
}
"""Kinds of irrevocable act per stage; a run has two signatures, their timestamps and two over the document."""
EFFECTS_PER_RUN = 6

_PIPELINE = """
[pipeline]
name = "faults"
version = 1

[[stage]]
use = "convert"

[[stage]]
use = "normalize"

[[stage]]
use = "inspect"

[[stage]]
use = "controls"

[[stage.controls]]
name = "name"
kind = "text"
page = 1
x = 120.0
y = 640.0
width = 200.0

[[stage.controls]]
name = "employer"
kind = "signature"
party = "employer"
page = 1
x = 80.0
y = 300.0
width = 120.0
height = 110.0

[[stage.controls]]
name = "employee"
kind = "signature"
party = "employee"
page = 1
x = 320.0
y = 300.0
width = 120.0
height = 60.0

[[stage]]
use = "fill"

[[stage]]
use = "sign"
as = "employer"
field = "employer"

[[stage]]
use = "sign"
as = "employee"
field = "employee"

[[stage]]
use = "timestamp"

[[stage]]
use = "archive"
level = "B-LTA"
"""


def write_pipeline(folder: Path) -> Path:
    file = folder / "faults.toml"
    file.write_text(_PIPELINE, "utf-8")
    return file


def write_paper(path: Path, number: int) -> Path:
    """A Letter page of its own for every number."""
    canvas = Canvas(str(path), pagesize=LETTER, invariant=True)
    canvas.drawString(72, 700, f"Agreement number {number}")
    canvas.drawString(72, 660, "Name:")
    canvas.showPage()
    canvas.save()
    return path


def values(number: int) -> dict[str, str]:
    return {"name": f"示例员工{number}"}
