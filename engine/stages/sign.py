"""Stage ``sign``: one party signs one field that exists already; with several parties let ``archive`` come last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from engine.errors import Misuse, Rejected
from engine.language import Text
from engine.pipeline.stage import Done, Effect, Paused, Work
from engine.sandbox import Sandbox
from engine.stages.seals import SealOption
from engine.stages.signature import (
    READS,
    Consent,
    HolderValues,
    Level,
    Lock,
    Office,
    Signature,
    freeze_base,
    has_come,
    refuse_declined,
    sign_field,
    take_word,
)
from engine.trust.intent import BASE, Intents
from engine.trust.keys import Keyring
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient


@dataclass(frozen=True)
class Sign:
    """Sign the field ``field`` as the party ``as`` (签约方), visibly if a seal is given.

    ``consent`` "required" waits for the event ``signed:<party>`` with an intent token; "unattended" asks nobody.
    Raises Misuse ``sign.option`` for missing options, Rejected ``sign.declined`` and what ``sign_document`` raises.
    """

    sandbox: Sandbox
    keyring: Keyring
    timestamps: TimestampClient
    revocation: RevocationSource
    intents: Intents
    as_: str = ""
    field: str = ""
    level: Level = "B-T"
    seal: SealOption = None
    reason: str | None = None
    location: str | None = None
    holder: str | HolderValues | None = None
    consent: Consent = "unattended"
    lock: Lock = ()
    certify: bool = False

    name: ClassVar[str] = "sign"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS
    reads: ClassVar[frozenset[str]] = READS
    purpose: ClassVar[Text] = Text(
        zh="由一方签署一个已有的签名域",
        en="sign one existing field as one party",
    )

    async def run(self, work: Work) -> Done | Paused:
        for option, value in (("as", self.as_), ("field", self.field)):
            if not value:
                raise Misuse(
                    "sign.option",
                    zh=f"签署步骤缺少选项 {option}。请在流程文件中补充。",
                    en=f"The stage sign lacks the option {option}. Add it to the pipeline file.",
                    option=option,
                )
        office = Office(self.sandbox, self.keyring, self.timestamps, self.revocation, self.intents)
        base = await freeze_base(work)
        facts = {BASE: msgspec.to_builtins(base)}
        if self.consent == "required":
            refuse_declined(work, [self.as_])
            if not has_come(work, self.as_):
                return self._wait(facts)
        try:
            proof = await take_word(office, work, self.as_, base, work.subject, self.consent)
        except Rejected as refusal:
            return self._wait(facts, refusal)
        signature = Signature(
            as_=self.as_,
            field=self.field,
            seal=self.seal,
            reason=self.reason,
            location=self.location,
            lock=self.lock,
            certify=self.certify,
            holder=self.holder,
        )
        output, added = await sign_field(office, work, signature, self.level, proof, work.subject)
        return Done((output,), facts | added)

    def _wait(self, facts: dict[str, object], refusal: Rejected | None = None) -> Paused:
        return Paused(f"signed:{self.as_}", (f"declined:{self.as_}",), facts, refusal)
