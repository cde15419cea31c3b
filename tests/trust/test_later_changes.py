"""What may be done to a file after it was signed, and what may not: each case appends one revision to a signed file."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyhanko.sign.diff_analysis import DiffResult, StandardDiffPolicy

from engine.trust.inspection import inspect_file
from engine.trust.report import render_html
from engine.trust.verdict import Integrity, Report
from tests.trust.forgery import (
    CATALOGUE,
    FIELD,
    FILLED,
    FONT,
    OBJECTS,
    PAGE,
    PAGES,
    SIGNATURE,
    TEXT,
    VALUE,
    append,
    seal,
    signed_pdf,
    write_pdf,
)
from tests.trust.paper import make_key

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
KEY = make_key("ec", "Sample Person", make_key("ec", "Sample Root", usage="ca"))
GREEN = (Integrity.VALID, Integrity.EXTENDED)


def judge(content: bytes, folder: Path) -> Report:
    file = folder / "judged.pdf"
    file.write_bytes(content)
    return inspect_file(file, "0" * 64, (), datetime.now(UTC))


def edit(number: int, old: bytes, new: bytes) -> dict[int, bytes]:
    assert OBJECTS[number].count(old) == 1
    return {number: OBJECTS[number].replace(old, new)}


def on_page(annotation: bytes) -> dict[int, bytes]:
    return edit(PAGE, b"5 0 R 8 0 R", b"5 0 R 8 0 R 20 0 R") | {20: annotation}


def in_form(field: bytes, *more: tuple[int, bytes]) -> dict[int, bytes]:
    """A new field, on the page too."""
    return on_page(field) | edit(CATALOGUE, b"8 0 R]", b"8 0 R 20 0 R]") | dict(more)


SECOND_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Resources<<>>>>"
OTHER_TEXT = OBJECTS[TEXT].replace(b"100", b"900")
LOOK = b"<</Type/XObject/Subtype/Form/BBox[0 0 300 300]/Length 25>>stream\n1 g 0 0 300 300 re f       \nendstream"
SIGNED_FIELD = b"<</FT/Sig/T(first)/Type/Annot/Subtype/Widget/Rect[0 0 90 40]/F 132/P 3 0 R/V 6 0 R%b>>"
FORBIDDEN = {
    "the text itself": edit(TEXT, b"(100)", b"(900)"),
    "the same bytes by another filter": edit(TEXT, b"/Length 33", b"/Length 33/Filter/ASCIIHexDecode"),
    "the same bytes by a filter nobody knows": edit(TEXT, b"/Length 33", b"/Length 33/Filter[/Unknown]"),
    "the page shows another text": edit(PAGE, b"/Contents 4 0 R", b"/Contents 20 0 R") | {20: OTHER_TEXT},
    "another text is drawn over it": edit(PAGE, b"4 0 R", b"[4 0 R 20 0 R]") | {20: OTHER_TEXT},
    "the font shows other glyphs": edit(FONT, b"Helvetica", b"Symbol"),
    "another font": edit(PAGE, b"/F 7 0 R", b"/F 20 0 R") | {20: b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"},
    "a page was added": edit(PAGES, b"[3 0 R]/Count 1", b"[3 0 R 20 0 R]/Count 2") | {20: SECOND_PAGE},
    "a page was put before": edit(PAGES, b"[3 0 R]/Count 1", b"[20 0 R 3 0 R]/Count 2") | {20: SECOND_PAGE},
    "the page is another one": edit(PAGES, b"[3 0 R]", b"[20 0 R]") | {20: SECOND_PAGE},
    "the page was removed": edit(PAGES, b"[3 0 R]/Count 1", b"[]/Count 0"),
    "all pages were turned": edit(PAGES, b"/Count 1", b"/Count 1/Rotate 180"),
    "the page was cut": edit(PAGE, b"[0 0 300 300]", b"[0 0 300 190]"),
    "units were stretched": edit(PAGE, b"/Contents", b"/UserUnit 3/Contents"),
    "a page acts": edit(PAGE, b"/Contents", b"/AA<</O<</S/JavaScript/JS(app.alert\\(1\\))>>>>/Contents"),
    "opening acts": edit(CATALOGUE, b"/Pages", b"/OpenAction<</S/URI/URI(http://example.invalid)>>/Pages"),
    "layers hide": edit(CATALOGUE, b"/Pages", b"/OCProperties<</OCGs[]/D<</BaseState/OFF>>>>/Pages"),
    "a file was attached": edit(CATALOGUE, b"/Pages", b"/Names<</EmbeddedFiles<</Names[(a)<<>>]>>>>/Pages"),
    "an associated file came": edit(CATALOGUE, b"/Pages", b"/AF[20 0 R]/Pages") | {20: b"<</Type/Filespec/F(a)>>"},
    "a collection hides the page": edit(CATALOGUE, b"/Pages", b"/Collection<</View/H>>/Pages"),
    "text over the text": on_page(b"<</Type/Annot/Subtype/FreeText/Rect[0 0 300 300]/Contents(900)/DA(/F 9 Tf)>>"),
    "a stamp over the text": on_page(b"<</Type/Annot/Subtype/Stamp/Rect[0 0 300 300]/AP<</N 21 0 R>>>>") | {21: LOOK},
    "a black square": on_page(b"<</Type/Annot/Subtype/Square/Rect[40 190 100 220]/IC[0]>>"),
    "a redaction": on_page(b"<</Type/Annot/Subtype/Redact/Rect[40 190 100 220]>>"),
    "a link": on_page(b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/Launch/F(a.exe)>>>>"),
    "an attachment on the page": on_page(b"<</Type/Annot/Subtype/FileAttachment/Rect[0 0 9 9]/FS<</F(a)>>>>"),
    "a film": on_page(b"<</Type/Annot/Subtype/Screen/Rect[0 0 300 300]>>"),
    "a new text field": in_form(b"<</FT/Tx/T(more)/Type/Annot/Subtype/Widget/Rect[40 190 100 220]/P 3 0 R/V(900)>>"),
    "a new button": in_form(b"<</FT/Btn/T(more)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]/P 3 0 R/A<</S/JavaScript>>>>"),
    "a field was removed": edit(CATALOGUE, b"5 0 R 8 0 R", b"5 0 R"),
    "a field left its page": edit(PAGE, b"5 0 R 8 0 R", b"5 0 R"),
    "a field was renamed": edit(FILLED, b"(amount)", b"(price)"),
    "a field covers the text": edit(FILLED, b"[0 50 90 70]", b"[0 0 300 300]"),
    "a field calculates": edit(FILLED, b"/F 4", b"/AA<</C<</S/JavaScript/JS(1)>>>>/F 4"),
    "the signature's look": {FIELD: SIGNED_FIELD % b"/AP<</N 20 0 R>>", 20: LOOK},
    "the signature's place": edit(FIELD, b"[0 0 90 40]", b"[0 0 300 300]"),
    "the signature hidden": edit(FIELD, b"/F 132", b"/F 2"),
    "the form became XFA": edit(CATALOGUE, b"/SigFlags 3", b"/SigFlags 3/XFA(<xdp/>)"),
    "pages by another tree": edit(CATALOGUE, b"/Pages 2 0 R", b"/Pages 20 0 R")
    | {20: b"<</Type/Pages/Kids[21 0 R]/Count 1>>", 21: SECOND_PAGE},
    "pages that are null": edit(CATALOGUE, b"/Pages 2 0 R", b"/Pages null"),
    "numbers too large to be true": edit(PAGE, b"[0 0 300 300]", b"[0 0 300 " + b"9" * 5000 + b"]"),
    "a page that is its own parent": edit(PAGES, b"/Kids", b"/Parent 2 0 R/Kids"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_changes_the_document_is_never_green(tmp_path: Path, what: str) -> None:
    report = judge(append(signed_pdf(KEY), FORBIDDEN[what]), tmp_path)
    assert report.integrity is Integrity.MODIFIED, report
    assert report.level is None
    finding = report.signatures[0].findings[0]
    assert finding.zh and finding.en and "Changed after signing" in render_html(report)


@pytest.mark.parametrize(
    ("what", "zh", "en"),
    [
        ("the text itself", "页面内容", "what a page shows"),
        ("the font shows other glyphs", "字体", "fonts"),
        ("a page was added", "页面被增加", "pages were added"),
        ("all pages were turned", "所有页面", "all of them"),
        ("text over the text", "批注", "a note"),
        ("a file was attached", "附件", "attachments"),
        ("opening acts", "打开文件", "at opening"),
        ("a page acts", "自动执行", "by itself"),
        ("the form became XFA", "表单", "the form"),
        ("layers hide", "图层", "layers"),
    ],
)
def test_what_was_changed_is_said_in_both_languages(tmp_path: Path, what: str, zh: str, en: str) -> None:
    finding = judge(append(signed_pdf(KEY), FORBIDDEN[what]), tmp_path).signatures[0].findings[0]
    assert finding.code == "signature.changed_later"
    assert zh in finding.zh and en in finding.en


NEW_SIGNATURE = b"<</FT/Sig/T(second)/Type/Annot/Subtype/Widget/Rect[100 0 190 40]/F 132/P 3 0 R%b>>"
ALLOWED = {
    "a field was filled": (edit(FILLED, b"/V(100)", b"/V(900)"), "amount"),
    "a field was filled, with its look": (edit(FILLED, b"/V(100)", b"/V(900)/AP<</N 20 0 R>>") | {20: LOOK}, "amount"),
    "a place to sign was added": (in_form(NEW_SIGNATURE % b""), ""),
    "validation data came": (edit(CATALOGUE, b"/Pages", b"/DSS<</Certs[]>>/Pages"), ""),
    "the same text under another number": (
        edit(PAGE, b"/Contents 4 0 R", b"/Contents 20 0 R") | {20: OBJECTS[TEXT]},
        "",
    ),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_allowed_is_disclosed(tmp_path: Path, what: str) -> None:
    changes, field = ALLOWED[what]
    report = judge(append(signed_pdf(KEY), changes), tmp_path)
    assert report.integrity is Integrity.EXTENDED, report
    told = report.signatures[0].later_changes
    assert told and field in told[-1].en and field in told[-1].zh


REFERENCE = b"/Reference[<</Type/SigRef/TransformMethod/%b/TransformParams<</Type/TransformParams/V/1.2%b>>%b>>]/M"


def locked(action: bytes) -> bytes:
    """A signature that freezes fields (FieldMDP), in a field with the same lock."""
    lock = b"<</Type/SigFieldLock/Action%b>>" % action
    value = SIGNATURE.replace(b"/M", REFERENCE % (b"FieldMDP", b"/Action" + action, b"/Data 1 0 R"))
    field = OBJECTS[FIELD].replace(b"/V", b"/Lock %b/V" % lock)
    return signed_pdf(KEY, {VALUE: value, FIELD: field})


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (b"/Include/Fields[(amount)]", Integrity.MODIFIED),
        (b"/Include/Fields[(price)]", Integrity.EXTENDED),
        (b"/Exclude/Fields[(amount)]", Integrity.EXTENDED),
        (b"/Exclude/Fields[(price)]", Integrity.MODIFIED),
        (b"/All", Integrity.MODIFIED),
    ],
)
def test_a_locked_field_stays_as_it_is(tmp_path: Path, action: bytes, verdict: Integrity) -> None:
    content = locked(action)
    assert judge(content, tmp_path).integrity is Integrity.VALID
    filled = append(content, edit(FILLED, b"/V(100)", b"/V(900)"))
    assert judge(filled, tmp_path).integrity is verdict


def certified(permission: bytes) -> bytes:
    """A certification (DocMDP) with a permission 1, 2 or 3."""
    value = SIGNATURE.replace(b"/M", REFERENCE % (b"DocMDP", b"/P " + permission, b""))
    return signed_pdf(KEY, {VALUE: value} | edit(CATALOGUE, b"/Pages", b"/Perms<</DocMDP 6 0 R>>/Pages"))


NOTE_OVER_TEXT = b"<</Type/Annot/Subtype/FreeText/Rect[0 0 300 300]/Contents(900)/DA(/F 9 Tf)>>"


@pytest.mark.parametrize(
    ("permission", "change", "verdict"),
    [
        (b"1", edit(FILLED, b"(100)", b"(900)"), Integrity.MODIFIED),
        (b"2", edit(FILLED, b"(100)", b"(900)"), Integrity.EXTENDED),
        (b"3", edit(FILLED, b"(100)", b"(900)"), Integrity.EXTENDED),
        (b"1", on_page(NOTE_OVER_TEXT), Integrity.MODIFIED),
        (b"2", on_page(NOTE_OVER_TEXT), Integrity.MODIFIED),
        (b"3", on_page(NOTE_OVER_TEXT), Integrity.MODIFIED),
        (b"1", in_form(NEW_SIGNATURE % b""), Integrity.MODIFIED),
        (b"2", edit(TEXT, b"(100)", b"(900)"), Integrity.MODIFIED),
    ],
)
def test_a_certification_is_held_to_its_word(
    tmp_path: Path, permission: bytes, change: dict[int, bytes], verdict: Integrity
) -> None:
    """Notes count as changes even where the certification would let them (P 3), because they can hide any text."""
    content = certified(permission)
    assert judge(content, tmp_path).integrity is Integrity.VALID
    later = {**change}
    if CATALOGUE in later:
        later[CATALOGUE] = later[CATALOGUE].replace(b"/Pages", b"/Perms<</DocMDP 6 0 R>>/Pages")
    assert judge(append(content, later), tmp_path).integrity is verdict


def test_a_second_signature_accounts_for_what_was_filled(tmp_path: Path) -> None:
    first = append(signed_pdf(KEY), edit(FILLED, b"/V(100)", b"/V(900)"))
    second = in_form(NEW_SIGNATURE % b"/V 21 0 R", (21, SIGNATURE)) | edit(FILLED, b"/V(100)", b"/V(900)")
    report = judge(seal(append(first, second), KEY), tmp_path)
    assert report.integrity is Integrity.VALID
    assert [entry.integrity for entry in report.signatures] == [Integrity.EXTENDED, Integrity.VALID]
    assert any("amount" in told.en for told in report.signatures[0].later_changes)


def test_a_second_signature_does_not_heal_a_changed_text(tmp_path: Path) -> None:
    changed = append(signed_pdf(KEY), edit(TEXT, b"(100)", b"(900)"))
    second = seal(append(changed, in_form(NEW_SIGNATURE % b"/V 21 0 R", (21, SIGNATURE))), KEY)
    report = judge(second, tmp_path)
    assert report.integrity is Integrity.MODIFIED
    assert report.signatures[-1].integrity is Integrity.VALID


def test_a_shared_look_is_no_fields_own(tmp_path: Path) -> None:
    """Whoever draws a field anew must not draw anything else anew with it, nor what a reader may find elsewhere."""
    shared = {FILLED: OBJECTS[FILLED].replace(b"/V", b"/AP 20 0 R/V"), 20: b"<</N 21 0 R>>", 21: LOOK}
    filled = {FILLED: shared[FILLED].replace(b"(100)", b"(900)").replace(b"20 0 R", b"22 0 R"), 22: b"<</N 23 0 R>>"}
    filled[23] = LOOK.replace(b"1 g", b"0 g")
    for trailer, catalogue in ((b"", b""), (b"/Extra 20 0 R", b""), (b"", b"/Extra 20 0 R")):
        objects = OBJECTS | shared | edit(CATALOGUE, b"/Pages", catalogue + b"/Pages")
        content = seal(write_pdf(objects, trailer=trailer), KEY)
        verdict = judge(append(content, filled, trailer=trailer), tmp_path).integrity
        assert (verdict in GREEN) == (not trailer and not catalogue), (trailer, catalogue, verdict)


def sign_in_turn(count: int, *, tampered_after: int | None = None) -> bytes:
    """Signatures one after the other, each in a new field; after one of them the text may be changed."""
    content = signed_pdf(KEY)
    listed = b"5 0 R 8 0 R"
    for number in range(count - 1):
        listed += b" %d 0 R" % (100 + 2 * number)
        field = b"<</FT/Sig/T(s%d)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R/V %d 0 R>>"
        revision = {
            100 + 2 * number: field % (number, 101 + 2 * number),
            101 + 2 * number: SIGNATURE,
            CATALOGUE: OBJECTS[CATALOGUE].replace(b"5 0 R 8 0 R", listed),
            PAGE: OBJECTS[PAGE].replace(b"5 0 R 8 0 R", listed),
        }
        content = seal(append(content, revision, size=102 + 2 * number), KEY)
        if number == tampered_after:
            content = append(content, edit(TEXT, b"(100)", b"(900)"), size=102 + 2 * number)
    return content


def test_a_long_row_of_signatures_is_judged_one_step_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    original = StandardDiffPolicy.apply

    def count(*arguments: Any, **options: Any) -> DiffResult:
        nonlocal steps
        steps += 1
        return original(*arguments, **options)

    monkeypatch.setattr(StandardDiffPolicy, "apply", count)
    report = judge(sign_in_turn(12), tmp_path)
    assert report.integrity is Integrity.VALID
    assert [entry.integrity for entry in report.signatures] == [Integrity.EXTENDED] * 11 + [Integrity.VALID]
    assert steps == 11
    told = [change.en for change in report.signatures[0].later_changes]
    assert all(any(f"s{number}" in line for line in told) for number in range(11))


def test_a_change_in_a_long_row_condemns_what_stands_before_it(tmp_path: Path) -> None:
    report = judge(sign_in_turn(8, tampered_after=3), tmp_path)
    assert report.integrity is Integrity.MODIFIED
    verdicts = [entry.integrity for entry in report.signatures]
    assert verdicts[:5] == [Integrity.MODIFIED] * 5
    assert Integrity.MODIFIED not in verdicts[5:]


def test_a_signature_sealed_after_a_change_does_not_hide_it(tmp_path: Path) -> None:
    """A place to sign prepared before the change and filled after it covers the change, and condones nothing."""
    prepared = append(signed_pdf(KEY), in_form(NEW_SIGNATURE % b"/V 21 0 R", (21, SIGNATURE)))
    report = judge(seal(append(prepared, edit(TEXT, b"(100)", b"(900)")), KEY), tmp_path)
    first, second = report.signatures
    assert first.integrity is Integrity.MODIFIED
    assert second.whole_file
    assert report.integrity is Integrity.MODIFIED
