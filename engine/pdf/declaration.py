"""Declares a document PDF/A: metadata and meaning of colours; whether the content keeps the word is judged elsewhere.

No date is declared: a clock would change the bytes, and the time that counts is proven by a timestamp.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal, get_args
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

Profile = Literal["PDF/A-2b", "PDF/A-3b"]
"""ISO 19005-2 and -3, level B; part 3 differs in what files may be attached."""
PROFILES: tuple[Profile, ...] = get_args(Profile)

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">\n{}{}</rdf:Description>\n'
    '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
)
_IDENTIFICATION = "<pdfaid:part>{}</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>\n"
_TITLE = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>\n'


def declare(pdf: Pdf, profile: Profile | None = "PDF/A-2b") -> None:
    """Write metadata that identifies the profile and repeats the title (ISO 19005-2 6.6), and one output intent.

    ``profile`` None identifies nothing: a file must not claim what it does not keep.
    """
    title = pdf.docinfo.get(Name.Title)
    text = str(title) if isinstance(title, String) else ""
    part = "" if profile is None else _IDENTIFICATION.format(profile[len("PDF/A-") : -1])
    packet = _PACKET.format(part, _TITLE.format(escape(text)) if text else "")
    pdf.Root[Name.Metadata] = pdf.make_stream(packet.encode("utf-8"), Type=Name.Metadata, Subtype=Name.XML)
    _declare_colours(pdf)


def withdraw(file: Path) -> None:
    """Take the identification out of a file we wrote: it does not keep the profile."""
    with pikepdf.explicit_conversion(), pikepdf.open(file, allow_overwriting_input=True) as pdf:
        declare(pdf, None)
        save(pdf, file)


def save(pdf: Pdf, target: Path) -> None:
    """Write ``pdf`` so that equal content gives equal bytes, its ``/ID`` included, and metadata stay as they are."""
    pdf.save(
        target,
        deterministic_id=True,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        min_version="1.7",
        fix_metadata_version=False,
    )


def set_title(pdf: Pdf, source: Pdf) -> None:
    """Take over the title of ``source``: the one thing of its description that people look for."""
    information = source.trailer.get(Name.Info)
    title = information.get(Name.Title) if isinstance(information, Dictionary) else None
    text = str(title) if isinstance(title, String) else ""
    # Signs that XML cannot hold would make the two places differ.
    kept = "".join(sign for sign in text if sign.isprintable() and not 0xFFFE <= ord(sign) <= 0xFFFF)[:300].strip()
    if kept:
        pdf.docinfo[Name.Title] = kept


def _declare_colours(pdf: Pdf) -> None:
    """Say that device colours mean sRGB, so that an archive copy looks the same (ISO 19005-2 6.2.3)."""
    if Name.OutputIntents in pdf.Root:
        return
    profile = pdf.make_stream(_srgb(), N=3)
    intent = Dictionary(
        Type=Name.OutputIntent, S=Name.GTS_PDFA1, OutputConditionIdentifier="sRGB", DestOutputProfile=profile
    )
    pdf.Root[Name.OutputIntents] = Array([pdf.make_indirect(intent)])


@lru_cache(1)
def _srgb() -> bytes:
    return resources.files("pikepdf").joinpath("pdfa/data/sRGB.icc").read_bytes()
