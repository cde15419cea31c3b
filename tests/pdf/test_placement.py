"""Controls land where they belong, and signature fields are what every signer and reader expects."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pdfplumber
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

from engine.errors import Rejected
from engine.pdf import placement
from engine.pdf.control import Anchor, Control, PlacedControl
from tests.pdf.blank_pages import fill, ink_box, place, write_blank


def run(source: Path, *controls: Control) -> tuple[Path, tuple[PlacedControl, ...]]:
    target = source.with_name("placed.pdf")
    return target, placement.place_controls(source, target, controls)


def refusal(source: Path, *controls: Control) -> Rejected:
    with pytest.raises(Rejected) as caught:
        run(source, *controls)
    return caught.value


def sign_at(x: float, y: float, page: int = 1, name: str = "甲方", **options: Any) -> Control:
    return Control(name=name, kind="signature", page=page, x=x, y=y, **{"width": 119.0, "height": 119.0, **options})


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A page with 甲方（盖章） from 100 to 160 and around height 509."""
    return fill(tmp_path, {"a": "甲方（盖章）"}, place(Control(name="a", kind="text", size=10)))


def test_all_anchors_without_a_place_are_named_at_once(words: Path) -> None:
    lost = [Control(name=name, kind="text", anchor=Anchor(text=f"{name}：")) for name in ("岗位", "工资")]
    found = Control(name="签", kind="text", anchor=Anchor(text="甲方（盖章）"))
    error = refusal(words, lost[0], found, lost[1])
    assert error.code == "control.anchor_not_found"
    for text in (error.text.zh, error.text.en):
        assert "岗位" in text and "工资" in text and "签" not in text
    assert error.facts["controls"] == "岗位, 工资"


@pytest.mark.parametrize(
    ("side", "x", "y"), [("right", 160, 509 - 20), ("below", 100, 502.5 - 40), ("over", 130 - 30, 509 - 20)]
)
def test_an_anchored_box_stands_beside_its_words(words: Path, side: Any, x: float, y: float) -> None:
    control = Control(name="签", kind="signature", width=60, height=40, anchor=Anchor(text="甲方(盖章)", side=side))
    _, (placed,) = run(words, control)
    assert (placed.page, placed.x, placed.y) == (1, pytest.approx(x, abs=0.1), pytest.approx(y, abs=3))
    moved = Anchor(text="甲方(盖章)", side=side, dx=5, dy=-7)
    _, (other,) = run(words, Control(name="签", kind="signature", width=60, height=40, anchor=moved))
    assert (other.x - placed.x, other.y - placed.y) == pytest.approx((5, -7), abs=0.01)


def test_pages_count_from_both_ends(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf", 3)
    _, placed = run(source, sign_at(10, 10, -1, "末"), sign_at(10, 10, 1, "首"), sign_at(10, 10, -2, "中"))
    assert [item.page for item in placed] == [3, 1, 2]
    for page in (4, -4):
        assert refusal(source, sign_at(10, 10, page)).code == "control.no_such_page"


def test_an_anchor_is_looked_for_on_its_page_only(tmp_path: Path) -> None:
    both = tuple(place(Control(name=f"{page}", kind="text"), page=page) for page in (1, 2))
    source = fill(tmp_path, {"1": "签字", "2": "签字"}, *both)
    anchor = Anchor(text="签字")
    _, (placed,) = run(source, Control(name="签", kind="signature", anchor=anchor, page=-1))
    assert placed.page == 2
    assert refusal(source, Control(name="签", kind="signature", anchor=anchor)).code == "control.anchor_ambiguous"


@pytest.mark.parametrize(("x", "y"), [(-5, 10), (10, -5), (500, 10), (10, 800)])
def test_a_box_beyond_the_page_is_refused(tmp_path: Path, x: float, y: float) -> None:
    error = refusal(write_blank(tmp_path / "blank.pdf"), sign_at(x, y))
    assert error.code == "control.outside_page" and "甲方" in error.text.zh


def test_signatures_may_touch_but_not_overlap(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf", 2)
    run(source, sign_at(0, 0), sign_at(119, 0, name="乙方"), sign_at(0, 0, 2, "丙方"))
    error = refusal(source, sign_at(0, 0), sign_at(118, 118, name="乙方"))
    assert error.code == "control.overlap" and error.facts["other"] == "乙方"


@pytest.mark.parametrize("change", [{"Rotate": 90}, {"MediaBox": [0, 0, 612, 792]}, {"CropBox": [10, 10, 500, 800]}])
def test_pages_that_were_not_normalized_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    source = write_blank(tmp_path / "blank.pdf", 2)
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        for key, value in change.items():
            pdf.pages[1].obj[f"/{key}"] = Array(value) if isinstance(value, list) else value
        pdf.save()
    error = refusal(source, sign_at(10, 10))
    assert (error.code, error.facts["page"]) == ("document.not_normalized", 2)


def test_an_empty_field_is_a_widget_fit_for_archives_that_shows_nothing(tmp_path: Path) -> None:
    target, _ = run(write_blank(tmp_path / "blank.pdf"), sign_at(70, 80, party="企业"))
    with pikepdf.open(target) as pdf:
        form = pdf.Root.AcroForm
        (field,) = form.Fields
        assert (field.FT, str(field.T), str(field.TU)) == ("/Sig", "甲方", "企业 甲方")
        assert field.F == 132 and "/V" not in field and "/NeedAppearances" not in form
        assert [float(edge) for edge in field.Rect] == [70, 80, 189, 199]
        assert field.P.objgen == pdf.pages[0].objgen == field.P.objgen
        assert field.objgen == pdf.pages[0].Annots[0].objgen
        assert field.AP.N.Subtype == "/Form" and field.AP.N.read_bytes() == b""
    assert ink_box(target) is None


def test_other_software_sees_the_fields(tmp_path: Path) -> None:
    target, _ = run(write_blank(tmp_path / "blank.pdf"), sign_at(10, 10), sign_at(200, 10, name="乙方"))
    told = subprocess.run(["pdfsig", target], capture_output=True, text=True, check=False).stdout
    assert told.count("The signature form field is not signed") == 2 and "乙方" in told
    assert subprocess.run(["qpdf", "--check", target], capture_output=True, check=False).returncode == 0
    with target.open("rb") as stream:
        names = [name for name, _, _ in enumerate_sig_fields(PdfFileReader(stream), filled_status=False)]
    assert names == ["甲方", "乙方"]


def test_a_form_that_exists_is_extended_and_stops_redrawing_itself(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "form.pdf")
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        old = pdf.make_indirect(Dictionary(FT=Name.Tx, T=String("旧")))
        pdf.Root.AcroForm = Dictionary(Fields=Array([old]), NeedAppearances=True)
        pdf.save()
    target, _ = run(source, sign_at(10, 10))
    with pikepdf.open(target) as pdf:
        assert [str(field.T) for field in pdf.Root.AcroForm.Fields] == ["旧", "甲方"]
        assert "/NeedAppearances" not in pdf.Root.AcroForm
    assert refusal(source, sign_at(10, 10, name="旧")).code == "control.name_taken"


def test_only_signatures_become_fields(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf")
    target, placed = run(source, Control(name="姓名", kind="text", page=1, x=10, y=10))
    assert len(placed) == 1
    with pikepdf.open(target) as pdf:
        assert "/AcroForm" not in pdf.Root


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf")
    first = run(source, sign_at(10, 10))[0].read_bytes()
    assert run(source, sign_at(10, 10))[0].read_bytes() == first


def test_a_value_stands_on_the_baseline_of_the_words_beside_it(words: Path, tmp_path: Path) -> None:
    value = Control(name="值", kind="text", size=10, anchor=Anchor(text="甲方(盖章)"))
    target, placed = run(words, value)
    filled = fill(tmp_path, {"值": "gy张三"}, *placed, source=target)
    with pdfplumber.open(filled) as opened:
        assert len({round(one["matrix"][5], 1) for one in opened.pages[0].chars}) == 1


def test_equal_anchors_on_different_pages_are_all_found(tmp_path: Path) -> None:
    both = tuple(place(Control(name=f"{page}", kind="text"), page=page) for page in (1, 3))
    source = fill(tmp_path, {"1": "签字", "3": "签字"}, *both)
    controls = (
        Control(name=name, kind="signature", anchor=Anchor(text="签字"), page=page)
        for name, page in (("首", 1), ("末", -1))
    )
    _, placed = run(source, *controls)
    assert [item.page for item in placed] == [1, 3]
