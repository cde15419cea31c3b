"""Re-writes any readable PDF as upright A4 pages from a clean object graph; bookmarks, tags and page labels are lost.

Vector stays vector: a page's content keeps its operators and is only moved, turned and scaled as a whole. Whatever
could act or change later (scripts, links, forms, layers, attachments) is drawn as it looks now or dropped. The same
input always gives the same bytes, because outputs are stored by their digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from engine.pdf import intake, page_boxes
from engine.pdf.page_boxes import A4


@dataclass(frozen=True, slots=True)
class Normalized:
    """What became of a document."""

    pages: int


def normalize(source: Path, target: Path, page_limit: int = intake.PAGE_LIMIT) -> Normalized:
    """Write ``source`` to ``target`` as upright A4; raises Rejected for what cannot be read or made safe."""
    with intake.reading(source.name), intake.open_pdf(source, page_limit) as pdf:
        fresh = Pdf.new()
        for page in pdf.pages:
            _place(pdf, page.obj)
            fresh.pages.append(page)
        _declare_colours(fresh)
        save(fresh, target)
        return Normalized(len(fresh.pages))


def save(pdf: Pdf, target: Path) -> None:
    """Write ``pdf`` so that equal content gives equal bytes, its ``/ID`` included."""
    pdf.save(target, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate, min_version="1.7")


def _place(pdf: Pdf, page: pikepdf.Object) -> None:
    visible = page_boxes.visible_box(page)
    matrix = page_boxes.placement(visible, page_boxes.rotation(page)).matrix
    content = page.get(Name.Contents)
    streams = list(content) if isinstance(content, Array) else [content]
    numbers = " ".join(f"{number:.6f}" for number in matrix)
    clip = f"{visible.left:.4f} {visible.bottom:.4f} {visible.width:.4f} {visible.height:.4f} re W n"
    before = pdf.make_stream(f"q {numbers} cm {clip}\n".encode())
    after = pdf.make_stream(b"\nQ\n")
    kept = {
        Name.Type: Name.Page,
        Name.MediaBox: page_boxes.rectangle(A4),
        Name.Resources: page_boxes.inherited(page, "/Resources") or Dictionary(),
        Name.Contents: Array([before, *(item for item in streams if isinstance(item, pikepdf.Stream)), after]),
    }
    for key in list(page.keys()):
        del page[key]
    for name, value in kept.items():
        page[name] = value


def _declare_colours(pdf: Pdf) -> None:
    """Say that device colours mean sRGB, so that an archive copy looks the same (ISO 19005-2 6.2.3)."""
    profile = pdf.make_stream(resources.files("pikepdf").joinpath("pdfa/data/sRGB.icc").read_bytes())
    profile[Name.N] = 3
    intent = Dictionary(
        Type=Name.OutputIntent, S=Name.GTS_PDFA1, OutputConditionIdentifier="sRGB", DestOutputProfile=profile
    )
    pdf.Root[Name.OutputIntents] = Array([pdf.make_indirect(intent)])
