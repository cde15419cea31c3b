"""The seal pictures of the demo are what their page says: true size, transparent, one colour, made by their script."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.pdf.pictures import read_picture
from samples.seal_pictures import write_seals

SEALS = Path("samples/seals").resolve()


@pytest.mark.parametrize(("name", "width", "height"), [("company", 42, 42), ("employee", 42, 18)])
def test_a_seal_has_its_true_size_and_lets_text_shine_through(name: str, width: float, height: float) -> None:
    raster = read_picture((SEALS / f"{name}.png").read_bytes(), name)
    assert raster.dpi == pytest.approx(600, abs=0.1)
    assert (raster.width / 600 * 25.4, raster.height / 600 * 25.4) == pytest.approx((width, height), abs=0.05)
    assert raster.alpha is not None and raster.alpha[0] == 0
    assert 200 < max(raster.alpha) < 255, "full ink still shows what is below"
    assert raster.pixels == raster.pixels[:3] * (raster.width * raster.height), "one colour compresses to nothing"


def test_the_script_draws_the_pictures_that_are_kept(tmp_path: Path) -> None:
    write_seals(tmp_path)
    for folder in (SEALS, SEALS.parents[1] / "pipelines" / "seals"):
        assert {file.name for file in folder.iterdir()} == {"company.png", "employee.png"}
        for file in folder.iterdir():
            kept = read_picture(file.read_bytes(), file.name)
            assert kept == read_picture((tmp_path / file.name).read_bytes(), file.name)
