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
from engine.pdf import typefaces

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
    for family, names in typefaces.NAMES.items():
        lines += [
            f'<match target="pattern"><test name="family" compare="eq"><string>{escape(name)}</string></test>'
            f'<edit name="family" mode="assign" binding="strong"><string>{family}</string></edit></match>'
            for name in names
        ]
    for family in (typefaces.SERIF, typefaces.SANS):
        lines.append(
            f'<match target="pattern"><edit name="family" mode="append_last"><string>{family}</string></edit></match>'
        )
    target.write_text("\n".join([*lines, "</fontconfig>", ""]), "utf-8")
    return target


def font_folders() -> list[Path]:
    """Folders of the bundled fonts: Noto Serif and Sans SC, then Noto Sans CJK for rare characters (生僻字)."""
    return [package_folder(package) for package in ("pylopdf_fonts_zh_cn", "noto_cjk_sans_otc")]


def package_folder(package: str) -> Path:
    """Where an installed font package keeps its files; raises Defect ``fonts.missing``."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Defect(
            "fonts.missing",
            zh=f"缺少随产品安装的字体包 {package}。请重新安装本产品。",
            en=f"The font package {package} that belongs to the product is not installed. Install the product again.",
            package=package,
        )
    return Path(found.origin).parent
