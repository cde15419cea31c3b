from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.trust.embedding import check_hole
from engine.trust.preparation import SignatureOrder, prepare_signature
from engine.trust.seals import load_seal
from tests.trust.paper import draw_paper, draw_seal_picture

ORDER = SignatureOrder(
    "party-a", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), 4096, reason="同意 (agreed)", location="南昌"
)


def prepare(folder: Path, source: Path, order: SignatureOrder = ORDER) -> Path:
    tail, whole = folder / "tail", folder / "whole.pdf"
    hole = prepare_signature(source, tail, order)
    check_hole(tail.read_bytes(), hole, source.stat().st_size)
    assert hole.capacity == order.reserve
    whole.write_bytes(source.read_bytes() + tail.read_bytes())
    return whole


def test_the_dictionary_is_that_of_a_pades_signature(tmp_path: Path) -> None:
    with pikepdf.open(prepare(tmp_path, draw_paper(tmp_path / "paper.pdf"))) as paper:
        field = paper.Root.AcroForm.Fields[0]
        assert paper.Root.AcroForm.SigFlags == 3
        assert (field.V.Filter, field.V.SubFilter) == ("/Adobe.PPKLite", "/ETSI.CAdES.detached")
        assert str(field.V.M) == "D:20300102030405Z"
        assert (str(field.V.Reason), str(field.V.Location)) == ("同意 (agreed)", "南昌")
        assert "/Cert" not in field.V


def test_the_byte_range_leaves_out_the_hole_and_nothing_else(tmp_path: Path) -> None:
    whole = prepare(tmp_path, draw_paper(tmp_path / "paper.pdf"))
    content = whole.read_bytes()
    with pikepdf.open(whole) as paper:
        start, before, resume, after = (int(number) for number in paper.Root.AcroForm.Fields[0].V.ByteRange)
    assert (start, resume + after) == (0, len(content))
    assert content[before:resume] == b"<" + b"0" * 8192 + b">"


def test_the_seal_keeps_its_transparency_and_needs_no_font(tmp_path: Path) -> None:
    seal = load_seal(draw_seal_picture(tmp_path / "seal.png"))
    order = SignatureOrder("party-a", ORDER.claimed, 4096, seal)
    with pikepdf.open(prepare(tmp_path, draw_paper(tmp_path / "paper.pdf"), order)) as paper:
        look = paper.Root.AcroForm.Fields[0].AP.N
        assert "/Font" not in look.Resources
        picture = look.Resources.XObject.Seal
        assert (picture.Width, picture.Height) == (300, 300)
        mask = pikepdf.PdfImage(picture.SMask).as_pil_image()
        assert mask.getpixel((0, 0)) == 0 and mask.getpixel((150, 150)) == 230


def test_metadata_stays_what_it_was(tmp_path: Path) -> None:
    source = draw_paper(tmp_path / "paper.pdf")
    with pikepdf.open(source) as before, pikepdf.open(prepare(tmp_path, source)) as after:
        assert dict(before.docinfo) == dict(after.docinfo)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    with pikepdf.open(draw_paper(tmp_path / "paper.pdf")) as paper:
        paper.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(owner="o", user=""))
    with pytest.raises(Rejected) as refusal:
        prepare(tmp_path, tmp_path / "locked.pdf")
    assert refusal.value.code == "document.encrypted"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_are_refused_and_never_crash_the_preparation(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(draw_paper(tmp_path / "paper.pdf").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    source = tmp_path / "damaged.pdf"
    source.write_bytes(content)
    try:
        prepare_signature(source, tmp_path / "tail", ORDER)
    except Rejected as refusal:
        assert refusal.code.startswith(("document.", "signature."))
