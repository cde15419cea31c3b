"""Re-writes any readable PDF as upright A4 pages from a clean object graph; bookmarks, tags and page labels are lost.

Vector stays vector: a page's content keeps its operators and is only moved, turned and scaled as a whole. Whatever
could act or change later (scripts, links, forms, layers, attachments) is drawn as it looks now or dropped. The same
input always gives the same bytes, because outputs are stored by their digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from engine.pdf import (
    cleaning,
    cmyk,
    declaration,
    font_repairs,
    inspection,
    intake,
    layers,
    marks,
    overlays,
    page_boxes,
    salvage,
    simple_fonts,
    substitution,
)
from engine.pdf.inspection import Inspection
from engine.pdf.overlays import Flattened
from engine.pdf.page_boxes import A4


@dataclass(frozen=True, slots=True)
class Normalized:
    """What became of a document: pages, what was found in it, and signatures whose picture remains but not their proof.

    ``annotations_dropped`` counts visible annotations that had no picture of their own.
    """

    pages: int
    inspection: Inspection
    signatures_dropped: int
    annotations_dropped: int


def normalize(source: Path, target: Path, page_limit: int = intake.PAGE_LIMIT) -> Normalized:
    """Write ``source`` to ``target`` as upright A4.

    Raises Rejected as ``engine.pdf.intake`` says for what cannot be read and ``document.unsafe`` for what rewriting
    cannot make safe.
    """
    fresh = Pdf.new()
    found, dropped = take_over(source, fresh, page_limit)
    finish(fresh, target, source.name)
    signatures = sum(finding.count for finding in found.findings if finding.code == "signature")
    return Normalized(len(fresh.pages), found, signatures, dropped)


def take_over(source: Path, fresh: Pdf, page_limit: int) -> tuple[Inspection, int]:
    """Append the pages of ``source``, normalised, to ``fresh``; gives what was found and the notes without picture.

    The title of the first document with a title becomes the title of ``fresh``.
    """
    with intake.reading(source.name), intake.open_pdf(source, page_limit) as pdf:
        found = inspection.inspect_pdf(pdf)
        inspection.refuse(source.name, found)
        torn = any("reconstruct" in str(warning) for warning in pdf.get_warnings())
        for page in pdf.pages:
            if not salvage.page_streams(source.name, pdf, page.obj) and torn:
                # A blank page in a whole file is meant; in a torn one it is what got lost.
                raise intake.damaged(source.name, "a page lost its content")
        layers.settle(pdf)
        substitution.embed_missing(pdf)
        simple_fonts.embed_missing(pdf)
        font_repairs.repair(pdf)
        marks.complete(pdf)
        cmyk.declare(pdf)
        flattened = Flattened()
        form = pdf.Root.get(Name.AcroForm)
        stale = isinstance(form, Dictionary) and str(form.get("/NeedAppearances")) == "True"
        seen = pikepdf.ObjectSet()
        for page in pdf.pages:
            _place(pdf, page.obj, salvage.page_streams(source.name, pdf, page.obj), flattened, stale)
            cleaning.clean(page.obj.Resources, seen)
            fresh.pages.append(page)
        if Name.Title not in fresh.docinfo:
            declaration.set_title(fresh, pdf)
        return found, flattened.dropped


def finish(fresh: Pdf, target: Path, file: str) -> None:
    """Write the collected pages; ``file`` is what a person calls their source."""
    with intake.reading(file):
        declaration.declare(fresh)
        declaration.save(fresh, target)


def _place(pdf: Pdf, page: pikepdf.Object, streams: list[Stream], flattened: Flattened, stale: bool) -> None:
    """Reduce a page to what it draws: its content and the pictures of its annotations, moved onto A4."""
    visible = page_boxes.visible_box(page)
    matrix = page_boxes.placement(visible, page_boxes.rotation(page)).matrix
    if not isinstance(page.get(Name.Resources), Dictionary):
        page.Resources = Dictionary()
    over = overlays.appearance_commands(pdf, page, flattened, stale=stale)
    surplus, missing = _balance(page, streams)
    numbers = " ".join(f"{number:.6f}" for number in matrix)
    clip = f"{visible.left:.4f} {visible.bottom:.4f} {visible.width:.4f} {visible.height:.4f} re W n"
    # Content that restores more often than it saves would undo our matrix; it meets saved copies of it instead.
    before = pdf.make_stream(f"q {numbers} cm {clip}\nq {'q ' * surplus}\n".encode("ascii"))
    after = pdf.make_stream(b"\n" + b"Q " * (missing + 1) + b"\n" + over + b"Q\n")
    kept = {
        Name.Type: Name.Page,
        Name.MediaBox: page_boxes.rectangle(A4),
        Name.Resources: page.Resources,
        Name.Contents: Array([before, *streams, after]),
    }
    group = page.get(Name.Group)
    if isinstance(group, Dictionary):
        kept[Name.Group] = group  # its blending colour space changes how transparent content looks
    for key in list(page.keys()):
        del page[key]
    for name, value in kept.items():
        page[name] = value


def _balance(page: pikepdf.Object, streams: list[Stream]) -> tuple[int, int]:
    """How many saves must precede the content for its restores, and how many restores must follow it."""
    if not streams:
        return 0, 0
    depth = lowest = 0
    for instruction in pikepdf.parse_content_stream(page, "q Q"):
        depth += 1 if str(instruction.operator) == "q" else -1
        lowest = min(lowest, depth)
    return -lowest, depth - lowest
