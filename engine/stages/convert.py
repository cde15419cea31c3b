"""Stage ``convert``: every file becomes a PDF of its own; a PDF passes through untouched, signatures and all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import platformdirs

from engine.errors import Rejected
from engine.language import Text
from engine.pdf import conversion, detection, intake, word
from engine.pdf.conversion import WordConverter
from engine.pdf.detection import Kind
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Limits, Sandbox

_LIMITS = Limits(memory_mb=1536, cpu_seconds=110, wall_seconds=120.0)
_OFFICE_LIMITS = Limits(memory_mb=6144, cpu_seconds=130, wall_seconds=120.0)
"""LibreOffice reserves far more address space than it uses; its time is counted by the clock, also while it waits."""

_OFFICE_MAY_HELP = frozenset({"word.not_convertible", "word.drawing_unsupported", "document.crashes_parser"})
"""What dxpdf says of Word files that LibreOffice, where it is installed, may still convert."""


@dataclass(frozen=True)
class Convert:
    """Convert (格式转换) Word files, pictures and PDFs, one to one and in order.

    ``word``: ``auto`` (dxpdf for .docx, LibreOffice for .doc and for what dxpdf cannot), ``dxpdf`` or
    ``libreoffice``. ``page_limit``: pages one file may give.
    """

    name: ClassVar[str] = "convert"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.REWRITES
    reads: ClassVar[frozenset[str]] = frozenset()
    purpose: ClassVar[Text] = Text(
        zh="把 Word、图片或 PDF 各转换为一个 PDF",
        en="turn Word files, pictures and PDFs into one PDF each",
    )

    sandbox: Sandbox
    word: WordConverter = "auto"
    page_limit: int = intake.PAGE_LIMIT

    async def run(self, work: Work) -> Done:
        cache = platformdirs.user_cache_path("sealflow") / "fontconfig"
        cache.mkdir(parents=True, exist_ok=True)
        light, heavy = self.sandbox.within(_LIMITS), self.sandbox.within(_OFFICE_LIMITS)
        targets, kinds = [], []
        for number, source in enumerate(work.sources, start=1):
            target = work.workspace / f"{number}.pdf"
            kind = await light.call(detection.detect, source)
            by_office = kind is Kind.DOC or (kind is Kind.DOCX and self.word == "libreoffice")
            sandbox = heavy if by_office else light
            try:
                await sandbox.call(conversion.to_pdf, source, target, self.word, cache, self.page_limit)
            except Rejected as refusal:
                if by_office or refusal.code not in _OFFICE_MAY_HELP or not self._office_may_help:
                    raise
                await heavy.call(conversion.to_pdf, source, target, "libreoffice", cache, self.page_limit)
            targets.append(target)
            kinds.append(kind.value)
            work.progress(number, len(work.sources))
        return Done(outputs=tuple(targets), facts={"kinds": kinds})

    @property
    def _office_may_help(self) -> bool:
        return self.word == "auto" and word.libreoffice_installed()
