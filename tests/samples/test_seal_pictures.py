"""The demo's seals are what their page says: true size, transparent, one colour, and made by the script beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.pdf.pictures import read_picture
from samples.seal_pictures import draw_round_seal

SEALS = Path("samples/seals").resolve()


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [("company", 42, 42), ("company-en", 42, 42), ("archive", 42, 42), ("employee", 42, 18)],
)
def test_a_seal_has_its_true_size_and_lets_text_shine_through(name: str, width: float, height: float) -> None:
    raster = read_picture((SEALS / f"{name}.png").read_bytes(), name)
    assert raster.dpi == pytest.approx(600, abs=0.1)
    assert (raster.width / 600 * 25.4, raster.height / 600 * 25.4) == pytest.approx((width, height), abs=0.05)
    assert raster.alpha is not None and raster.alpha[0] == 0
    assert 200 < max(raster.alpha) < 255, "full ink still shows what is below"
    assert raster.pixels == raster.pixels[:3] * (raster.width * raster.height), "one colour compresses to nothing"


def test_the_script_draws_the_picture_that_is_kept() -> None:
    drawn = draw_round_seal("示例科技（演示）有限公司", "9999990000000", 42)
    with Image.open(SEALS / "company.png") as kept:
        alpha = kept.convert("RGBA").getchannel("A")
    assert alpha.tobytes() == drawn.point(lambda value: round(value * 0.92)).tobytes()


def test_the_ring_is_round_and_the_seal_is_symmetric_about_its_star() -> None:
    drawn = draw_round_seal("对称", "888", 42)
    assert drawn.getbbox() == pytest.approx((2, 2, 990, 990), abs=3)
    middle = drawn.width // 2
    assert drawn.getpixel((middle, middle)) == 255
