"""Stage ``archive``: makes the signatures of a file last, B-LT or B-LTA; waits for services, never lowers the level."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from engine.errors import Defect, Rejected
from engine.language import Text
from engine.pdf.conformance import Conformance, Verdict
from engine.pdf.declaration import Profile
from engine.pipeline.stage import Done, Effect, Work
from engine.sandbox import Sandbox
from engine.stages.conformity import CONFORMANCE, LIMITS, as_fact, judge, proven_part
from engine.stages.signature import SOUND
from engine.trust.archiving import archive_document
from engine.trust.revocation import RevocationSource
from engine.trust.signing import Surroundings
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import digest_of, examine
from engine.trust.verdict import LEVELS, Integrity, Report


@dataclass(frozen=True)
class Archive:
    """Add validation data, and for B-LTA a document timestamp over it (长期归档).

    ``digest`` of document timestamps; None: SM3 when every signature rests on SM3, else SHA-256.
    ``profile``: the archived file is judged for it, last timestamp included, and the fact ``conformance`` says what was
    found; ``strict`` refuses what does not pass: a file that others signed cannot be mended any more.

    Raises what ``archive_document`` raises; Rejected ``archive.not_intact`` for a file whose signatures do not stand or
    are no PAdES signatures, ``archive.not_conforming``; Defect ``archive.level`` when the result does not prove the
    level.
    """

    sandbox: Sandbox
    revocation: RevocationSource
    timestamps: TimestampClient
    level: Literal["B-LT", "B-LTA"] = "B-LTA"
    digest: Literal["sha256", "sm3"] | None = None
    profile: Literal["PDF/A-2b", "PDF/A-3b", "none"] = "PDF/A-2b"
    strict: bool = False

    name: ClassVar[str] = "archive"
    version: ClassVar[int] = 2
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset({SOUND, CONFORMANCE})
    purpose: ClassVar[Text] = Text(
        zh="为签名补充验证数据与文档时间戳，使其可长期验证",
        en="make signatures last: validation data and a document timestamp",
    )

    async def run(self, work: Work) -> Done:
        source = work.source
        output = work.workspace / "archived.pdf"
        async with self.sandbox.child() as child:
            around = Surroundings(child, work.storage, work.ledger.once, work.subject, work.workspace)
            if work.facts.get(SOUND) != await digest_of(source):
                _refuse_unsound(await examine(child, source))
            await archive_document(
                source, output, self.level, self.revocation, self.timestamps, around, digest_algorithm=self.digest
            )
            achieved = _level_of(await examine(child, output, later=False))
        if LEVELS.index(achieved) < LEVELS.index(self.level):
            raise Defect(
                "archive.level",
                zh=f"归档结果只达到级别 {achieved}，要求 {self.level}。请将错误编号和文件交给维护人员。",
                en=f"The archived file proves level {achieved} only, {self.level} was asked for. "
                "Give this code and the file to support.",
                requested=self.level,
                achieved=achieved,
            )
        facts: dict[str, Any] = {"level_requested": self.level, "level_achieved": achieved}
        if self.profile != "none":
            found = await self._judge(work, output, self.profile)
            facts[CONFORMANCE] = await as_fact(found, output)
        return Done(outputs=(output,), facts=facts)

    async def _judge(self, work: Work, output: Path, profile: Profile) -> Conformance:
        proven = await proven_part(work.facts, output, profile)
        # Only a whole file needs limits of its own; what signing appended takes milliseconds.
        found = await judge(self.sandbox if proven else self.sandbox.within(LIMITS), output, profile, proven)
        if self.strict and found.verdict is not Verdict.PASS:
            worst = found.violations[0]
            raise Rejected(
                "archive.not_conforming",
                zh=f"归档文件不符合 {profile}：{worst.heading.zh}，{worst.place}，{worst.zh}。"
                "请从规范化后的文件重新签署，或取消该阶段的 strict 选项。",
                en=f"The archived file is not {profile}: {worst.heading.en}, {worst.place}, {worst.en}. "
                "Sign a normalised document again, or drop the option strict of this stage.",
                profile=profile,
                clause=worst.clause,
                place=worst.place,
            )
        return found


def _refuse_unsound(report: Report) -> None:
    """Archiving would dress up a file whose signatures do not stand."""
    if report.integrity not in (Integrity.VALID, Integrity.EXTENDED, Integrity.UNSIGNED):
        raise _not_intact(report)


def _level_of(report: Report) -> str:
    """Level of an archived file; one whose signatures are no PAdES signatures has none and never gets one."""
    if report.level is None:
        raise _not_intact(report)
    return report.level


def _not_intact(report: Report) -> Rejected:
    why = next((finding for entry in report.signatures for finding in entry.findings), None)
    return Rejected(
        "archive.not_intact",
        zh=f"文件中的签名不能归档：{why.zh if why else '不是 PAdES 签名。'}请从未被改动的文件重新签署。",
        en=f"The signatures of the document cannot be archived: {why.en if why else 'they are no PAdES signatures.'} "
        "Sign the unchanged document again.",
        finding=why.code if why else None,
    )
