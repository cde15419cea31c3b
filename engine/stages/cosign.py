"""Stage ``cosign`` (会签): several parties sign one file in any order or in a fixed one, one signature after another.

In the file signatures always stand in a row; each covers all that came before it. "Any order" means that nobody waits
for another to agree. Each signature is made the run's before the next one is begun, so that a signer who fails later
costs nobody his signature, and a replay never tries them in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from engine.errors import Rejected
from engine.language import Text
from engine.pipeline.stage import Done, Effect, Partly, Paused, Work
from engine.sandbox import Sandbox
from engine.stages.signature import (
    READS,
    Consent,
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

FEWEST, MOST = 2, 50


@dataclass(frozen=True)
class Cosign:
    """Have the ``signers`` sign, each one field; by ``consent`` "required" when the event ``signed:<party>`` came.

    The event's payload is ``{"token": …}``, an intent token of the party. ``declined:<party>`` with a ``reason`` ends
    the run. ``ordered``: in the order of the table; who comes early is kept until it is his turn. Raises Rejected
    ``sign.declined`` and what ``sign_document`` raises.
    """

    sandbox: Sandbox
    keyring: Keyring
    timestamps: TimestampClient
    revocation: RevocationSource
    intents: Intents
    signers: tuple[Signature, ...]
    ordered: bool = False
    level: Literal["B-B", "B-T"] = "B-T"
    consent: Consent = "required"

    name: ClassVar[str] = "cosign"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.SIGNS
    reads: ClassVar[frozenset[str]] = READS | {"signature:*"}
    purpose: ClassVar[Text] = Text(
        zh="多方会签，每方一个已有的签名域",
        en="have several parties sign, each an existing field",
    )

    def __post_init__(self) -> None:
        if not FEWEST <= len(self.signers) <= MOST:
            raise ValueError(f"cosign takes {FEWEST} to {MOST} signers, not {len(self.signers)}")
        for key in ("as_", "field"):
            values = [getattr(signer, key) for signer in self.signers]
            if len(set(values)) < len(values) or not all(values):
                raise ValueError(f"each signer needs a '{key.rstrip('_')}' of his own")
        if any(signer.certify for signer in self.signers[0 if not self.ordered else 1 :]):
            raise ValueError(
                "only the first signature can certify: let that signer be the first and set ordered = true"
            )

    async def run(self, work: Work) -> Done | Partly | Paused:
        office = Office(self.sandbox, self.keyring, self.timestamps, self.revocation, self.intents)
        base = await freeze_base(work)
        facts = {BASE: msgspec.to_builtins(base)}
        pending = [signer for signer in self.signers if f"signature:{signer.field}" not in work.facts]
        refuse_declined(work, [signer.as_ for signer in pending])
        refusal = None
        for signer in pending[:1] if self.ordered else pending:
            if self.consent == "required" and not has_come(work, signer.as_):
                continue
            subject = f"{work.subject}/{signer.field}"
            try:
                proof = await take_word(office, work, signer.as_, base, subject, self.consent)
            except Rejected as error:
                refusal = refusal or error
                continue
            output, added = await sign_field(office, work, signer, self.level, proof, subject)
            kind = Done if len(pending) == 1 else Partly
            return kind((output,), facts | added)
        return self._wait(pending, facts, refusal)

    def _wait(self, pending: list[Signature], facts: dict[str, object], refusal: Rejected | None) -> Paused:
        """Listen to those whose turn it is, and to whoever of the others says no."""
        awaited = pending[:1] if self.ordered else pending
        signed, *more = (f"signed:{signer.as_}" for signer in awaited)
        return Paused(signed, (*more, *(f"declined:{signer.as_}" for signer in pending)), facts, refusal)
