"""Stage ``sign``: one party signs one field that exists already; with several parties let ``archive`` come last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from engine.errors import Defect, Misuse, Rejected
from engine.language import Text
from engine.pdf import inspection, intake
from engine.pipeline.stage import Done, Effect, Facts, Work
from engine.sandbox import Caller, Sandbox, existing
from engine.stages.inspect import require_clean
from engine.trust.archiving import archive_document
from engine.trust.holders import Holder, claim_key
from engine.trust.keys import Keyring
from engine.trust.preparation import SignatureOrder
from engine.trust.revisions import list_signers
from engine.trust.revocation import RevocationSource
from engine.trust.seals import Seal, load_seal
from engine.trust.signing import Surroundings, sign_document
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import digest_of, examine
from engine.trust.verdict import SignatureVerdict

SOUND = "sound"
"""Fact: digest of a file whose signatures all stood when it was written; saves the next stage comparing revisions."""


SIGNERS = "signers"
"""Fact: the party of each key that signed the file, by the digest of the public key."""


@dataclass(frozen=True)
class HolderValues:
    """Who the certificate must name (证书持有人), by names of values; ``number``: credit code or identity number."""

    value: str
    number: str | None = None


@dataclass(frozen=True)
class Sign:
    """Sign the field ``field`` as the party ``as`` (签约方), visibly if a seal picture is given.

    Raises Misuse ``sign.option`` for missing options and what ``sign_document`` raises.
    """

    sandbox: Sandbox
    keyring: Keyring
    timestamps: TimestampClient
    revocation: RevocationSource
    as_: str = ""
    field: str = ""
    level: Literal["B-B", "B-T", "B-LT", "B-LTA"] = "B-T"
    seal: Path | None = None
    reason: str | None = None
    location: str | None = None
    holder: str | HolderValues | None = None

    name: ClassVar[str] = "sign"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS
    reads: ClassVar[frozenset[str]] = frozenset({SOUND, SIGNERS, "inspection", "values"})
    purpose: ClassVar[Text] = Text(
        zh="由一方签署一个已有的签名域",
        en="sign one existing field as one party",
    )

    async def run(self, work: Work) -> Done:
        for option, value in (("as", self.as_), ("field", self.field)):
            if not value:
                raise Misuse(
                    "sign.option",
                    zh=f"签署步骤缺少选项 {option}。请在流程文件中补充。",
                    en=f"The stage sign lacks the option {option}. Add it to the pipeline file.",
                    option=option,
                )
        source = work.source
        key = await self.keyring.key(self.as_, work.ledger.once, work.subject, self._holder(work.facts))
        signers = claim_key(work.facts.get(SIGNERS, {}), key.certificate, self.as_)
        claimed = datetime.now(UTC).replace(microsecond=0)
        order = SignatureOrder(
            field=self.field,
            claimed=claimed,
            reserve=0,
            seal=await _seal(self.sandbox, self.seal) if self.seal else None,
            reason=self.reason,
            location=self.location,
            sound=work.facts.get(SOUND) == await digest_of(source),
        )
        stamper = None if self.level == "B-B" else self.timestamps
        if not {SOUND, "inspection"} & work.facts.keys():
            await self._inspect(source)
        async with self.sandbox.child() as child:
            around = Surroundings(child, work.storage, work.ledger.once, work.subject, work.workspace)
            output = await sign_document(source, work.workspace / "signed.pdf", order, key, stamper, around)
            if self.level in ("B-LT", "B-LTA"):
                signed, output = output, work.workspace / "archived.pdf"
                await archive_document(signed, output, self.level, self.revocation, self.timestamps, around)
            verdict = await self._examine(output, child)
        facts = {
            "level_requested": self.level,
            "level_achieved": verdict.level,
            SOUND: await digest_of(output),
            SIGNERS: signers,
            f"signature:{self.field}": {
                "party": self.as_,
                "signer": verdict.signer,
                "certificate": verdict.certificate,
                "level": verdict.level,
                "claimed_at": verdict.claimed_at.isoformat() if verdict.claimed_at else None,
                "stamped_at": min(stamp.at for stamp in verdict.stamps).isoformat() if verdict.stamps else None,
            },
        }
        return Done(outputs=(output,), facts=facts)

    def _holder(self, facts: Facts) -> Holder | None:
        if self.holder is None or isinstance(self.holder, str):
            return None if self.holder is None else Holder(self.holder)
        values = facts.get("values", {})
        found = [str(values.get(name) or "") for name in (self.holder.value, self.holder.number) if name]
        if not found[0].strip():
            raise Rejected(
                "sign.holder_value",
                zh=f"文件没有填写“{self.holder.value}”，无法核对签约方“{self.as_}”的证书属于谁。请补填。",
                en=f"The document has no value “{self.holder.value}”, so nobody can tell whom the certificate of the "
                f"party “{self.as_}” must name. Fill it in.",
                value=self.holder.value,
            )
        return Holder(found[0], found[1] if len(found) > 1 else None)

    async def _inspect(self, source: Path) -> None:
        """Gate for a document nothing of ours has rewritten; one that others signed can only be taken or refused."""
        report = await self.sandbox.call(inspection.inspect, source, intake.PAGE_LIMIT)
        inspection.refuse(source.name, report)
        if not (await self.sandbox.call(list_signers, source)).chains:
            require_clean(source.name, report, accepted=frozenset({"form.fields"}))  # its own field is one

    async def _examine(self, output: Path, child: Caller) -> SignatureVerdict:
        """Read the level from what was written; a promise in the options proves nothing."""
        report = await examine(child, output, self.field if self.level in ("B-B", "B-T") else None, later=False)
        for verdict in report.signatures:
            if self.field in verdict.fields and verdict.level == self.level:
                return verdict
        raise Defect(
            "sign.level",
            zh=f"签名域“{self.field}”的签名未达到级别 {self.level}。请将错误编号和文件交给维护人员。",
            en=f"The signature in the field “{self.field}” does not prove level {self.level}. "
            "Give this code and the file to support.",
            field=self.field,
            requested=self.level,
        )


_seals: dict[tuple[Path, int, int], Seal] = {}
"""Seals by path, time of change and size: decoding one costs more than a signature."""
_SEALS_KEPT = 256


async def _seal(sandbox: Sandbox, picture: Path) -> Seal:
    status = existing(picture).stat()
    key = (picture, status.st_mtime_ns, status.st_size)
    if key not in _seals:
        if len(_seals) >= _SEALS_KEPT:
            _seals.clear()
        _seals[key] = await sandbox.call(load_seal, picture)
    return _seals[key]
