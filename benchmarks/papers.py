"""Template, pipeline and values of the contract benchmark: three pages, 15 Chinese controls, two signature fields."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

FIELDS = [f"控件{number:02}" for number in range(1, 16)]
PARTIES = {"employer": ("甲方盖章", 80.0, 240.0, 120.0, 112.0), "employee": ("乙方签字", 320.0, 260.0, 130.0, 60.0)}
SEALS = {"employer": "company.png", "employee": "employee.png"}
LINES = "本合同由双方依照劳动合同法协商一致订立，条款内容仅用于测量速度，不具有法律效力。"


def place(number: int) -> tuple[float, float]:
    """Lower left corner of a control on page 1, in points."""
    return 160.0, 700.0 - 28.0 * number


def _pipeline() -> str:
    text = [
        '[pipeline]\nname = "bench"\nversion = 1\n',
        '[[stage]]\nuse = "normalize"\n',
        '[[stage]]\nuse = "controls"\n',
    ]
    for number, name in enumerate(FIELDS):
        x, y = place(number)
        text.append(
            f'[[stage.controls]]\nname = "{name}"\nkind = "text"\npage = 1\nx = {x}\ny = {y}\nwidth = 300.0\n'
            "height = 20.0\nsize = 11.0\n"
        )
    for party, (name, x, y, width, height) in PARTIES.items():
        text.append(
            f'[[stage.controls]]\nname = "{name}"\nkind = "signature"\nparty = "{party}"\npage = 3\n'
            f"x = {x}\ny = {y}\nwidth = {width}\nheight = {height}\n"
        )
    text.append('[[stage]]\nuse = "fill"\n')
    for party, (name, *_) in PARTIES.items():
        text.append(f'[[stage]]\nuse = "sign"\nas = "{party}"\nfield = "{name}"\nseal = "seals/{SEALS[party]}"\n')
    text.append('[[stage]]\nuse = "archive"\nlevel = "B-LTA"\n')
    return "\n".join(text)


PIPELINE = _pipeline()


def make_template(path: Path) -> Path:
    """Three A4 pages of Chinese text."""
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for page in range(3):
        canvas.setFont("STSong-Light", 11)
        for line in range(24):
            if page == 0 and line < len(FIELDS):
                canvas.drawString(72, place(line)[1] + 5, FIELDS[line])
            elif page < 2 or line < 12:
                canvas.drawString(72, 700.0 - 28.0 * line, LINES)
        canvas.showPage()
    canvas.save()
    return path


def values(number: int) -> dict[str, str]:
    """Values of one contract; numbers differ, so nothing can be reused between contracts."""
    parts = ("示例科技（演示）有限公司", "张示例", "软件工程师", "示例省样本市演示区虚构路", "人民币壹万贰仟元整")
    return {name: f"{parts[place % 5]}{number * 100 + place}" for place, name in enumerate(FIELDS)}


def font_file() -> Path:
    """The Chinese font both sides fill with."""
    spec = find_spec("pylopdf_fonts_zh_cn")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "NotoSerifSC-Regular.otf"
