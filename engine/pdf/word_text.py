"""Watches over the words of a Word file on their way into a PDF: none wrapped away, none drawn as an empty box.

It knows which characters must be seen, not how often: a paragraph that a converter loses is not noticed.
"""

from __future__ import annotations

import html
import re
import unicodedata
import zipfile
from pathlib import Path

import pypdfium2

from engine.errors import Rejected
from engine.pdf import tounicode
from engine.pdf.faces import glyph

_PROPERTIES = re.compile(rb"<w:(sdtPr|sdtEndPr|smartTagPr|customXmlPr)\b(?:[^>]*/>|.*?</w:\1>)", re.DOTALL)
_WRAPPER = re.compile(rb"</?w:(?:sdt|sdtContent|smartTag|customXml)(?:\s[^>]*)?/?>")
_OBJECT = re.compile(rb"<(/?)w:object\b[^>]*>")
_PROGRAM = re.compile(rb"<o:OLEObject\b(?:[^>]*/>|.*?</o:OLEObject>)", re.DOTALL)
_UNKNOWN = re.compile(
    rb"<w:(delInstrText|annotationRef|contentPart|pgNum|movie|(?:day|month|year)(?:Long|Short))\b"
    rb"(?:[^>]*/>|[^>]*>.*?</w:\1>)",
    re.DOTALL,
)
_RUBY = re.compile(rb"<w:ruby\b.*?<w:rubyBase\b(.*?)</w:ruby>", re.DOTALL)
_NOT_DRAWN = re.compile(rb"<w:altChunk\b|<a:graphicData\b[^>]*/(?:chart|chartex|diagram)\"")
_RUN = re.compile(rb"<w:r\b[^>]*>.*?</w:r>", re.DOTALL)
_HIDDEN = re.compile(rb"<w:vanish\s*/>")
_WORDS = re.compile(rb"<w:t(?:\s[^>]*)?>([^<]*)</w:t>")
_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp", "Co"})
"""Categories without a form of their own; what a private character (Co) shows only its font's maker knows."""

_SYMBOL = re.compile(rb'<w:sym\b(?=[^>]*w:font="(Wingdings(?: 2)?)")(?=[^>]*w:char="[Ff]0([0-9A-Fa-f]{2})")[^>]*/>')
_SYMBOLS = {
    b"Wingdings": {0x6F: "□", 0x71: "□", 0x72: "□", 0xA8: "□", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
    b"Wingdings 2": {0x2A: "□", 0x30: "□", 0xA3: "□", 0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒"},
}
"""Boxes and ticks that forms are filled with; Word's symbol fonts exist nowhere else."""
_NAMED = 20


def unwrap(content: bytes) -> bytes:
    """Rewrite what dxpdf would drop, refuse or draw as a crossed box, so that its words and pictures are drawn.

    Content controls (内容控件) and smart tags come off their content, embedded objects become the picture they show,
    a phonetic guide (拼音指南) leaves its base text, and boxes and ticks become characters.
    """
    content = _PROGRAM.sub(b"", _OBJECT.sub(rb"<\1w:pict>", _UNKNOWN.sub(b"", content)))
    content = _RUBY.sub(lambda ruby: b"<w:t>%s</w:t>" % b"".join(_WORDS.findall(ruby.group(1))), content)
    return _SYMBOL.sub(_character, _WRAPPER.sub(b"", _PROPERTIES.sub(b"", content)))


def check_drawable(file: str, package: Path) -> None:
    """Raise Rejected ``word.drawing_unsupported`` for charts, diagrams and inserted files, which dxpdf leaves out."""
    with zipfile.ZipFile(package) as parts:
        for name in parts.namelist():
            if name.startswith("word/") and name.endswith(".xml") and _NOT_DRAWN.search(parts.read(name)):
                raise Rejected(
                    "word.drawing_unsupported",
                    zh=f"文件 {file} 含有图表、SmartArt 或嵌入的文档，无法绘制。请在 Word 中另存为 PDF 后上传。",
                    en=f"{file} has charts, diagrams or inserted files, which cannot be drawn. Save it as PDF in Word.",
                    file=file,
                    part=name,
                )


def _character(symbol: re.Match[bytes]) -> bytes:
    sign = _SYMBOLS[symbol.group(1)].get(int(symbol.group(2), 16))
    return symbol.group() if sign is None else f"<w:t>{sign}</w:t>".encode()


def check_drawn(file: str, package: Path, converted: Path) -> None:
    """Raise Rejected ``word.characters_missing`` for characters of the main text that no font could draw.

    A missing glyph is drawn as a crossed box, which on ☐ reads as an answer.
    """
    with zipfile.ZipFile(package) as parts:
        names = [name for name in parts.namelist() if name == "word/document.xml"]
        body = b"".join(parts.read(name) for name in names)
    words = b"".join(text for run in _RUN.findall(body) if not _HIDDEN.search(run) for text in _WORDS.findall(run))
    wanted = set(tounicode.character(html.unescape(words.decode("utf-8", "replace"))))
    doubtful = {sign for sign in wanted if unicodedata.category(sign) not in _UNSEEN and glyph(sign, "serif") is None}
    missing = sorted(doubtful - _drawn(converted)) if doubtful else []
    if missing:
        shown = " ".join(f"{sign} (U+{ord(sign):04X})" for sign in missing[:_NAMED])
        raise Rejected(
            "word.characters_missing",
            zh=f"文件 {file} 中有本机字体无法显示的字符：{shown}。请在 Word 中另存为 PDF（嵌入字体）后上传。",
            en=f"{file} has characters that no font here can draw: {shown}. Save it as PDF in Word and upload that.",
            file=file,
            characters="".join(missing[:_NAMED]),
        )


def _drawn(converted: Path) -> set[str]:
    document = pypdfium2.PdfDocument(converted)
    try:
        return {sign for page in document for sign in page.get_textpage().get_text_bounded()}
    finally:
        document.close()
