"""Writes bundled typefaces into a Word file in place of those it names; one face draws both Chinese and Latin letters.

The converter knows only what is installed, by its own name, takes serif for all else (黑体 too), and draws Chinese
with the face meant for Latin letters. So in a Chinese document the East Asian face is named for both.
"""

from __future__ import annotations

import html
import re
import zipfile
from dataclasses import dataclass

from engine.pdf.typefaces import SERIF, family

_RUN_FONTS = re.compile(rb"<w:rFonts\b([^>]*?)(/?)>")
_ATTRIBUTE = re.compile(rb"\bw:(\w+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_SLOTS = {b"ascii": b"asciiTheme", b"hAnsi": b"hAnsiTheme", b"eastAsia": b"eastAsiaTheme", b"cs": b"cstheme"}
"""Attributes that name a face, each with the one that names a place in the theme and goes before it."""
_LATIN = (b"ascii", b"hAnsi")
_DRAWN = re.compile(rb"(<a:(?:latin|ea|cs|font)\b[^>]*?\btypeface\s*=\s*)(?:\"([^\"]+)\"|'([^']+)')")
_SCHEME = re.compile(rb"<a:(majorFont|minorFont)>.*?</a:\1>", re.DOTALL)
_SCRIPT = re.compile(rb"<a:font\b(?=[^>]*script=\"Hans\")[^>]*?typeface=\"([^\"]+)\"")
_PLACE = {kind: re.compile(rb"(<a:%s\b[^>]*?typeface=)\"([^\"]*)\"" % kind) for kind in (b"ea", b"latin")}
_EMBEDDED = re.compile(
    rb"<w:font\b[^>]*?\bw:name\s*=\s*\"([^\"]+)\"[^>]*>(?:(?!</w:font>).)*?<w:embed(?:Regular|Bold)\b", re.DOTALL
)
_SYMBOLS = frozenset({"symbol", "wingdings", "wingdings 2", "wingdings 3", "webdings", "mt extra"})
"""Faces whose letters are pictures; a face for words would show the letters."""
_HEAD = 4_000_000
_HAN, _LETTER, _TAG = re.compile("[\u3400-\u9fff]"), re.compile("[A-Za-z]"), re.compile("<[^>]*>")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a document's faces are named: ``kept`` are those it brings along, ``chinese`` what most of it is."""

    kept: frozenset[str] = frozenset()
    chinese: bool = False


def judge(package: zipfile.ZipFile) -> Manner:
    """Read from a Word package (its main part and list of faces, the first megabytes of each) what to do with it."""
    parts = {"word/fontTable.xml": b"", "word/document.xml": b""}
    for name in parts.keys() & set(package.namelist()):
        with package.open(name) as part:
            parts[name] = part.read(_HEAD)
    words = _TAG.sub("", parts["word/document.xml"].decode("utf-8", "replace"))
    # A Chinese character says about as much as three letters.
    chinese = 3 * len(_HAN.findall(words)) > len(_LETTER.findall(words))
    return Manner(frozenset(_text(name) for name in _EMBEDDED.findall(parts["word/fontTable.xml"])), chinese)


def rename(content: bytes, manner: Manner) -> bytes:
    """An XML part with bundled faces in it: in runs and styles, in the theme, and in what is drawn."""

    def replace(name: re.Match[bytes]) -> bytes:
        given = name.group(2) if name.group(2) is not None else name.group(3)
        return b'%s"%s"' % (name.group(1), _bundled(given, manner))

    content = _SCHEME.sub(lambda scheme: _scheme(scheme.group(), manner), content)
    return _DRAWN.sub(replace, _RUN_FONTS.sub(lambda fonts: _run_fonts(fonts, manner), content))


def _run_fonts(fonts: re.Match[bytes], manner: Manner) -> bytes:
    given = {name: double or single for name, double, single in _ATTRIBUTE.findall(fonts.group(1))}
    for slot in _SLOTS:
        if slot in given:
            given[slot] = _bundled(given[slot], manner)
    if manner.chinese:
        theme, face = given.get(_SLOTS[b"eastAsia"]), given.get(b"eastAsia")
        for slot in _LATIN if theme or face else ():
            given.pop(slot, None)
            given.pop(_SLOTS[slot], None)
            if theme:
                given[_SLOTS[slot]] = theme  # any slot may name any place in the theme (ISO/IEC 29500-1 17.18.96)
            elif face:
                given[slot] = face
    return b"<w:rFonts%s%s>" % (b"".join(b' w:%s="%s"' % item for item in given.items()), fonts.group(2))


def _scheme(scheme: bytes, manner: Manner) -> bytes:
    """A theme that leaves the East Asian face open means the one it lists for Chinese (ISO/IEC 29500-1 20.1.4.1.16)."""
    listed, stated = _SCRIPT.search(scheme), _PLACE[b"ea"].search(scheme)
    name = (stated and stated.group(2)) or (listed and listed.group(1)) or SERIF.encode("ascii")
    for kind in (b"ea", b"latin") if manner.chinese else (b"ea",):
        scheme = _PLACE[kind].sub(lambda place: b'%s"%s"' % (place.group(1), name), scheme)
    return scheme


def _bundled(name: bytes, manner: Manner) -> bytes:
    given = _text(name)
    if not given or given.startswith("+") or given in manner.kept or given.casefold() in _SYMBOLS:
        return name  # +mn-lt means "as the theme says"
    return (family(given) or SERIF).encode("ascii")


def _text(name: bytes) -> str:
    return html.unescape(name.decode("utf-8", "replace"))
