from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from engine.sandbox import Sandbox
from engine.trust.changes import PageChanges, draw_changes, extract_revisions
from engine.trust.inspection import inspect_file
from engine.trust.report import render_html
from engine.trust.verdict import Integrity, Report
from tests.trust.forgery import FIELD, FILLED, OBJECTS, PAGE, SIGNATURE, TEXT, VALUE, append, seal, signed_pdf
from tests.trust.paper import make_key
from tests.trust.test_later_changes import NEW_SIGNATURE, SECOND_PAGE, edit, in_form

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = make_key("ec", "Sample Person")
SIGNED = signed_pdf(KEY)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    door = Sandbox(("engine.pdf.page_comparison",))
    yield door
    await door.close()


def judge(content: bytes, folder: Path) -> tuple[Path, Report]:
    file = folder / "judged.pdf"
    file.write_bytes(content)
    return file, inspect_judged(file)


def inspect_judged(file: Path) -> Report:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:  # it runs a loop of its own
        return thread.submit(inspect_file, file, "0" * 64, (), datetime.now(UTC)).result()


async def changes(sandbox: Sandbox, content: bytes, folder: Path) -> tuple[Report, tuple[PageChanges, ...]]:
    file, report = judge(content, folder)
    return report, await draw_changes(sandbox, file, report, folder / "pictures")


async def test_each_signer_gets_exactly_what_was_signed(tmp_path: Path) -> None:
    twice = seal(append(SIGNED, in_form(NEW_SIGNATURE % b"/V 21 0 R", (21, SIGNATURE))), KEY)
    file, report = judge(append(twice, edit(TEXT, b"(100)", b"(900)")), tmp_path)
    assert report.integrity is Integrity.MODIFIED
    first, second = await extract_revisions(file, report, tmp_path / "revisions")
    assert first.name == "01-first.pdf"
    assert first.read_bytes() == SIGNED and second.read_bytes() == twice
    assert inspect_judged(first).integrity is Integrity.VALID


async def test_what_nobody_signed_is_no_revision(tmp_path: Path) -> None:
    for content in (SIGNED.replace(b"(100)", b"(900)"), SIGNED.replace(b"/ByteRange[0 ", b"/ByteRange[9 ")):
        file, report = judge(content, tmp_path)
        assert await extract_revisions(file, report, tmp_path / "revisions") == ()


async def test_a_field_with_an_odd_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    named = signed_pdf(KEY, {FIELD: OBJECTS[FIELD].replace(b"(first)", b"(../../etc/x y)")})
    file, report = judge(named, tmp_path)
    (written,) = await extract_revisions(file, report, tmp_path / "revisions")
    assert written.parent == tmp_path / "revisions" and written.name == "01-.._.._etc_x_y.pdf"


async def test_a_replaced_text_is_drawn_with_a_box_and_shown_in_the_report(sandbox: Sandbox, tmp_path: Path) -> None:
    report, found = await changes(sandbox, append(SIGNED, edit(TEXT, b"(100)", b"(900)")), tmp_path)
    (change,) = found
    assert change.pages is not None
    (page,) = change.pages.differing
    assert page.boxes and page.picture and not page.signatures_only
    html = render_html(report, found, tmp_path / "pictures")
    assert html.count("data:image/png;base64,") == 1
    assert "第 1 页看起来不同" in html and "looks different" in html


async def test_added_pages_are_said_in_words(sandbox: Sandbox, tmp_path: Path) -> None:
    added = edit(2, b"[3 0 R]/Count 1", b"[3 0 R 20 0 R]/Count 2") | {20: SECOND_PAGE}
    report, found = await changes(sandbox, append(SIGNED, added), tmp_path)
    assert found[0].pages is not None and found[0].pages.added == (2,)
    assert "增加了页面：第 2 页" in render_html(report, found, tmp_path / "pictures")


async def test_a_removed_page_is_said_in_words(sandbox: Sandbox, tmp_path: Path) -> None:
    two = edit(2, b"[3 0 R]/Count 1", b"[3 0 R 20 0 R]/Count 2") | {20: SECOND_PAGE}
    content = append(signed_pdf(KEY, two), {2: OBJECTS[2]})
    report, found = await changes(sandbox, content, tmp_path)
    assert found[0].pages is not None and found[0].pages.removed == (2,)
    assert "Signed pages were removed: 2" in render_html(report, found, tmp_path / "pictures")


async def test_a_filled_field_is_a_difference_one_can_see(sandbox: Sandbox, tmp_path: Path) -> None:
    look = b"<</Type/XObject/Subtype/Form/BBox[0 0 90 20]/Length 15>>stream\n0 0 90 20 re f \nendstream"
    filled = OBJECTS[FILLED].replace(b"/V(100)", b"/AP<</N 20 0 R>>/V(200)")
    report, found = await changes(sandbox, append(SIGNED, {FILLED: filled, 20: look}), tmp_path)
    assert report.integrity is Integrity.EXTENDED
    assert found[0].pages is not None and len(found[0].pages.differing) == 1


async def test_pages_that_cannot_be_drawn_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    report, found = await changes(sandbox, append(SIGNED, {PAGE: b"null", VALUE: b"null"} | {1: b"null"}), tmp_path)
    html = render_html(report, found, tmp_path / "pictures")
    assert report.integrity not in (Integrity.VALID, Integrity.EXTENDED) and "</html>" in html
