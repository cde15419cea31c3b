"""Demands on a reader of page images; how well it reads is a benchmark's question, not the kit's."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from engine.language import Text
from engine.vendors.conformance.bench import Bench, Case, Violation, must_let_others_run, must_reject
from engine.vendors.protocols import OcrEngine

_WORDS = "20261123"
_WIDTH, _HEIGHT = 900, 500
_LANGUAGES = ("zh-Hans", "en")


def _page(bench: Bench, text: str) -> Path:
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    ImageDraw.Draw(image).text((120, 180), text, fill="black", font=ImageFont.load_default(64))
    path = bench.workspace / f"page-{len(text)}.png"
    image.save(path)
    return path


async def _blank(engine: OcrEngine, bench: Bench) -> None:
    result = await engine.recognize(_page(bench, ""), _LANGUAGES)
    if result.lines:
        raise Violation(zh="在空白页上读出了文字", en="text was read on an empty page")
    if (result.width, result.height) != (_WIDTH, _HEIGHT):
        raise Violation(zh="页面尺寸不符", en="width and height are not those of the image")


async def _printed(engine: OcrEngine, bench: Bench) -> None:
    page = _page(bench, _WORDS)
    before = page.read_bytes()
    result = await engine.recognize(page, _LANGUAGES)
    read = "".join(unicodedata.normalize("NFKC", line.text).replace(" ", "") for line in result.lines)
    if read != _WORDS:
        raise Violation(zh=f"印刷体 {_WORDS} 读成了 {read!r}", en=f"printed {_WORDS} was read as {read!r}")
    for line in result.lines:
        if not 0 <= line.confidence <= 1:
            raise Violation(zh="置信度不在 0 到 1 之间", en="a confidence is not between 0 and 1")
        if not all(0 <= x <= _WIDTH and 0 <= y <= _HEIGHT for x, y in line.box):
            raise Violation(zh="文字框超出页面", en="a box lies outside the image")
        (left, top), _, (right, bottom), _ = line.box
        if not (left < right and top < bottom):
            raise Violation(zh="文字框四角顺序有误", en="the corners are not clockwise from the upper left")
    if page.read_bytes() != before:
        raise Violation(zh="页面图像被改动", en="the image file was changed")


async def _unreadable(engine: OcrEngine, bench: Bench) -> None:
    path = bench.workspace / "no-image.png"
    path.write_bytes(b"this is no picture")
    await must_reject(engine.recognize(path, _LANGUAGES), "ocr.unreadable")


async def _language(engine: OcrEngine, bench: Bench) -> None:
    await must_reject(engine.recognize(_page(bench, _WORDS), ("tlh",)), "ocr.language")


async def _asynchronous(engine: OcrEngine, bench: Bench) -> None:
    await must_let_others_run(engine.recognize(_page(bench, _WORDS), _LANGUAGES))


ocr_cases: tuple[Case[OcrEngine], ...] = (
    Case("blank", Text("空白页没有文字", "an empty page has no text"), _blank),
    Case("printed", Text("读出印刷体及其位置", "printed figures are read where they stand"), _printed),
    Case("unreadable", Text("不是图像的文件被拒绝", "a file that is no image is refused"), _unreadable),
    Case("language", Text("不支持的语言被拒绝", "a language it does not know is refused"), _language),
    Case("asynchronous", Text("不阻塞事件循环", "the event loop is not blocked"), _asynchronous),
)
