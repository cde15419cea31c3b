"""The clauses of ISO 19005-2 that files break, in words; part 3 counts the same, but for attached files."""

from __future__ import annotations

import msgspec

from engine.language import Text

_TITLES = {
    "6.1.2": ("文件头", "file header"),
    "6.1.3": ("文件尾", "file trailer"),
    "6.1.4": ("交叉引用表", "cross-reference table"),
    "6.1.6": ("字符串", "string objects"),
    "6.1.7": ("流对象", "stream objects"),
    "6.1.8": ("名称", "name objects"),
    "6.1.9": ("间接对象", "indirect objects"),
    "6.1.10": ("内嵌图像", "inline images"),
    "6.1.12": ("权限", "permissions"),
    "6.1.13": ("实现限制", "implementation limits"),
    "6.2.2": ("内容流", "content streams"),
    "6.2.3": ("输出意图", "output intent"),
    "6.2.4": ("颜色空间", "colour spaces"),
    "6.2.5": ("扩展图形状态", "extended graphics state"),
    "6.2.6": ("呈现意图", "rendering intents"),
    "6.2.8": ("图像", "images"),
    "6.2.9": ("表单 XObject", "form XObjects"),
    "6.2.10": ("透明度", "transparency"),
    "6.2.11": ("字体", "fonts"),
    "6.2.11.4": ("字体嵌入", "font embedding"),
    "6.2.11.5": ("字形宽度", "glyph widths"),
    "6.2.11.6": ("字符编码", "character encodings"),
    "6.2.11.8": ("缺字字形", "use of .notdef"),
    "6.3.1": ("注释类型", "annotation types"),
    "6.3.2": ("注释标志", "annotation flags"),
    "6.3.3": ("注释外观", "annotation appearances"),
    "6.4.1": ("交互表单", "interactive forms"),
    "6.4.2": ("XFA 表单", "XFA forms"),
    "6.4.3": ("数字签名", "digital signatures"),
    "6.5": ("动作", "actions"),
    "6.6.2": ("元数据流", "metadata streams"),
    "6.6.4": ("版本与一致性标识", "version and conformance identification"),
    "6.8": ("嵌入文件", "embedded files"),
    "6.9": ("可选内容", "optional content"),
    "6.10": ("替代呈现", "alternate presentations"),
    "6.11": ("文档要求", "document requirements"),
}


class Violation(msgspec.Struct, frozen=True):
    """One clause that a file breaks at one place; not ``certain``: nobody here can tell whether it does.

    ``clause``: number in ISO 19005-2 (ISO 19005-3 for profile 3b), empty where no clause is named. ``place``: object or
    offset. ``zh`` and ``en``: what is wrong.
    """

    clause: str
    place: str
    zh: str
    en: str
    certain: bool = True

    @property
    def text(self) -> Text:
        return Text(zh=self.zh, en=self.en)

    @property
    def heading(self) -> Text:
        """The clause by number and title."""
        what = title(self.clause)
        if not self.clause:
            return what
        return Text(zh=f"第 {self.clause} 条（{what.zh}）", en=f"clause {self.clause} ({what.en})")


def title(clause: str) -> Text:
    """What a clause is about; of a subclause without a title here, what the one above it is about."""
    parts = clause.split(".")
    for length in range(len(parts), 0, -1):
        found = _TITLES.get(".".join(parts[:length]))
        if found is not None:
            return Text(*found)
    return Text("未识别的结构", "unknown construct")
