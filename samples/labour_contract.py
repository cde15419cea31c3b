"""Writes the invented labour contract as a Word file with the typefaces and habits of real ones (劳动合同)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.section import WD_SECTION
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_ROW_HEIGHT_RULE, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.shared import Mm, Pt
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph
from docx.text.run import Run

SONG, HEI, FANG = "宋体", "黑体", "仿宋"
_BLANK = re.compile(r"\{(\d+)\}")  # {8}: a line to write on, as wide as eight characters of any Chinese typeface
_LABEL, _VALUE = 34, 46  # column widths in millimetres; two of each make 160

INTRODUCTION = (
    "甲、乙双方根据《中华人民共和国劳动合同法》及有关规定，遵循合法、公平、平等自愿、"
    "协商一致、诚实信用的原则订立本合同。"
)
CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "一、合同期限",
        (
            "第一条　本合同期限自{8}起，至{8}止。",
            "第二条　试用期从起始日计算，至{8}届满，包含在合同期限内。",
        ),
    ),
    (
        "二、工作内容和工作地点",
        (
            "第三条　乙方担任的岗位为{12}，职责见岗位说明书，说明书已交乙方阅读。",
            "第四条　乙方的主要工作地点为{18}。",
            "第五条　需要调整岗位或者工作地点的，双方先行协商，达成一致后以书面形式变更本合同。",
        ),
    ),
    (
        "三、工作时间和休息休假",
        (
            "第六条　乙方实行以下打勾的工时制度：",
            "□ 标准工时制　　□ 综合计算工时制　　□ 不定时工作制",
            "采用后两种制度的，甲方须事先取得人力资源社会保障部门的许可。",
            "第七条　标准工时制下，乙方每日工作八小时、每周工作四十小时，每周休息两日。甲方安排延长工作时间的，"
            "依法安排补休或者支付加班工资。",
            "第八条　乙方享受国家规定的法定节假日、带薪年休假以及婚假、产假、陪产假、丧假等假期。",
        ),
    ),
    (
        "四、劳动报酬",
        (
            "第九条　试用期满后，乙方的月工资为税前人民币{6}元；试用期内的月工资为税前人民币{6}元。",
            "第十条　甲方于每月{3}日前通过银行转账足额支付上一个自然月的工资，并提供工资清单。"
            "遇休息日或者节假日的，提前支付。",
        ),
    ),
    (
        "五、社会保险和福利待遇",
        (
            "第十一条　双方依照国家和当地规定参加社会保险并缴存住房公积金。乙方应缴部分由甲方从工资中代扣代缴。",
            "第十二条　乙方患病、负伤、患职业病或者生育的，待遇依照国家和当地规定执行。",
        ),
    ),
    (
        "六、劳动保护、劳动条件和职业危害防护",
        (
            "第十三条　甲方提供符合国家标准的劳动场所、设备和防护用品，建立安全生产制度，并在乙方上岗前进行安全培训。",
            "第十四条　岗位可能产生职业病危害的，甲方在订立本合同时已将危害、后果、防护措施和待遇如实告知乙方，"
            "并依法安排上岗前、在岗期间和离岗时的职业健康检查。",
            "第十五条　乙方有权拒绝违章指挥和强令冒险作业，由此造成的停工不视为违反本合同。",
        ),
    ),
    (
        "七、合同的履行、变更、解除和终止",
        (
            "第十六条　双方应当全面履行本合同。变更本合同的，应当采用书面形式并由双方签署。",
            "第十七条　本合同的解除、终止以及经济补偿，依照《中华人民共和国劳动合同法》的规定办理。",
            "第十八条　解除或者终止本合同时，甲方出具证明，并在十五日内办理档案和社会保险关系转移手续；"
            "乙方按约定办理工作交接。",
        ),
    ),
    (
        "八、法律法规规定和双方约定的其他事项",
        (
            "第十九条　甲方依法制定的规章制度已向乙方公示。乙方在职期间知悉的商业秘密，离职后仍须保密。",
            "第二十条　因履行本合同发生争议的，双方可以协商、申请调解，也可以依法申请劳动人事争议仲裁；"
            "对裁决不服的，可以依法提起诉讼。",
            "第二十一条　本合同以电子形式订立，使用可靠的电子签名并附可信时间戳，与纸质合同具有同等法律效力。"
            "乙方可以随时免费查看、下载和打印本合同的全部内容。",
            "第二十二条　双方补充约定如下：",
        ),
    ),
)


def write_contract(target: Path) -> None:
    """Write the contract with empty places; the values are filled in by a pipeline."""
    document = Document()
    _set_up_page(document)
    _add_title(document)
    _add_parties(document)
    for heading, clauses in CHAPTERS:
        _add_heading(document, heading)
        for clause in clauses:
            _add_clause(document, clause)
    _add_box(document)
    _add_signatures(document)
    document.core_properties.title = "劳动合同书（示例文本）"
    document.core_properties.author = "Sealflow samples"
    document.core_properties.created = document.core_properties.modified = datetime(2026, 1, 1, tzinfo=UTC)
    document.save(str(target))


def _set_up_page(document: WordDocument) -> None:
    section = document.sections[0]
    section.start_type = WD_SECTION.NEW_PAGE
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(25)
    section.top_margin, section.bottom_margin = Mm(28), Mm(24)
    section.header_distance, section.footer_distance = Mm(15), Mm(12)
    section.different_first_page_header_footer = True
    normal = document.styles["Normal"]
    normal.font.size = Pt(12)
    _set_typeface(normal.element.get_or_add_rPr(), FANG)
    first, other = section.first_page_header.paragraphs[0], section.header.paragraphs[0]
    first.paragraph_format.left_indent = Pt(264)  # spaces at the end of a right-aligned line would hang over
    other.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _add_text(first, "合同编号：{13}", SONG, 10.5)
    _add_text(other, "劳动合同书（示例文本）", SONG, 9)
    for footer in (section.first_page_footer, section.footer):
        _add_page_number(footer.paragraphs[0])


def _add_title(document: WordDocument) -> None:
    title = document.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.paragraph_format.space_before, title.paragraph_format.space_after = Pt(6), Pt(4)
    _add_text(title, "劳　动　合　同　书", HEI, 22)
    kind = document.add_paragraph()
    kind.alignment = WD_ALIGN_PARAGRAPH.CENTER
    kind.paragraph_format.space_after = Pt(10)
    _add_text(kind, "（全日制 · 固定期限）", SONG, 12)
    _add_clause(document, INTRODUCTION)


def _add_parties(document: WordDocument) -> None:
    rows = (
        ("甲方（用人单位）",),
        ("单位名称", ""),
        ("信用代码", ""),
        ("法定代表人", "", "单位电话", ""),
        ("单位住所", ""),
        ("乙方（劳动者）",),
        ("劳动者姓名", "", "性别", ""),
        ("有效证件号码", ""),
        ("现居住地址", ""),
        ("本人电话", ""),
    )
    table = document.add_table(rows=len(rows), cols=4)
    table.style = document.styles["Table Grid"]
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    _set_widths(table, (_LABEL, _VALUE, _LABEL, _VALUE))
    for row, texts in zip(table.rows, rows, strict=True):
        row.height, row.height_rule = Mm(9), WD_ROW_HEIGHT_RULE.AT_LEAST
        if len(texts) == 1:
            merged = row.cells[0].merge(row.cells[3])
            _shade(merged, "E7E6E6")
            _write_cell(merged, texts[0], HEI)
            continue
        if len(texts) == 2:
            row.cells[1].merge(row.cells[3])
        for cell, text in zip(row.cells, texts, strict=False):
            if text:
                _write_cell(cell, text, SONG)
    document.add_paragraph().paragraph_format.space_after = Pt(0)


def _add_heading(document: WordDocument, text: str) -> None:
    heading = document.add_paragraph()
    heading.paragraph_format.space_before, heading.paragraph_format.space_after = Pt(8), Pt(3)
    heading.paragraph_format.keep_with_next = True
    _add_text(heading, text, HEI, 14)


def _add_clause(document: WordDocument, text: str) -> None:
    clause = document.add_paragraph()
    clause.paragraph_format.first_line_indent = Pt(24)
    clause.paragraph_format.line_spacing = Pt(23)
    clause.paragraph_format.space_after = Pt(0)
    _add_text(clause, text, FANG, 12)


def _add_box(document: WordDocument) -> None:
    box = document.add_table(rows=1, cols=1)
    box.style = document.styles["Table Grid"]
    box.alignment = WD_TABLE_ALIGNMENT.CENTER
    _set_widths(box, (160,))
    box.rows[0].height, box.rows[0].height_rule = Mm(30), WD_ROW_HEIGHT_RULE.EXACTLY
    document.add_paragraph().paragraph_format.space_after = Pt(6)


def _add_signatures(document: WordDocument) -> None:
    rows = (("甲方（盖章）", "乙方（签字）"), ("", ""), ("甲方签订日期：", "乙方签订日期："))
    table = document.add_table(rows=len(rows), cols=2)
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    _set_widths(table, (80, 80))
    for row, texts, height in zip(table.rows, rows, (10, 42, 10), strict=True):
        row.height, row.height_rule = Mm(height), WD_ROW_HEIGHT_RULE.AT_LEAST
        for cell, text in zip(row.cells, texts, strict=True):
            _write_cell(cell, text, SONG, 12)
            cell.paragraphs[0].paragraph_format.keep_with_next = True  # the block never breaks over two pages
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))


def _write_cell(cell: _Cell, text: str, typeface: str, size: float = 10.5) -> None:
    cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(2)
    _add_text(paragraph, text, typeface, size)


def _add_text(paragraph: Paragraph, text: str, typeface: str, size: float) -> None:
    for number, part in enumerate(_BLANK.split(text)):
        run = paragraph.add_run("\u3000" * int(part) if number % 2 else part)
        run.underline = True if number % 2 else None
        _style(run, typeface, size)


def _style(run: Run, typeface: str, size: float) -> None:
    run.font.size = Pt(size)
    _set_typeface(run._r.get_or_add_rPr(), typeface)


def _set_typeface(properties: BaseOxmlElement, typeface: str) -> None:
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = OxmlElement("w:rFonts")
        properties.insert(0, fonts)
    for attribute in ("w:ascii", "w:hAnsi", "w:eastAsia"):
        fonts.set(qn(attribute), typeface)


def _add_page_number(paragraph: Paragraph) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in ("第 ", "PAGE", " 页　共 ", "NUMPAGES", " 页"):
        if text.isupper():
            _add_field(paragraph, text)
        else:
            _add_text(paragraph, text, SONG, 9)


def _add_field(paragraph: Paragraph, instruction: str) -> None:
    for kind, text in (("begin", None), (None, instruction), ("separate", None), ("shown", "1"), ("end", None)):
        run = paragraph.add_run(text if kind == "shown" else None)
        _style(run, SONG, 9)
        if kind in ("begin", "separate", "end"):
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)
        elif kind is None:
            code = OxmlElement("w:instrText")
            code.set(qn("xml:space"), "preserve")
            code.text = f" {text} "
            run._r.append(code)


def _set_widths(table: Table, widths: tuple[float, ...]) -> None:
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
        for cell in column.cells:
            cell.width = Mm(width)


def _shade(cell: _Cell, colour: str) -> None:
    shading = OxmlElement("w:shd")
    shading.set(qn("w:val"), "clear")
    shading.set(qn("w:color"), "auto")
    shading.set(qn("w:fill"), colour)
    cell._tc.get_or_add_tcPr().append(shading)
