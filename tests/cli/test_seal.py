"""``sealflow seal`` as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.cli import main
from engine.pdf.seals.design import SealDesign
from engine.pdf.seals.drawing import draw
from engine.pdf.seals.export import to_picture


def test_a_seal_is_drawn_to_the_file_that_is_named(tmp_path: Path) -> None:
    for ending, start in (("svg", b"<svg"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
        file = tmp_path / f"seal.{ending}"
        assert (
            main(["seal", "draw", "--kind", "contract", "--name", "示例公司", "--number", "99", "-o", str(file)]) == 0
        )
        assert file.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--kind", "company", "--name", "示例公司", "--size", "60"], 64),
        (["--kind", "company", "--name", ""], 64),
        (["--kind", "company", "--name", "\ue000"], 65),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, arguments: list[str], status: int) -> None:
    file = tmp_path / "seal.svg"
    assert main(["seal", "draw", *arguments, "-o", str(file)]) == status
    assert not file.exists()


def test_a_photograph_gives_a_seal_and_a_warning_when_it_is_coarse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamped = to_picture(draw(SealDesign(kind="company", name="示例公司")), 150)
    paper = Image.new("RGB", (400, 400), (244, 240, 228))
    paper.paste(stamped, (80, 80), stamped)
    paper.save(tmp_path / "photo.jpg")
    out = tmp_path / "seal.png"
    assert main(["seal", "clean", str(tmp_path / "photo.jpg"), "--size", "40", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["coarse"] is True and told["dpi"] == pytest.approx(150, abs=3)
    assert main(["seal", "clean", str(tmp_path / "photo.jpg"), "--size", "40", "-o", str(out)]) == 0
    assert "dpi" in capsys.readouterr().err
    with Image.open(out) as cleaned:
        assert cleaned.mode == "RGBA"
