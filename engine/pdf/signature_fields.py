"""Creates empty signature fields (签名域), all before the first signature: adding one later would look like tampering.

Each is merged with its one widget (ISO 32000-2 12.7.5.5: a signature field never refers to more than one annotation).
A signature that shows in several places, as a riding seal does, is therefore the value of several fields: still one
signature, one CMS, one use of the key. Readers that count fields, as pdfsig, list it once for each. Many widgets of one
field would not do: pyHanko takes their new looks for tampering with what was signed before, pdfsig 22 sees nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

from engine.errors import Rejected
from engine.pdf.control import Control
from engine.pdf.page_boxes import Box
from engine.pdf.riding import SLICE

_PRINT_AND_LOCKED = 4 | 128
"""Annotation flags: on paper too, and nobody moves it (ISO 32000-2 12.5.3)."""


@dataclass(frozen=True, slots=True)
class Area:
    """One place where a control shows; ``slice``: which of how many slices of a riding seal."""

    control: Control
    page: int
    box: Box
    slice: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Name of its field; the first slice of a riding seal has the control's own, for those who look for that."""
        return self.control.name if self.slice is None or self.page == 1 else f"{self.control.name}-{self.page}"


def add_fields(pdf: Pdf, areas: Sequence[Area]) -> None:
    """Add an empty field for every area; raises Rejected ``control.name_taken``."""
    if not areas:
        return
    form = pdf.Root.get("/AcroForm", Dictionary())
    # Readers that honour it would draw every field anew and so change what was signed.
    if "/NeedAppearances" in form:
        del form["/NeedAppearances"]
    fields = list(form.get("/Fields", Array()))
    taken = {str(field.get("/T", "")) for field in fields}
    blanks: dict[tuple[float, float], pikepdf.Object] = {}
    for area in areas:
        if area.name in taken:
            raise Rejected(
                "control.name_taken",
                zh=f"文件中已有名为“{area.name}”的域。请为签名控件改名，或先用 normalize 阶段规范化文件。",
                en=f"The document already has a field named {area.name!r}. Rename the signature control, "
                "or put the stage normalize first.",
                control=area.control.name,
            )
        taken.add(area.name)
        size = (round(area.box.width, 3), round(area.box.height, 3))
        if size not in blanks:
            blanks[size] = pdf.make_stream(
                b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, *size]), Resources=Dictionary()
            )
        page = pdf.pages[area.page - 1].obj
        field = pdf.make_indirect(_field(area, page, blanks[size]))
        fields.append(field)
        page[Name.Annots] = Array([*page.get("/Annots", Array()), field])
    form[Name.Fields] = Array(fields)
    form[Name.SigFlags] = 1  # signatures exist; 2, "append only", joins with the first of them
    pdf.Root[Name.AcroForm] = form if form.is_indirect else pdf.make_indirect(form)


def _field(area: Area, page: pikepdf.Object, blank: pikepdf.Object) -> Dictionary:
    box = area.box
    field = Dictionary(
        Type=Name.Annot,
        Subtype=Name.Widget,
        FT=Name.Sig,
        T=String(area.name),
        TU=String(f"{area.control.party} {area.name}".strip()),
        F=_PRINT_AND_LOCKED,
        Rect=Array([round(edge, 3) for edge in (box.left, box.bottom, box.right, box.top)]),
        P=page,
        AP=Dictionary(N=blank),  # ISO 19005-2 6.3.3: an empty field has an appearance too
    )
    if area.slice is not None:
        field[SLICE] = Array([*area.slice, String(area.control.signed)])
    return field
