"""Turns a Word file into a PDF; what the converter does not know (macros, links to other files) has no effect.

The package is checked and rewritten first: every part is inflated against a budget, and references to anything
outside of the file are cut, because a converter may follow them to the network or to files of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pikepdf
from pikepdf import Name

from engine.errors import Misuse, Rejected
from engine.pdf import fontconfig, intake, outlines, tounicode, word_text, word_typefaces
from engine.pdf.word_typefaces import Manner

UNPACKED_LIMIT = 512 * 1024 * 1024
"""Bytes of all parts of a package together; counted while inflating, because a directory may lie."""
PART_LIMIT = 10_000
"""Parts of a package; a book with a picture on every page has hundreds."""

_EXTERNAL = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*?TargetMode\s*=\s*[\"']External[\"'][^>]*?/?>")
_HYPERLINK = re.compile(rb"Type\s*=\s*[\"'][^\"']*/hyperlink[\"']")
_TARGET = re.compile(rb"\bTarget\s*=\s*(\"[^\"]*\"|'[^']*')")
_FIELD = re.compile(rb"(<w:instrText\b[^>]*>)([^<]*)|(\bw:instr\s*=\s*)(\"[^\"]*\"|'[^']*')")
_FETCHING = re.compile(
    rb"\b(?:INCLUDEPICTURE|INCLUDETEXT|INCLUDE|DDEAUTO|DDE|LINK|IMPORT|RD|DATABASE)\b", re.IGNORECASE
)
_APT = "apt-get install libreoffice-writer-nogui"


def docx_to_pdf(source: Path, target: Path, cache: Path) -> int:
    """Convert with dxpdf and the bundled fonts; returns the number of pages. ``cache``: folder for font lists.

    Raises Rejected ``document.damaged``, ``document.encrypted``, ``document.too_large``, ``word.not_convertible``,
    ``word.drawing_unsupported`` or ``word.characters_missing``.
    """
    clean = neutral_package(source, target.with_suffix(".neutral.docx"))
    word_text.check_drawable(source.name, clean)
    os.environ["FONTCONFIG_FILE"] = str(fontconfig.write_fontconfig(target.with_suffix(".conf"), cache))
    import dxpdf  # here, because fontconfig reads its environment when the library first needs a font

    try:
        target.write_bytes(dxpdf.convert(clean.read_bytes()))
    except (SystemExit, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # a panic of the Rust library is no Exception
        raise _not_convertible(source.name, str(error)) from None
    pages = _finish(source.name, target)
    word_text.check_drawn(source.name, clean, target)
    return pages


def office_to_pdf(source: Path, target: Path, cache: Path, is_docx: bool) -> int:
    """Convert .docx or .doc with LibreOffice; as ``docx_to_pdf``, and Misuse ``word.libreoffice_missing``.

    Its profile is new and its own, without macros and links; call it in a child without a network.
    """
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        raise Misuse(
            "word.libreoffice_missing",
            zh=f'未安装 LibreOffice，无法按 word = "libreoffice" 转换。请运行 {_APT}，或改用 word = "auto"。',
            en=f'LibreOffice is not installed, so word = "libreoffice" cannot work. Run {_APT} or set word = "auto".',
        )
    folder = target.parent / "office"
    folder.mkdir()
    copy = folder / ("document.docx" if is_docx else "document.doc")
    if is_docx:
        neutral_package(source, copy)
    else:
        shutil.copyfile(source, copy)
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE, "utf-8")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "1577836800",  # no clock in what it makes
        "FONTCONFIG_FILE": str(fontconfig.write_fontconfig(folder / "fonts.conf", cache)),
    }
    command = [
        program,
        "--headless",
        "--norestore",
        "--nolockcheck",
        "--nodefault",
        f"-env:UserInstallation={profile.as_uri()}",
    ]
    command += ["--convert-to", "pdf:writer_pdf_Export", "--outdir", str(folder / "out"), str(copy)]
    # The caller's limit on time ends the program too, with all it started.
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    made = folder / "out" / "document.pdf"
    if not made.is_file():
        raise _not_convertible(source.name, run.stderr.decode("utf-8", "replace"))
    shutil.move(made, target)
    return _finish(source.name, target)


def libreoffice_installed() -> bool:
    """Whether .doc can be converted here."""
    return bool(shutil.which("soffice") or shutil.which("libreoffice"))


def old_format(file: str) -> Rejected:
    """Rejected ``word.old_format``: a .doc where no LibreOffice is installed. The person who sent it can help."""
    return Rejected(
        "word.old_format",
        zh=f"文件 {file} 是旧版 Word（.doc）格式。请在 Word 中另存为 .docx 或 PDF 后上传；或请管理员运行 {_APT}。",
        en=f"{file} is in the old Word format (.doc). Save it as .docx or PDF; or have the operator run {_APT}.",
        file=file,
    )


def neutral_package(source: Path, target: Path) -> Path:
    """Copy a .docx without references to the outside and within the size limits; returns ``target``."""
    budget = UNPACKED_LIMIT
    try:
        with (
            zipfile.ZipFile(source) as package,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
        ):
            entries = package.infolist()
            names = [entry.filename for entry in entries]
            if len(names) > PART_LIMIT:
                raise intake.too_large(source.name)
            if len(set(names)) != len(names):
                raise intake.damaged(source.name, "two parts of one name")  # readers differ on which one counts
            if any(entry.flag_bits & 1 for entry in entries):
                raise intake.encrypted(source.name)
            manner = word_typefaces.judge(package)
            for entry in entries:
                with package.open(entry) as part:
                    content = part.read(budget + 1)
                budget -= len(content)
                if budget < 0:
                    raise intake.too_large(source.name)
                copy.writestr(zipfile.ZipInfo(entry.filename), _neutral(source.name, entry.filename, content, manner))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError) as error:
        raise intake.damaged(source.name, str(error)[:200]) from None
    return target


def _neutral(file: str, name: str, content: bytes, manner: Manner) -> bytes:
    if not name.lower().endswith((".rels", ".xml")):
        return content
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode("utf-8")
        content = re.sub(rb"encoding\s*=\s*[\"'][^\"']*[\"']", b'encoding="UTF-8"', content, count=1)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        # Word writes none; a reader that resolves entities reads files of this machine or fills its memory.
        raise intake.damaged(file, "document type declaration in an XML part")
    if name.lower().endswith(".rels"):
        return _EXTERNAL.sub(_cut, content)
    content = word_typefaces.rename(word_text.unwrap(content), manner)
    # Only instructions are touched, never the words of the document; the field's last result stays what is shown.
    return _FIELD.sub(lambda field: _FETCHING.sub(b"QUOTE", field.group()), content)


def _cut(relationship: re.Match[bytes]) -> bytes:
    text = relationship.group()
    return text if _HYPERLINK.search(text) else _TARGET.sub(b'Target="about:blank"', text)


def _finish(file: str, target: Path) -> int:
    """Make the converter's file the same at each run and its Chinese text searchable."""
    with intake.reading(file), intake.open_pdf(target) as pdf:
        tounicode.unify_radicals(pdf)
        outlines.embed_drawn_fonts(pdf)
        for key in (Name.Info, Name.ID):
            if key in pdf.trailer:
                del pdf.trailer[key]
        if Name.Metadata in pdf.Root:
            del pdf.Root[Name.Metadata]
        made = target.with_suffix(".tmp")
        pdf.save(made, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        pages = len(pdf.pages)
    made.replace(target)
    return pages


def _not_convertible(file: str, reason: str) -> Rejected:
    return Rejected(
        "word.not_convertible",
        zh=f"Word 文件 {file} 无法转换，可能已损坏。请在 Word 中打开并另存为 PDF 后上传。",
        en=f"The Word file {file} cannot be converted; it may be damaged. Save it as PDF in Word and upload that.",
        file=file,
        reason=reason[:300],
    )


_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop>
<prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop>
<prop oor:name="DisableActiveContent" oor:op="fuse"><value>true</value></prop>
<prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update">
<prop oor:name="Link" oor:op="fuse"><value>2</value></prop></item>
</oor:items>
"""
"""LibreOffice settings: no macros, no active content, links never updated."""
