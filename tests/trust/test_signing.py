from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from engine.errors import Rejected, Unavailable
from engine.sandbox import Sandbox
from engine.trust import signing
from engine.trust.preparation import SignatureOrder
from engine.trust.seals import Seal, load_seal
from engine.trust.signing import Surroundings, sign_document
from tests.trust.paper import (
    CountingKey,
    Crash,
    LocalStamper,
    Notebook,
    Rack,
    check_structure,
    draw_paper,
    draw_seal_picture,
    make_key,
    prove,
    valid_signatures,
)

ROOT = make_key("ec", "Sample Root", usage="ca")
COMPANY = make_key("rsa", "Sample Works Ltd", ROOT)
PERSON = make_key("ec", "Sample Person", ROOT)
AUTHORITY = make_key("rsa", "Sample Timestamps", ROOT, usage="stamp")
CLAIMED = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


pytestmark = pytest.mark.asyncio(loop_scope="module")  # one sandbox for all, its server takes a second to start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    door = Sandbox(preload=("engine.trust.preparation",))
    yield door
    await door.close()


class Desk:
    """Everything one signing needs, in one folder."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.rack = Rack(folder / "rack")
        self.notebook = Notebook()
        self.stamper = LocalStamper(AUTHORITY)
        self.seal: Seal | None = None
        self._tries = 0

    async def sign(self, source: Path, field: str, key: CountingKey, subject: str | None = None) -> Path:
        self._tries += 1
        workspace = self.folder / f"work-{self._tries}"
        workspace.mkdir()
        around = Surroundings(self.sandbox, self.rack, self.notebook.once, subject or field, workspace)
        order = SignatureOrder(field, CLAIMED, 0, self.seal)
        return await sign_document(source, workspace / "signed.pdf", order, key, self.stamper, around, prove(source))


@pytest.fixture
def desk(tmp_path: Path, sandbox: Sandbox) -> Desk:
    return Desk(tmp_path, sandbox)


async def test_two_parties_sign_in_turn_and_the_first_signature_is_unharmed(desk: Desk, tmp_path: Path) -> None:
    desk.seal = await desk.sandbox.call(load_seal, draw_seal_picture(tmp_path / "seal.png"))
    paper = draw_paper(tmp_path / "paper.pdf")
    first = await desk.sign(paper, "party-a", CountingKey(COMPANY))
    second = await desk.sign(first, "party-b", CountingKey(PERSON))
    assert first.read_bytes().startswith(paper.read_bytes())
    assert second.read_bytes().startswith(first.read_bytes())
    assert valid_signatures(first) == 1
    assert valid_signatures(second) == 2
    check_structure(second)


async def test_seven_parties_sign_one_file(desk: Desk, tmp_path: Path) -> None:
    fields = tuple(f"party-{number}" for number in range(7))
    file = draw_paper(tmp_path / "paper.pdf", fields)
    for number, field in enumerate(fields):
        file = await desk.sign(file, field, CountingKey((COMPANY, PERSON)[number % 2]))
    assert valid_signatures(file) == 7
    check_structure(file)


@pytest.mark.parametrize("die", ["before sign:0", "after sign:0", "before stamp", "after stamp"])
async def test_a_crash_at_any_step_is_repeated_to_the_same_bytes_with_one_use_of_the_key(
    desk: Desk, tmp_path: Path, die: str
) -> None:
    paper = draw_paper(tmp_path / "paper.pdf")
    key = CountingKey(PERSON)
    when, step = die.split()
    if when == "before":
        desk.notebook.die_before = step
    else:
        desk.notebook.die_after = step
    with pytest.raises(Crash):
        await desk.sign(paper, "party-a", key)
    recovered = await desk.sign(paper, "party-a", key)
    again = await desk.sign(paper, "party-a", key)
    assert recovered.read_bytes() == again.read_bytes()
    assert key.uses == 1
    assert valid_signatures(recovered) == 1


async def test_a_dead_timestamp_authority_costs_no_second_use_of_the_key(desk: Desk, tmp_path: Path) -> None:
    paper = draw_paper(tmp_path / "paper.pdf")
    key = CountingKey(COMPANY)
    desk.stamper.away = Unavailable("timestamp.unavailable", zh="时间戳服务不可用。", en="No authority answers.")
    with pytest.raises(Unavailable):
        await desk.sign(paper, "party-a", key)
    assert not list(desk.folder.glob("work-*/signed.pdf"))
    desk.stamper.away = None
    signed = await desk.sign(paper, "party-a", key)
    assert key.uses == 1
    assert valid_signatures(signed) == 1


async def test_a_field_that_does_not_exist_is_refused_with_the_free_ones(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        await desk.sign(draw_paper(tmp_path / "paper.pdf"), "party-x", CountingKey(PERSON))
    assert refusal.value.code == "signature.no_field"
    assert "party-a" in str(refusal.value.facts["free"])


async def test_a_signed_field_is_not_signed_again(desk: Desk, tmp_path: Path) -> None:
    signed = await desk.sign(draw_paper(tmp_path / "paper.pdf"), "party-a", CountingKey(PERSON))
    with pytest.raises(Rejected) as refusal:
        await desk.sign(signed, "party-a", CountingKey(PERSON), subject="other")
    assert refusal.value.code == "signature.field_taken"


async def test_a_token_too_large_for_the_usual_hole_gets_a_larger_one(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "RESERVES", (64, 64 * 1024))
    key = CountingKey(COMPANY)
    paper = draw_paper(tmp_path / "paper.pdf")
    signed = await desk.sign(paper, "party-a", key)
    assert valid_signatures(signed) == 1
    assert key.uses == 2
    assert (await desk.sign(paper, "party-a", key)).read_bytes() == signed.read_bytes()
    assert key.uses == 2


async def test_a_certificate_replaced_between_attempts_is_refused(desk: Desk, tmp_path: Path) -> None:
    paper = draw_paper(tmp_path / "paper.pdf")
    desk.notebook.die_before = "sign:0"
    with pytest.raises(Crash):
        await desk.sign(paper, "party-a", CountingKey(PERSON))
    with pytest.raises(Rejected) as refusal:
        await desk.sign(paper, "party-a", CountingKey(COMPANY))
    assert refusal.value.code == "signature.key_changed"
