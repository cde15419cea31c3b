import os
import subprocess
from pathlib import Path

import pytest

from engine.pdf.fontconfig import font_folders, write_fontconfig


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fontconfig")
    return write_fontconfig(folder / "fonts.conf", folder / "cache")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("宋体", "Noto Serif SC"),
        ("SimSun", "Noto Serif SC"),
        ("仿宋_GB2312", "Noto Serif SC"),
        ("楷体", "Noto Serif SC"),
        ("Times New Roman", "Noto Serif SC"),
        ("黑体", "Noto Sans SC"),
        ("微软雅黑", "Noto Sans SC"),
        ("Arial", "Noto Sans SC"),
        ("Courier New", "Noto Sans Mono CJK SC"),
        ("A Typeface Nobody Has", "Noto Serif SC"),
    ],
)
def test_every_usual_name_has_a_bundled_stand_in(configured: Path, asked: str, given: str) -> None:
    environment = {**os.environ, "FONTCONFIG_FILE": str(configured)}
    found = subprocess.run(
        ["fc-match", "-f", "%{family}|%{file}", asked], env=environment, capture_output=True, text=True, check=True
    )
    family, _, file = found.stdout.partition("|")
    assert family == given
    assert Path(file).parent in font_folders()
