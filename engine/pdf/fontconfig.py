"""Tells converters which bundled font stands for the one a document names; scripts beyond CJK and Latin lack fonts.

Fonts that come with the product stand in for every usual name, so that the same Word file looks the same on every
machine; those of the machine only lend characters that the bundled ones lack (☐, Thai, emoji). No Linux
system ships 宋体 or 仿宋, and without this file fontconfig picks whatever happens to be installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

from engine.errors import Defect

SERIF = "Noto Serif SC"
SANS = "Noto Sans SC"
MONO = "Noto Sans Mono CJK SC"

# fmt: off
# One name a line would hide the two lists that matter in two hundred lines.
_SERIF_NAMES = [
    "宋体", "SimSun", "宋体-简", "新宋体", "NSimSun", "SimSun-ExtB", "宋体-PUA", "华文宋体", "STSong",
    "Songti SC", "华文中宋", "STZhongsong", "方正书宋简体", "方正小标宋简体", "FZXiaoBiaoSong-B05S", "小标宋",
    "仿宋", "FangSong", "仿宋_GB2312", "FangSong_GB2312", "华文仿宋", "STFangsong", "方正仿宋简体", "楷体",
    "KaiTi", "楷体_GB2312", "KaiTi_GB2312", "华文楷体", "STKaiti", "Kaiti SC", "方正楷体简体", "隶书", "LiSu",
    "思源宋体", "Source Han Serif SC", "Source Han Serif CN", "Noto Serif CJK SC", "文泉驿点阵宋体", "細明體",
    "新細明體", "MingLiU", "PMingLiU", "標楷體", "DFKai-SB", "MS Mincho", "ＭＳ 明朝", "MS PMincho",
    "ＭＳ Ｐ明朝", "Yu Mincho", "游明朝", "Batang", "바탕", "Times New Roman", "Times", "Cambria", "Georgia",
    "Garamond", "Palatino Linotype", "Book Antiqua", "Bookman Old Style", "Century", "Century Schoolbook",
    "Liberation Serif", "Linux Libertine G", "serif",
]
_SANS_NAMES = [
    "黑体", "SimHei", "黑体-简", "Heiti SC", "华文黑体", "STHeiti", "华文细黑", "STXihei", "微软雅黑",
    "Microsoft YaHei", "微软雅黑 Light", "Microsoft YaHei Light", "Microsoft YaHei UI", "等线", "DengXian",
    "等线 Light", "DengXian Light", "苹方-简", "PingFang SC", "幼圆", "YouYuan", "方正黑体简体", "思源黑体",
    "Source Han Sans SC", "Source Han Sans CN", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "文泉驿正黑",
    "微軟正黑體", "Microsoft JhengHei", "MS Gothic", "ＭＳ ゴシック", "MS PGothic", "ＭＳ Ｐゴシック", "Meiryo",
    "メイリオ", "Yu Gothic", "游ゴシック", "Malgun Gothic", "맑은 고딕", "Gulim", "Dotum", "Arial",
    "Arial Unicode MS", "Helvetica", "Calibri", "Calibri Light", "Candara", "Corbel", "Tahoma", "Verdana",
    "Segoe UI", "Trebuchet MS", "Liberation Sans", "DejaVu Sans", "Carlito", "Aptos", "sans-serif",
]
_MONO_NAMES = [
    "Courier New", "Courier", "Consolas", "Lucida Console", "Liberation Mono", "DejaVu Sans Mono", "monospace",
]
# fmt: on

_MACHINE = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))


def write_fontconfig(target: Path, cache: Path) -> Path:
    """Write a complete fontconfig file for ``FONTCONFIG_FILE``; ``cache`` keeps its font lists between calls.

    Every name of a Chinese typeface (字体) in common use becomes one of the bundled fonts; an unknown name becomes the
    serif one, the look of a contract.
    """
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE fontconfig SYSTEM "fonts.dtd">',
        "<fontconfig>",
        *(f"<dir>{escape(str(folder))}</dir>" for folder in [*font_folders(), *_MACHINE]),
        f"<cachedir>{escape(str(cache))}</cachedir>",
    ]
    for names, family in ((_SERIF_NAMES, SERIF), (_SANS_NAMES, SANS), (_MONO_NAMES, MONO)):
        lines += [
            f'<match target="pattern"><test name="family" compare="eq"><string>{escape(name)}</string></test>'
            f'<edit name="family" mode="assign" binding="strong"><string>{family}</string></edit></match>'
            for name in names
        ]
    for family in (SERIF, SANS):
        lines.append(
            f'<match target="pattern"><edit name="family" mode="append_last"><string>{family}</string></edit></match>'
        )
    target.write_text("\n".join([*lines, "</fontconfig>", ""]), "utf-8")
    return target


def font_folders() -> list[Path]:
    """Folders of the bundled fonts: Noto Serif and Sans SC, then Noto Sans CJK for rare characters (生僻字)."""
    return [_package_folder(package) for package in ("pylopdf_fonts_zh_cn", "noto_cjk_sans_otc")]


def _package_folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Defect(
            "fonts.missing",
            zh=f"缺少随产品安装的字体包 {package}。请重新安装本产品。",
            en=f"The font package {package} that belongs to the product is not installed. Install the product again.",
            package=package,
        )
    return Path(found.origin).parent
