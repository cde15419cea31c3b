"""Writes the invented employment agreement as a PDF on Letter paper, as a template from abroad comes in."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

PLAIN, BOLD = "Vera", "VeraBd"  # come with reportlab and may be embedded
_LINE = "_" * 34

PARTIES = (
    ("Employer", _LINE, "Registration no.", "_" * 22),
    ("Employee", _LINE, "Passport no.", "_" * 22),
    ("Employee address", _LINE, "Phone", "_" * 22),
)
CLAUSES = (
    ("Term", "This agreement runs from the start date to the end date below and includes a probation of two months."),
    (
        "Work and place",
        "The employee works in the position and at the place named below. A change needs the consent of both parties "
        "in writing.",
    ),
    (
        "Hours and leave",
        "Eight hours a day and forty hours a week; overtime is paid or made good by time off. The employee takes "
        "public holidays and paid annual leave as the law provides.",
    ),
    ("Pay", "The monthly pay before tax below is transferred by the tenth day of the following month."),
    ("Insurance", "Both parties join the social insurance schemes as the law provides."),
    (
        "Safety at work",
        "The employer provides safe conditions and protective equipment and informs the employee of all hazards of "
        "the position.",
    ),
    (
        "Electronic form",
        "This agreement is made in electronic form with reliable electronic signatures and a trusted timestamp. The "
        "employee may view, download and print it at any time, free of charge.",
    ),
)
DETAILS = (
    ("Start date", "End date"),
    ("Position", "Place of work"),
    ("Monthly pay (CNY)", "Agreement no."),
)


def write_agreement(target: Path) -> None:
    """Write the template with embedded typefaces; the same bytes at every run."""
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    title = ParagraphStyle("title", fontName=BOLD, fontSize=17, leading=22, alignment=TA_CENTER, spaceAfter=4)
    note = ParagraphStyle("note", fontName=PLAIN, fontSize=9, leading=12, alignment=TA_CENTER, spaceAfter=14)
    head = ParagraphStyle("head", fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=8)
    body = ParagraphStyle("body", fontName=PLAIN, fontSize=9.5, leading=13.5)
    story = [
        Paragraph("Employment Agreement", title),
        Paragraph("Invented sample; the parties do not exist", note),
        _grid(PARTIES, (1.35, 2.65, 1.25, 1.75)),
        Spacer(1, 8),
    ]
    for number, (heading, text) in enumerate(CLAUSES, 1):
        story += [Paragraph(f"{number}. {heading}", head), Paragraph(text, body)]
    details = [(f"{left}:", "_" * 24, f"{right}:", "_" * 24) for left, right in DETAILS]
    story += [Spacer(1, 14), _grid(details, (1.5, 2.1, 1.3, 2.1)), Spacer(1, 22)]
    story += [_grid([("Signed for the employer", "", "Signed by the employee", "")], (2.4, 1.1, 2.4, 1.1))]
    # Without a first font reportlab names one of the fourteen that are never embedded.
    document = SimpleDocTemplate(
        str(target),
        pagesize=letter,
        leftMargin=0.75 * inch,
        rightMargin=0.75 * inch,
        topMargin=0.8 * inch,
        bottomMargin=0.8 * inch,
        title="Employment Agreement (sample)",
        author="Sealflow samples",
        invariant=1,
        initialFontName=PLAIN,
    )
    document.build(story, onFirstPage=_number, onLaterPages=_number)


def _grid(rows: object, inches: tuple[float, ...]) -> Table:
    table = Table(rows, colWidths=[width * inch for width in inches], hAlign="LEFT")
    table.setStyle(
        TableStyle([("FONT", (0, 0), (-1, -1), PLAIN, 9.5), ("LEFTPADDING", (0, 0), (-1, -1), 0)]),
    )
    return table


def _number(canvas: Canvas, document: SimpleDocTemplate) -> None:
    canvas.setFont(PLAIN, 8)
    canvas.drawCentredString(letter[0] / 2, 0.45 * inch, f"Page {document.page}")
