import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageCms

from engine.pdf import cmyk
from engine.pdf.conformance import Verdict, check_conformance
from engine.pdf.normalization import normalize
from tests.pdf.pictures_of_pages import colour_at, picture
from tests.pdf.raw_documents import one_page, stream

_A4 = b"[0 0 595.276 841.89]"
_INKS = stream(
    bytes([0, 255, 255, 0]), b"/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceCMYK"
)
_WAYS = {
    "operators": one_page(b".1 .2 .3 .4 k 0 0 99 99 re f", box=_A4),
    "a named space": one_page(b"/DeviceCMYK cs .9 0 .2 .1 sc 0 0 99 99 re f", box=_A4),
    "a picture": one_page(
        b"99 0 0 99 0 0 cm /I Do", page=b"/Resources<</XObject<</I 5 0 R>>>>", more=(_INKS,), box=_A4
    ),
    "a form": one_page(
        b"/F Do",
        page=b"/Resources<</XObject<</F 5 0 R>>>>",
        more=(stream(b"0 1 0 0 k 0 0 99 99 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Resources<<>>"),),
        box=_A4,
    ),
}


@pytest.mark.parametrize("way", _WAYS)
def test_inks_pass_for_an_archive_and_look_as_before(tmp_path: Path, way: str) -> None:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(_WAYS[way])
    normalize(source, target)
    found = check_conformance(target)
    assert (found.verdict, found.violations) == (Verdict.PASS, ())
    before, after = colour_at(picture(source), 50, 50), colour_at(picture(target), 50, 50)
    assert before != (255, 255, 255)
    assert all(abs(one - other) <= 3 for one, other in zip(before, after, strict=True))


def test_the_profile_means_the_same_to_another_colour_engine(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(cmyk._profile()))
    turned = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
    for inks in (
        (0, 0, 0, 0),
        (255, 0, 0, 0),
        (0, 255, 255, 0),
        (0, 0, 0, 255),
        (77, 128, 13, 51),
        (200, 180, 170, 230),
    ):
        content = " ".join(f"{ink / 255:.4f}" for ink in inks) + " k 0 0 99 99 re f"
        (tmp_path / "a.pdf").write_bytes(one_page(content.encode(), box=_A4))
        shown = colour_at(picture(tmp_path / "a.pdf"), 50, 50)
        told = ImageCms.applyTransform(Image.new("CMYK", (1, 1), inks), turned).getpixel((0, 0))
        assert all(abs(one - other) <= 4 for one, other in zip(shown, told, strict=True)), (inks, shown, told)


def test_a_document_without_inks_carries_no_profile_for_them(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(one_page(b"BT (K k /DeviceRGB) Tj ET 1 0 0 rg 0 0 9 9 re f"))
    normalize(tmp_path / "a.pdf", tmp_path / "b.pdf")
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        assert "/ColorSpace" not in pdf.pages[0].Resources


def test_a_meaning_the_document_gives_its_inks_stays(tmp_path: Path) -> None:
    own = b"/Resources<</ColorSpace<</DefaultCMYK[/ICCBased 5 0 R]>>>>"
    profile = stream(cmyk._profile(), b"/N 4")
    (tmp_path / "a.pdf").write_bytes(one_page(b"1 0 0 0 k 0 0 9 9 re f", page=own, more=(profile,)))
    normalize(tmp_path / "a.pdf", tmp_path / "b.pdf")
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        assert len([item for item in pdf.objects if isinstance(item, pikepdf.Stream) and item.get("/N") == 4]) == 1
