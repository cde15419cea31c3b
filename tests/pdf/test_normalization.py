import hashlib
import subprocess
import zlib
from pathlib import Path

import pikepdf
import pytest

from engine.errors import Rejected
from engine.pdf.inspection import inspect
from engine.pdf.normalization import Normalized, normalize
from engine.pdf.page_boxes import placement, visible_box
from tests.pdf.pictures_of_pages import colour_at, is_blank, picture, text
from tests.pdf.raw_documents import document, one_page, stream

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
_GREEN_FORM = stream(b"0 1 0 rg 0 0 50 50 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 50 50]")


def _normalized(tmp_path: Path, content: bytes) -> tuple[Path, Normalized]:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(content)
    result = normalize(source, target)
    assert inspect(target).clean
    assert subprocess.run(["qpdf", "--check", target], capture_output=True, check=False).returncode == 0
    return target, result


ACTIVE = {
    "action.script": one_page(catalog=b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"),
    "action.automatic": one_page(page=b"/AA<</O<</S/Named/N/Print>>>>"),
    "action.launch": one_page(page=b"/Annots[<</Subtype/Link/Rect[0 0 9 9]/A<</S/Launch/Win<</F(calc.exe)>>>>>>]"),
    "action.link": one_page(page=b"/Annots[<</Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(http://example.com)>>>>]"),
    "action.submit": one_page(
        catalog=b"/AcroForm<</Fields[5 0 R]>>",
        page=b"/Annots[5 0 R]",
        more=(b"<</Subtype/Widget/FT/Btn/T(b)/Rect[0 0 9 9]/A<</S/SubmitForm/F(http://example.com)>>>>",),
    ),
    "action.import": one_page(catalog=b"/OpenAction<</S/ImportData/F(\\\\\\\\host\\\\share)>>"),
    "action.other_file": one_page(catalog=b"/OpenAction<</S/GoToR/F(other.pdf)/D[0/Fit]>>"),
    "action.hide": one_page(catalog=b"/OpenAction<</S/Hide/T(x)>>"),
    "action.media": one_page(catalog=b"/OpenAction<</S/Rendition/R<<>>>>"),
    "files.embedded": one_page(
        catalog=b"/Names<</EmbeddedFiles<</Names[(a)5 0 R]>>>>",
        more=(b"<</Type/Filespec/F(a.exe)/EF<</F 6 0 R>>>>", stream(b"MZ")),
    ),
    "files.external": one_page(
        b"/X Do",
        page=b"/Resources<</XObject<</X 5 0 R>>>>",
        more=(stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Ref<</F(other.pdf)/Page 0>>"),),
    ),
    "form.fields": one_page(catalog=b"/AcroForm<</Fields[]>>"),
    "form.xfa": one_page(
        catalog=b"/AcroForm<</Fields[5 0 R]/XFA(<xdp/>)>>",
        page=b"/Annots[5 0 R]",
        more=(b"<</Subtype/Widget/FT/Tx/T(t)/V(value)/Rect[9 9 99 29]>>",),
    ),
    "layers": one_page(catalog=b"/OCProperties<</OCGs[5 0 R]/D<<>>>>", more=(b"<</Type/OCG/Name(l)>>",)),
    "media": one_page(page=b"/Annots[<</Subtype/3D/Rect[0 0 9 9]/3DD 5 0 R>>]", more=(stream(b"u3d"),)),
    "postscript": one_page(
        b"/X Do", page=b"/Resources<</XObject<</X 5 0 R>>>>", more=(stream(b"showpage", b"/Subtype/PS"),)
    ),
    "private.data": one_page(page=b"/PieceInfo<</App<</Private 1>>>>"),
    "annotations": one_page(page=b"/Annots[<</Subtype/Text/Rect[0 0 9 9]/Contents(note)>>]"),
}


@pytest.mark.parametrize("code", ACTIVE)
def test_what_acts_hides_or_reaches_outside_is_named_and_gone(tmp_path: Path, code: str) -> None:
    target, result = _normalized(tmp_path, ACTIVE[code])
    assert code in {finding.code for finding in result.inspection.findings}
    plain = subprocess.run(["qpdf", "--qdf", "--object-streams=disable", target, "-"], capture_output=True, check=True)
    for word in (b"/JavaScript", b"/Launch", b"/URI", b"/EF", b"example.com", b"calc.exe", b"other.pdf", b"/Annots"):
        assert word not in plain.stdout


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for turn in ("first", "second"):
        (tmp_path / turn).mkdir()
        target, _ = _normalized(tmp_path / turn, ACTIVE["form.xfa"])
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_normalising_again_changes_nothing_that_is_seen(tmp_path: Path) -> None:
    once, _ = _normalized(tmp_path, one_page(b"1 0 0 rg 0 0 300 400 re f", box=b"[0 0 612 792]", page=b"/Rotate 90"))
    normalize(once, tmp_path / "twice.pdf")
    assert picture(once).tobytes() == picture(tmp_path / "twice.pdf").tobytes()


def test_vector_content_keeps_its_operators(tmp_path: Path) -> None:
    target, _ = _normalized(tmp_path, one_page(b"1 0 0 rg 111 222 33 44 re f"))
    with pikepdf.open(target) as pdf:
        assert b"111 222 33 44 re" in b"".join(item.read_bytes() for item in pdf.pages[0].Contents)
        assert not list(pdf.pages[0].get_images())


def test_content_that_restores_too_often_or_never_stays_in_place(tmp_path: Path) -> None:
    box = b"[0 0 1190 1684]"
    for number, content in enumerate((b"Q Q Q 1 0 0 rg 1000 1500 99 99 re f", b"q q q 1 0 0 rg 1000 1500 99 99 re f")):
        (tmp_path / str(number)).mkdir()
        target, _ = _normalized(tmp_path / str(number), one_page(content, box=box))
        assert colour_at(picture(target), 525, 775) == RED


def test_what_lies_outside_of_the_crop_box_stays_unseen(tmp_path: Path) -> None:
    page = b"/CropBox[0 0 300 842]"
    target, _ = _normalized(tmp_path, one_page(b"1 0 0 rg 300 0 295 842 re f 0 0 1 rg 0 0 300 842 re f", page=page))
    image = picture(target)
    assert colour_at(image, 147 + 290, 400) == BLUE
    assert colour_at(image, 147 + 310, 400) == WHITE


def test_an_annotation_is_drawn_where_its_rectangle_lies(tmp_path: Path) -> None:
    for number, turn in enumerate((0, 90, 180, 270)):
        (tmp_path / str(number)).mkdir()
        content = one_page(
            b"",
            box=b"[0 0 400 700]",
            page=b"/Rotate %d/Annots[<</Subtype/Stamp/Rect[100 200 180 240]/AP<</N 5 0 R>>>>]" % turn,
            more=(_GREEN_FORM,),
        )
        target, _ = _normalized(tmp_path / str(number), content)
        with pikepdf.explicit_conversion(), pikepdf.open(tmp_path / str(number) / "source.pdf") as pdf:
            placed = placement(visible_box(pdf.pages[0].obj), turn)
        image = picture(target)
        assert colour_at(image, *placed.point(140, 220)) == GREEN
        assert colour_at(image, *placed.point(140, 260)) == WHITE


@pytest.mark.parametrize("flag", [1, 2, 32])
def test_an_annotation_that_is_not_shown_is_not_drawn(tmp_path: Path, flag: int) -> None:
    page = b"/Annots[<</Subtype/Stamp/F %d/Rect[100 200 180 240]/AP<</N 5 0 R>>>>]" % flag
    target, _ = _normalized(tmp_path, one_page(b"", page=page, more=(_GREEN_FORM,)))
    assert is_blank(picture(target))


def test_only_the_state_a_checkbox_is_in_is_drawn(tmp_path: Path) -> None:
    for state, drawn in ((b"/On", True), (b"/Off", False)):
        (tmp_path / state[1:].decode()).mkdir()
        widget = b"<</Subtype/Widget/FT/Btn/AS%s/Rect[100 200 180 240]/AP<</N<</On 5 0 R>>>>>>" % state
        target, _ = _normalized(
            tmp_path / state[1:].decode(), one_page(b"", page=b"/Annots[" + widget + b"]", more=(_GREEN_FORM,))
        )
        assert is_blank(picture(target)) is not drawn


def test_a_value_without_picture_is_written_in_chinese(tmp_path: Path) -> None:
    value = "甲方：示例有限公司".encode("utf-16-be").hex().encode()
    widget = b"<</Subtype/Widget/FT/Tx/T(t)/V<FEFF" + value + b">/DA(/F 12 Tf)/Rect[100 200 400 230]>>"
    target, _ = _normalized(
        tmp_path, one_page(b"", catalog=b"/AcroForm<</Fields[5 0 R]>>", page=b"/Annots[5 0 R]", more=(widget,))
    )
    assert text(target).strip() == "甲方：示例有限公司"
    assert not is_blank(picture(target))


def test_a_stale_picture_of_a_field_gives_way_to_its_value(tmp_path: Path) -> None:
    widget = b"<</Subtype/Widget/FT/Tx/T(t)/V(current)/DA(/F 12 Tf)/Rect[100 200 400 230]/AP<</N 6 0 R>>>>"
    form = b"/AcroForm<</Fields[5 0 R]/NeedAppearances true>>"
    target, _ = _normalized(tmp_path, one_page(b"", catalog=form, page=b"/Annots[5 0 R]", more=(widget, _GREEN_FORM)))
    assert text(target).strip() == "current"


def test_a_field_value_with_a_character_no_font_has_is_not_lost(tmp_path: Path) -> None:
    widget = b"<</Subtype/Widget/FT/Tx/T(t)/V<FEFF00410378539F>/DA(/F 12 Tf)/Rect[100 200 400 230]>>"
    target, _ = _normalized(
        tmp_path, one_page(b"", catalog=b"/AcroForm<</Fields[5 0 R]>>", page=b"/Annots[5 0 R]", more=(widget,))
    )
    assert text(target).strip() == "A□原"


def test_a_signed_document_keeps_the_picture_of_its_signature_and_says_that_the_proof_is_gone(tmp_path: Path) -> None:
    signature = b"<</Type/Sig/Filter/X/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<00>>>"
    widget = b"<</Subtype/Widget/FT/Sig/T(s)/V 6 0 R/Rect[100 200 180 240]/AP<</N 7 0 R>>>>"
    content = one_page(
        b"",
        catalog=b"/AcroForm<</Fields[5 0 R]/SigFlags 3>>",
        page=b"/Annots[5 0 R]",
        more=(widget, signature, _GREEN_FORM),
    )
    target, result = _normalized(tmp_path, content)
    assert result.signatures_dropped == 1
    assert colour_at(picture(target), 140, 220) == GREEN


def test_a_picture_named_like_a_dangerous_key_survives(tmp_path: Path) -> None:
    content = one_page(b"/AA Do", page=b"/Resources<</XObject<</AA 5 0 R>>>>", more=(_GREEN_FORM,))
    target, _ = _normalized(tmp_path, content)
    assert colour_at(picture(target), 25, 25) == GREEN


def test_pages_that_share_resources_do_not_share_each_others_stamps(tmp_path: Path) -> None:
    stamp = b"/Annots[<</Subtype/Stamp/Rect[100 200 180 240]/AP<</N 5 0 R>>>>]"
    content = document(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2/MediaBox[0 0 595 842]/Resources<</XObject<<>>>>>>",
        b"<</Type/Page/Parent 2 0 R" + stamp + b">>",
        b"<</Type/Page/Parent 2 0 R>>",
        _GREEN_FORM,
    )
    target, _ = _normalized(tmp_path, content)
    assert not is_blank(picture(target, 0))
    with pikepdf.open(target) as pdf:
        assert len(pdf.pages[0].Resources.XObject) == 1
        assert not pdf.pages[1].Resources.get("/XObject")


def test_a_password_is_refused_and_mere_permissions_are_lifted(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(tmp_path / "locked.pdf", encryption=pikepdf.Encryption(user="secret", owner="other"))
        pdf.save(tmp_path / "limited.pdf", encryption=pikepdf.Encryption(user="", owner="other"))
    with pytest.raises(Rejected) as refusal:
        normalize(tmp_path / "locked.pdf", tmp_path / "target.pdf")
    assert refusal.value.code == "document.encrypted"
    result = normalize(tmp_path / "limited.pdf", tmp_path / "target.pdf")
    assert [finding.code for finding in result.inspection.findings] == ["encryption.permissions"]
    with pikepdf.open(tmp_path / "target.pdf") as opened:
        assert not opened.is_encrypted


def test_a_file_that_viewers_ask_a_password_for_is_refused_though_its_owner_set_none(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(tmp_path / "a.pdf", encryption=pikepdf.Encryption(user="secret", owner=""))
    with pytest.raises(Rejected) as refusal:
        normalize(tmp_path / "a.pdf", tmp_path / "target.pdf")
    assert refusal.value.code == "document.encrypted"


def test_a_file_encrypted_for_holders_of_a_certificate_is_called_encrypted(tmp_path: Path) -> None:
    handler = b"/ID[(1)(1)]/Encrypt<</Filter/Adobe.PubSec/SubFilter/adbe.pkcs7.s5/V 4/Length 128>>"
    (tmp_path / "a.pdf").write_bytes(one_page(trailer=handler))
    with pytest.raises(Rejected) as refusal:
        normalize(tmp_path / "a.pdf", tmp_path / "target.pdf")
    assert refusal.value.code == "document.encrypted"


@pytest.mark.parametrize(
    ("catalog", "finding"),
    [
        (b"/Collection<</View/D>>", "files.portfolio"),
        (b"/AcroForm<</Fields[]/XFA(<xdp/>)>>", "form.xfa_dynamic"),
    ],
)
def test_what_no_rewriting_can_show_is_refused(tmp_path: Path, catalog: bytes, finding: str) -> None:
    (tmp_path / "source.pdf").write_bytes(one_page(catalog=catalog))
    with pytest.raises(Rejected) as refusal:
        normalize(tmp_path / "source.pdf", tmp_path / "target.pdf")
    assert (refusal.value.code, refusal.value.facts["finding"]) == ("document.unsafe", finding)


def test_the_title_travels_and_no_date_does(tmp_path: Path) -> None:
    information = b"<</Title<FEFF52B352A85408540C>/CreationDate(D:20200101000000Z)/Author(Somebody)>>"
    target, _ = _normalized(tmp_path, one_page(more=(information,), trailer=b"/Info 5 0 R"))
    with pikepdf.open(target) as pdf:
        assert dict(pdf.docinfo) == {"/Title": pikepdf.String("劳动合同")}
        assert pdf.open_metadata()["dc:title"] == "劳动合同"
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"


def test_torn_compressed_content_is_kept_up_to_the_tear(tmp_path: Path) -> None:
    content = b"1 0 0 rg 100 100 50 50 re f\n" + b"".join(b"%d 0 m\n" % n for n in range(20_000))
    torn = zlib.compress(content)[:9000]
    target, _ = _normalized(tmp_path, one_page(page=b"/Contents 5 0 R", more=(stream(torn, b"/Filter/FlateDecode"),)))
    assert colour_at(picture(target), 125, 125) == RED


def test_content_that_was_never_compressed_is_drawn_as_viewers_draw_it(tmp_path: Path) -> None:
    plain = stream(b"1 0 0 rg 100 100 50 50 re f", b"/Filter/FlateDecode")
    target, _ = _normalized(tmp_path, one_page(page=b"/Contents 5 0 R", more=(plain,)))
    assert colour_at(picture(target), 125, 125) == RED
