"""Values appear inside their boxes, on their pages, in front of what was there, in a file that stays clean."""

from __future__ import annotations

import base64
import io
import subprocess
from pathlib import Path
from typing import Any

import pdfplumber
import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, pdfa
from PIL import Image
from reportlab.pdfgen import canvas

from engine.errors import Rejected
from engine.pdf import filling, normalization
from engine.pdf.control import Control, PlacedControl
from tests.pdf.blank_pages import A4, fill, ink_box, place, read_with_poppler, write_blank


def picture(mode: str, size: tuple[int, int], colour: Any, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.sampled_from("甲乙国鬱，。Agjpqy|()【】jf‘”Å"), min_size=1, max_size=50),
    st.sampled_from(["refuse", "shrink", "wrap"]),
    st.sampled_from(["left", "center", "right"]),
    st.sampled_from(["serif", "sans"]),
    st.floats(30, 200),
    st.floats(10, 60),
)
def test_no_ink_ever_leaves_its_box(
    tmp_path: Path, value: str, overflow: Any, align: Any, font: Any, width: float, height: float
) -> None:
    control = Control(
        name="a", kind="text", overflow=overflow, align=align, font=font, width=width, height=height, min_size=5
    )
    placed = place(control)
    try:
        ink = ink_box(fill(tmp_path, {"a": value}, placed), dpi=288)
    except Rejected as refusal:
        assert refusal.code == "value.too_long"
        return
    assert ink is not None
    pixel = 0.3
    assert ink[0] >= placed.x - pixel and ink[1] >= placed.y - pixel
    assert ink[2] <= placed.right + pixel and ink[3] <= placed.top + pixel


@pytest.mark.parametrize(("align", "middle"), [("left", 110.5), ("center", 150), ("right", 189.5)])
def test_text_is_aligned_in_its_box(tmp_path: Path, align: Any, middle: float) -> None:
    filled = fill(tmp_path, {"a": "田田"}, place(Control(name="a", kind="text", width=100, align=align)))
    ink = ink_box(filled)
    assert ink and abs((ink[0] + ink[2]) / 2 - middle) < 1
    assert abs((ink[1] + ink[3]) / 2 - 509) < 1, "one line stands in the middle of its height"


def test_all_kinds_land_on_their_pages(tmp_path: Path) -> None:
    filled = fill(
        tmp_path,
        {"名": "张三", "日": "2026-11-23", "勾": True, "图": picture("RGB", (4, 2), "black")},
        place(Control(name="名", kind="text")),
        place(Control(name="日", kind="date"), page=2),
        place(Control(name="勾", kind="checkbox", width=12, height=12), page=2, y=300),
        place(Control(name="图", kind="image", width=100, height=100), page=3),
        place(Control(name="签", kind="signature"), page=3, y=100),
    )
    first, second, third, _ = read_with_poppler(filled).split("\f")
    assert first.split() == ["张三"] and second.split() == ["2026年11月23日", "✓"] and not third.strip()
    ink = ink_box(filled, page=3)
    assert ink == pytest.approx((100, 525, 200, 575), abs=0.5), "proportions kept, centred"


def test_a_mark_fills_its_box(tmp_path: Path) -> None:
    ink = ink_box(fill(tmp_path, {"勾": True}, place(Control(name="勾", kind="checkbox", width=14, height=14))))
    assert ink and ink[2] - ink[0] > 7 and ink[0] >= 100 and ink[3] <= 514.3


def test_transparent_pictures_let_the_page_shine_through(tmp_path: Path) -> None:
    placed = place(Control(name="章", kind="image", width=50, height=50))
    clear = fill(tmp_path, {"章": picture("RGBA", (9, 9), (255, 0, 0, 0))}, placed)
    assert ink_box(clear) is None
    half = fill(tmp_path, {"章": picture("RGBA", (9, 9), (200, 0, 0, 128))}, placed)
    with pikepdf.open(half) as pdf:
        (image,) = pdf.pages[0].Resources.XObject.values()
        assert image.SMask.ColorSpace == "/DeviceGray" and image.Width == 9


@pytest.mark.parametrize(("mode", "colour"), [("CMYK", (0, 255, 255, 0)), ("L", 20), ("RGB", "navy")])
def test_jpegs_of_every_colour_model_are_drawn(tmp_path: Path, mode: str, colour: Any) -> None:
    value = picture(mode, (30, 20), colour, "JPEG")
    ink = ink_box(fill(tmp_path, {"图": value}, place(Control(name="图", kind="image", width=60, height=40))))
    assert ink == pytest.approx((100, 500, 160, 540), abs=0.5)


def test_a_damaged_picture_is_reported_with_the_other_faults(tmp_path: Path) -> None:
    cut = base64.b64encode(base64.b64decode(picture("RGB", (50, 50), "red"))[:60]).decode()
    controls = (place(Control(name="图", kind="image")), place(Control(name="名", kind="text", required=True)))
    with pytest.raises(Rejected) as caught:
        fill(tmp_path, {"图": cut}, *controls)
    assert caught.value.facts["codes"] == "picture.unreadable, value.missing"
    assert not (tmp_path / "filled.pdf").exists()


def test_what_the_page_shows_stays_and_its_state_does_not_leak(tmp_path: Path) -> None:
    """The old content ends inside a turned, clipped, white, invisible-text state; the value ignores all of that."""
    source = tmp_path / "wild.pdf"
    page = canvas.Canvas(str(source), pagesize=A4)
    page.drawString(50, 50, "before")
    page.rotate(90)
    page.setFillColorRGB(1, 1, 1)
    page.showPage()
    page.save()
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].contents_add(b"q 0 0 1 1 re W n 3 Tr 5 Tc")
        pdf.save()
    filled = fill(tmp_path, {"a": "张三丰"}, place(Control(name="a", kind="text", align="left")), source=source)
    assert read_with_poppler(filled).split() == ["张三丰", "before"]
    with pdfplumber.open(filled) as opened:
        drawn = [one for one in opened.pages[0].chars if one["text"] in "张三丰"]
        assert [round(one["x0"], 1) for one in drawn] == [100.0, 110.5, 121.0]
        assert drawn[0]["non_stroking_color"] in ((0,), 0, [0])


def test_pages_that_share_resources_do_not_get_each_others_fonts(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "shared.pdf", 2)
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        shared = pdf.make_indirect(Dictionary(Font=Dictionary(F1=pdf.make_indirect(Dictionary(Type=Name.Font)))))
        for page in pdf.pages:
            page.obj.Resources = shared
        pdf.save()
    filled = fill(tmp_path, {"a": "张"}, place(Control(name="a", kind="text"), page=2), source=source)
    with pikepdf.open(filled) as pdf:
        assert set(pdf.pages[0].Resources.Font) == {"/F1"}
        assert set(pdf.pages[1].Resources.Font) == {"/F1", "/Sealflow0Font0"}


def test_filling_twice_keeps_the_first_values(tmp_path: Path) -> None:
    first = fill(tmp_path, {"a": "张三"}, place(Control(name="a", kind="text")))
    kept = first.rename(tmp_path / "first.pdf")
    second = fill(tmp_path, {"b": "李四"}, place(Control(name="b", kind="text"), y=300), source=kept)
    assert read_with_poppler(second).split() == ["张三", "李四"]


def test_a_filled_page_passes_the_archive_gate_and_other_software(tmp_path: Path) -> None:
    plain = write_blank(tmp_path / "plain.pdf")
    normalization.normalize(plain, tmp_path / "a4.pdf")
    values = {"a": "合同 Contract 𠮷 ⼀一", "b": picture("RGBA", (20, 20), (255, 0, 0, 90))}
    controls = (place(Control(name="a", kind="text")), place(Control(name="b", kind="image", height=40), y=100))
    filled = fill(tmp_path, values, *controls, source=tmp_path / "a4.pdf")
    assert subprocess.run(["qpdf", "--check", filled], capture_output=True, check=False).returncode == 0
    with pikepdf.open(filled) as pdf:
        assert pdfa.save(pdf, tmp_path / "archive.pdf", "2b").passed


def test_fifteen_controls_add_little_to_the_file(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf", 3)
    text = (
        "甲方乙方劳动合同身份证号码北京市海淀区大街壹佰号院柒栋贰单元叁零肆室人民币伍仟陆佰元整试用期岗位职务软件工程师"
    )
    controls = tuple(place(Control(name=f"{n}", kind="text"), 100, 700 - 30 * n, n % 3 + 1) for n in range(15))
    values = {f"{n}": text[n * 3 : n * 3 + 6] for n in range(15)}
    filled = fill(tmp_path, values, *controls, source=source)
    assert filled.stat().st_size - source.stat().st_size < 20_000


def test_a_file_without_content_or_values_is_kept(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "blank.pdf")
    filling.fill_document(source, tmp_path / "same.pdf", (), {})
    with pikepdf.open(tmp_path / "same.pdf") as pdf:
        assert len(pdf.pages) == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    placed: tuple[PlacedControl, ...] = (place(Control(name="a", kind="text")),)
    with pytest.raises(Rejected) as caught:
        filling.fill_document(tmp_path / "bad.pdf", tmp_path / "out.pdf", placed, {"a": "张"})
    assert caught.value.code == "document.damaged"


def test_content_that_is_no_stream_is_left_out(tmp_path: Path) -> None:
    source = write_blank(tmp_path / "odd.pdf")
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].obj.Contents = Array([None, pdf.make_stream(b"0 0 5 5 re f"), Name.Odd])
        pdf.save()
    filled = fill(tmp_path, {"a": "张"}, place(Control(name="a", kind="text")), source=source)
    assert read_with_poppler(filled).split() == ["张"]


def test_neighbours_share_a_baseline_whatever_letters_they_hold(tmp_path: Path) -> None:
    texts = {"a": "国", "b": "gpy（j）", "c": "123"}
    controls = [place(Control(name=name, kind="text", width=60), 100 + 60 * n) for n, name in enumerate(texts)]
    with pdfplumber.open(fill(tmp_path, texts, *controls)) as opened:
        assert len({round(one["matrix"][5], 2) for one in opened.pages[0].chars}) == 1


def test_text_that_wraps_starts_at_the_top_of_its_box(tmp_path: Path) -> None:
    control = Control(name="a", kind="text", width=100, height=100, overflow="wrap")
    ink = ink_box(fill(tmp_path, {"a": "田"}, place(control)))
    assert ink and ink[3] > 597
