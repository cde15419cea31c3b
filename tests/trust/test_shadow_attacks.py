"""Attacks on signed files known from the literature, built here: shadow documents, sneaky signatures, evil notes.

The signer signs what the attacker prepared; afterwards the attacker springs the trap with a revision of his own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.trust.verdict import Integrity
from tests.trust.forgery import (
    CATALOGUE,
    FIELD,
    FILLED,
    FONT,
    HOLE,
    OBJECTS,
    PAGE,
    PAGES,
    RANGE,
    SIGNATURE,
    TEXT,
    append,
    seal,
    signed_pdf,
    write_pdf,
)
from tests.trust.paper import make_key
from tests.trust.test_later_changes import NEW_SIGNATURE, SECOND_PAGE, edit, in_form, judge

KEY = make_key("ec", "Sample Person")
SIGNED = signed_pdf(KEY)
GREEN = (Integrity.VALID, Integrity.EXTENDED)
COVER = b"<</Type/XObject/Subtype/Form/BBox[0 0 300 300]/Length 26>>stream\n1 g 40 190 60 30 re f     \nendstream"
NOTHING = b"<</Type/XObject/Subtype/Form/BBox[0 0 300 300]/Length 1>>stream\n \nendstream"
COVERED = edit(PAGE, b"/Font<</F 7 0 R>>", b"/Font<</F 7 0 R>>/XObject<</X 20 0 R>>") | {
    TEXT: b"<</Length 38>>stream\nBT /F 20 Tf 50 200 Td (100) Tj ET /X Do\nendstream",
    20: COVER,
}
OTHER_TEXT = OBJECTS[TEXT].replace(b"100", b"900")


def hide_by_rewriting() -> bytes:
    """What lay over the text is rewritten as nothing."""
    return append(signed_pdf(KEY, COVERED), {20: NOTHING})


def hide_by_freeing() -> bytes:
    """What lay over the text is freed in the cross-references; not a byte of it changes."""
    content = append(signed_pdf(KEY, COVERED), {40: b"null"})
    place = content.rindex(b"xref\n40 1")
    return content[:place] + content[place:].replace(b"xref\n40 1", b"xref\n20 1\n0000000000 00001 f \n40 1", 1)


def replace_the_font() -> bytes:
    """The same letters by a font of other shapes, prepared in the signed bytes."""
    prepared = signed_pdf(KEY, {30: b"<</Type/Font/Subtype/Type1/BaseFont/ZapfDingbats>>"})
    return append(prepared, {FONT: b"<</Type/Font/Subtype/Type1/BaseFont/ZapfDingbats>>"})


def replace_the_encoding() -> bytes:
    return append(SIGNED, edit(FONT, b"/BaseFont", b"/Encoding<</Differences[49/nine]>>/BaseFont"))


def point_to_hidden_object() -> bytes:
    """The other text stands in the signed bytes all along; only a cross-reference points to it now."""
    hidden = b"9 0 obj\n<</A(%b)>>\nendobj\n"
    other = b"%d 0 obj\n%b\nendobj\n" % (TEXT, OTHER_TEXT)
    plain = write_pdf(OBJECTS)
    body = plain.replace(b"%d 0 obj\n" % PAGES, b"%% " + b" " * 0 + b"\n" + other + b"%d 0 obj\n" % PAGES, 1)
    content = seal(_rebuild(body), KEY)
    place = content.index(other)
    assert hidden
    previous = int(re.findall(rb"startxref\s+(\d+)", content)[-1])
    start = len(content)
    table = b"xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size 60/Root 1 0 R/Prev %d>>\n" % (TEXT, place, previous)
    return content + table + b"startxref\n%d\n%%%%EOF\n" % start


def _rebuild(body: bytes) -> bytes:
    """A table of the last place of every object; hidden twins stand before the real ones."""
    content = body[: body.index(b"xref\n")]
    places = {int(found[1]): found.start() for found in re.finditer(rb"(?m)^(\d+) 0 obj", content)}
    table = b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in sorted(places.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, place)
    return content + table + b"trailer\n<</Size 60/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(content)


def another_catalogue_hidden_in_the_signed_bytes() -> bytes:
    """Hide and replace: a whole second document is signed unseen; the new trailer makes it the document."""
    hidden = {
        30: OBJECTS[CATALOGUE].replace(b"/Pages 2 0 R", b"/Pages 31 0 R"),
        31: b"<</Type/Pages/Kids[32 0 R]/Count 1>>",
        32: OBJECTS[PAGE].replace(b"/Contents 4 0 R", b"/Contents 33 0 R").replace(b"2 0 R", b"31 0 R"),
        33: OTHER_TEXT,
    }
    content = append(signed_pdf(KEY, hidden), {40: b"null"})
    return content.replace(b"/Root 1 0 R/Prev", b"/Root 30 0 R/Prev")


def pages_swapped() -> bytes:
    two = edit(PAGES, b"[3 0 R]/Count 1", b"[3 0 R 20 0 R]/Count 2") | {20: SECOND_PAGE}
    return append(signed_pdf(KEY, two), edit(PAGES, b"[3 0 R]/Count 1", b"[20 0 R 3 0 R]/Count 2"))


def evidence_over_the_text() -> bytes:
    """The text is rewritten under the cover of being a certificate in the document security store."""
    store = edit(CATALOGUE, b"/Pages", b"/DSS<</Certs[4 0 R]>>/Pages")
    return append(SIGNED, store | {TEXT: OTHER_TEXT})


def evidence_with_more_in_it() -> bytes:
    return append(SIGNED, edit(CATALOGUE, b"/Pages", b"/DSS<</Certs[]/Pages 20 0 R>>/Pages") | {20: SECOND_PAGE})


def sneaky_empty_signature() -> bytes:
    """A new signature field that nobody signed, and whose look covers the text."""
    field = b"<</FT/Sig/T(more)/Type/Annot/Subtype/Widget/Rect[0 0 300 300]/F 132/P 3 0 R/AP<</N 21 0 R>>>>"
    return append(SIGNED, in_form(field, (21, COVER)))


def sneaky_look_of_a_free_field() -> bytes:
    """A free signature field gets a look and stays unsigned."""
    free = b"<</FT/Sig/T(free)/Type/Annot/Subtype/Widget/Rect[0 0 300 300]/F 132/P 3 0 R%b>>"
    prepared = signed_pdf(KEY, in_form(free % b""))
    return append(prepared, {20: free % b"/AP<</N 21 0 R>>", 21: COVER})


def evil_note() -> bytes:
    """A certification that permits comments, and a comment that covers the text."""
    certified = _certified(3)
    note = b"<</Type/Annot/Subtype/FreeText/Rect[0 0 300 300]/Contents(900)/DA(/F 9 Tf)/AP<</N 21 0 R>>>>"
    return append(certified, edit(PAGE, b"5 0 R 8 0 R", b"5 0 R 8 0 R 20 0 R") | {20: note, 21: COVER})


def _certified(level: int) -> bytes:
    reference = (
        b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/V/1.2/P %d>>>>]"
    )
    signature = SIGNATURE.replace(b"/M(", reference % level + b"/M(")
    permissions = edit(CATALOGUE, b"/Pages", b"/Perms<</DocMDP 6 0 R>>/Pages")
    return seal(write_pdf(OBJECTS | permissions | {6: signature}), KEY)


def objects_without_cross_references() -> bytes:
    """Incremental saving without a table: a lenient reader that rebuilds the table finds the new text."""
    return SIGNED + b"%d 0 obj\n%b\nendobj\n%%%%EOF\n" % (TEXT, OTHER_TEXT)


def trailer_without_a_table() -> bytes:
    place = len(SIGNED)
    body = b"%d 0 obj\n%b\nendobj\ntrailer\n<</Size 60/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return SIGNED + body % (TEXT, OTHER_TEXT, place)


def another_file_in_front() -> bytes:
    """A whole other document before the signed one."""
    return write_pdf({**OBJECTS, TEXT: OTHER_TEXT}) + SIGNED


def another_file_behind() -> bytes:
    return SIGNED + write_pdf({**OBJECTS, TEXT: OTHER_TEXT})


def field_value_behind_its_look() -> bytes:
    """A button's look is exchanged for one that covers the text; its place on the page grew before signing."""
    button = b"<</FT/Btn/T(amount)/Type/Annot/Subtype/Widget/Rect[0 0 300 300]/F 4/P 3 0 R/AP<</N %b>>>>"
    prepared = signed_pdf(KEY, {FILLED: button % b"21 0 R", 21: NOTHING})
    return append(prepared, {21: COVER})


def signature_moved_to_another_page() -> bytes:
    return append(SIGNED, {FIELD: OBJECTS[FIELD].replace(b"/P 3 0 R", b"/P 20 0 R"), 20: SECOND_PAGE})


def two_holes() -> bytes:
    """Two places that could be the signature's Contents; the second one is what a careless reader takes."""
    content = SIGNED
    return content.replace(b"/Contents<", b"/Contents<00>/Contents<", 1)


ATTACKS: tuple[Callable[[], bytes], ...] = (
    hide_by_rewriting, hide_by_freeing, replace_the_font, replace_the_encoding, point_to_hidden_object,
    another_catalogue_hidden_in_the_signed_bytes, pages_swapped, evidence_over_the_text, evidence_with_more_in_it,
    sneaky_empty_signature, sneaky_look_of_a_free_field, evil_note, objects_without_cross_references,
    trailer_without_a_table, another_file_in_front, another_file_behind, field_value_behind_its_look,
    signature_moved_to_another_page, two_holes,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_never_green(tmp_path: Path, attack: Callable[[], bytes]) -> None:
    report = judge(attack(), tmp_path)
    assert report.integrity not in GREEN, report
    told = [*report.findings, *(finding for entry in report.signatures for finding in entry.findings)]
    assert told and all(finding.zh and finding.en for finding in told)


PREPARED: dict[str, bytes] = {
    "covered text": signed_pdf(KEY, COVERED),
    "certified with comments": _certified(3),
    "certified with forms": _certified(2),
}


@pytest.mark.parametrize("what", PREPARED)
def test_a_trap_that_is_not_sprung_is_what_was_signed(tmp_path: Path, what: str) -> None:
    assert judge(PREPARED[what], tmp_path).integrity is Integrity.VALID


def test_a_later_signer_may_still_show_a_seal(tmp_path: Path) -> None:
    """The same field as in the attack, but signed: a seal over the text is told, and shown in the pictures."""
    field = NEW_SIGNATURE.replace(b"[100 0 190 40]", b"[0 0 300 300]") % b"/AP<</N 22 0 R>>/V 21 0 R"
    content = seal(append(SIGNED, in_form(field, (21, SIGNATURE), (22, COVER))), KEY)
    report = judge(content, tmp_path)
    assert report.integrity in GREEN
    assert any(change.code == "later.form" for change in report.signatures[0].later_changes)


def test_holes_and_ranges_of_the_attacks_are_those_of_the_forgery() -> None:
    assert HOLE not in SIGNED and RANGE not in SIGNED


def test_a_comment_that_a_certification_permits_is_told_as_such(tmp_path: Path) -> None:
    codes = {}
    for level in (2, 3):
        note = b"<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(see page 2)>>"
        changed = edit(PAGE, b"5 0 R 8 0 R", b"5 0 R 8 0 R 20 0 R") | {20: note}
        report = judge(append(_certified(level), changed), tmp_path)
        assert report.integrity is Integrity.MODIFIED
        codes[level] = report.signatures[0].findings[0].code
    assert codes == {2: "signature.changed_later", 3: "signature.noted_later"}


def test_white_space_behind_the_end_is_told_and_harmless(tmp_path: Path) -> None:
    report = judge(SIGNED + b"\n \n", tmp_path)
    assert report.integrity is Integrity.EXTENDED
    assert [change.code for change in report.signatures[0].later_changes] == ["later.blank"]
    assert report.signatures[0].findings == ()
