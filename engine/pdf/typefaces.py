"""Says which bundled typeface (字体) stands for one that a document names; it goes by the name, never by the shapes."""

from __future__ import annotations

SERIF = "Noto Serif SC"
SANS = "Noto Sans SC"
MONO = "Noto Sans Mono CJK SC"

# fmt: off
# One name a line would hide the two lists that matter in two hundred lines.
_SERIF_NAMES = (
    "宋体", "SimSun", "宋体-简", "新宋体", "NSimSun", "SimSun-ExtB", "宋体-PUA", "华文宋体", "STSong",
    "Songti SC", "华文中宋", "STZhongsong", "方正书宋简体", "方正小标宋简体", "FZXiaoBiaoSong-B05S", "小标宋",
    "仿宋", "FangSong", "仿宋_GB2312", "FangSong_GB2312", "华文仿宋", "STFangsong", "方正仿宋简体", "楷体",
    "KaiTi", "楷体_GB2312", "KaiTi_GB2312", "华文楷体", "STKaiti", "Kaiti SC", "方正楷体简体", "隶书", "LiSu",
    "思源宋体", "Source Han Serif SC", "Source Han Serif CN", "Noto Serif CJK SC", "文泉驿点阵宋体", "細明體",
    "新細明體", "MingLiU", "PMingLiU", "標楷體", "DFKai-SB", "MS Mincho", "ＭＳ 明朝", "MS PMincho",
    "ＭＳ Ｐ明朝", "Yu Mincho", "游明朝", "Batang", "바탕", "Times New Roman", "Times", "Cambria", "Georgia",
    "Garamond", "Palatino Linotype", "Book Antiqua", "Bookman Old Style", "Century", "Century Schoolbook",
    "Liberation Serif", "Linux Libertine G", "serif",
)
_SANS_NAMES = (
    "黑体", "SimHei", "黑体-简", "Heiti SC", "华文黑体", "STHeiti", "华文细黑", "STXihei", "微软雅黑",
    "Microsoft YaHei", "微软雅黑 Light", "Microsoft YaHei Light", "Microsoft YaHei UI", "等线", "DengXian",
    "等线 Light", "DengXian Light", "苹方-简", "PingFang SC", "幼圆", "YouYuan", "方正黑体简体", "思源黑体",
    "Source Han Sans SC", "Source Han Sans CN", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "文泉驿正黑",
    "微軟正黑體", "Microsoft JhengHei", "MS Gothic", "ＭＳ ゴシック", "MS PGothic", "ＭＳ Ｐゴシック", "Meiryo",
    "メイリオ", "Yu Gothic", "游ゴシック", "Malgun Gothic", "맑은 고딕", "Gulim", "Dotum", "Arial",
    "Arial Unicode MS", "Helvetica", "Calibri", "Calibri Light", "Candara", "Corbel", "Tahoma", "Verdana",
    "Segoe UI", "Trebuchet MS", "Liberation Sans", "DejaVu Sans", "Carlito", "Aptos", "sans-serif",
)
_MONO_NAMES = (
    "Courier New", "Courier", "Consolas", "Lucida Console", "Liberation Mono", "DejaVu Sans Mono", "monospace",
)
# fmt: on

NAMES = {SERIF: _SERIF_NAMES, SANS: _SANS_NAMES, MONO: _MONO_NAMES}
"""Usual names of typefaces by the bundled family that stands for them."""

_KNOWN = {name.casefold(): family for family, names in NAMES.items() for name in names}
_HINTS = {
    MONO: ("mono", "courier", "consol", "typewriter"),
    SERIF: (
        *("宋", "仿", "楷", "明", "song", "sun", "ming", "mincho", "kai", "fang", "ryumin", "heiseimin", "kozmin"),
        *("serif", "roman", "times", "batang", "myeong"),
    ),
    SANS: ("黑", "等线", "圆", "hei", "gothic", "sans", "arial", "helvet", "calibri", "kozgo", "yuan", "ゴシック"),
}
"""Parts of names (FZHei-B01S, 思源黑体 CN Medium), looked for in this order."""


def family(name: str) -> str | None:
    """The bundled family for a typeface name as Word or PDF writes it; None if nothing in it tells."""
    given = name.strip().lstrip("@").casefold()  # @SimSun is SimSun for vertical writing
    if known := _KNOWN.get(given):
        return known
    given = given.replace("sansserif", "sans").replace("sans-serif", "sans").replace("sans serif", "sans")
    return next((family for family, hints in _HINTS.items() if any(hint in given for hint in hints)), None)
