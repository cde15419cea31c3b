from pathlib import Path
from random import Random

import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from engine.errors import Rejected
from engine.pdf.inspection import inspect
from engine.pdf.merging import merge
from tests.pdf.pictures_of_pages import colour_at, picture, text
from tests.pdf.raw_documents import one_page


def _part(path: Path, *words: str) -> Path:
    page = canvas.Canvas(str(path), pagesize=(612, 792))
    for line in words:
        page.drawString(72, 700, line)
        page.showPage()
    page.save()
    return path


def test_pages_come_in_the_given_order_and_upright(tmp_path: Path) -> None:
    parts = [_part(tmp_path / "b.pdf", "one", "two"), _part(tmp_path / "a.pdf", "three")]
    assert merge(parts, tmp_path / "all.pdf").pages == 3
    assert [text(tmp_path / "all.pdf", page).strip() for page in range(3)] == ["one", "two", "three"]
    assert inspect(tmp_path / "all.pdf").clean


def test_what_parts_have_in_common_is_stored_once(tmp_path: Path) -> None:
    Image.frombytes("RGB", (200, 200), Random(1).randbytes(120_000)).save(tmp_path / "seal.png")
    page = canvas.Canvas(str(tmp_path / "part.pdf"))
    page.drawImage(str(tmp_path / "seal.png"), 100, 100)
    page.save()
    merge([tmp_path / "part.pdf"], tmp_path / "once.pdf")
    merge([tmp_path / "part.pdf"] * 5, tmp_path / "five.pdf")
    assert (tmp_path / "five.pdf").stat().st_size < 1.2 * (tmp_path / "once.pdf").stat().st_size
    assert picture(tmp_path / "five.pdf", 4).tobytes() == picture(tmp_path / "once.pdf").tobytes()


def test_each_part_keeps_its_own_hidden_layers_hidden(tmp_path: Path) -> None:
    hidden = one_page(
        b"/OC /A BDC 1 0 0 rg 100 100 50 50 re f EMC",
        catalog=b"/OCProperties<</OCGs[5 0 R]/D<</OFF[5 0 R]>>>>",
        page=b"/Resources<</Properties<</A 5 0 R>>>>",
        more=(b"<</Type/OCG/Name(a)>>",),
    )
    (tmp_path / "hidden.pdf").write_bytes(hidden)
    (tmp_path / "plain.pdf").write_bytes(one_page())
    merged = merge([tmp_path / "plain.pdf", tmp_path / "hidden.pdf"], tmp_path / "all.pdf")
    assert colour_at(picture(tmp_path / "all.pdf", 0), 125, 125) == (255, 0, 0)
    assert colour_at(picture(tmp_path / "all.pdf", 1), 125, 125) == (255, 255, 255)
    assert [part.clean for part in merged.inspections] == [True, False]


def test_the_page_limit_counts_all_parts(tmp_path: Path) -> None:
    parts = [_part(tmp_path / "a.pdf", "1", "2"), _part(tmp_path / "b.pdf", "3", "4")]
    with pytest.raises(Rejected) as refusal:
        merge(parts, tmp_path / "all.pdf", page_limit=3)
    assert (refusal.value.code, refusal.value.facts["pages"]) == ("document.too_many_pages", 4)


def test_a_broken_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(Rejected) as refusal:
        merge([_part(tmp_path / "a.pdf", "1"), tmp_path / "broken.pdf"], tmp_path / "all.pdf")
    assert refusal.value.facts["file"] == "broken.pdf"
