"""The fault harness in small; ``./run faults`` is the whole of it."""

from pathlib import Path

import pytest

from tests.faults import instants, papers
from tests.faults.campaign import Plan, carry_out, every_instant, prepare
from tests.faults.findings import examine
from tests.faults.outage import endure


async def test_nothing_is_lost_or_signed_twice_under_fire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SEALFLOW_CONFIG", "SEALFLOW_FAULTS"):
        monkeypatch.setenv(variable, "")  # restored afterwards; the campaign sets its own
    monkeypatch.delenv("DATABASE_URL", raising=False)
    campaign = prepare(
        Plan(documents=8, mines=10, at_once=True, threads=2, postgres_kill_every=6.0, limit=240.0), tmp_path
    )
    await carry_out(campaign)
    found = await examine(campaign)
    assert found.violations == []
    assert found.states == {"done": 8}
    assert found.effects == 8 * papers.EFFECTS_PER_RUN
    assert found.key_uses >= 8 * len(papers.PARTIES)
    assert campaign.mined == 10, f"not under all the fire: {campaign.mines.left()}"


async def test_an_authority_that_dies_and_returns_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SEALFLOW_CONFIG", "SEALFLOW_FAULTS"):
        monkeypatch.setenv(variable, "")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    outage = await endure(12, tmp_path)
    assert set(outage.phases) <= {"done", "running", "awaiting_timestamp", "awaiting_revocation"}
    assert outage.phases["done"] < 12, "the authority died too late to matter"
    assert set(outage.levels) <= {"none", "B-T"}, "nothing is published that lacks the level it was asked for"
    assert outage.lies == []
    assert outage.findings.violations == []
    assert outage.findings.states == {"done": 12}
    assert (outage.findings.key_uses, outage.acts_repeated) == (12 * len(papers.PARTIES), 0)


def test_every_instant_of_every_stage_is_mined() -> None:
    mines = every_instant()
    assert len(mines) == len(set(mines))
    for ordinal, stage in enumerate(papers.STAGES):
        coming = {instant for instant in instants.PER_STAGE if (stage, instant) not in papers.NEVER}
        assert {(instant, f"{ordinal}-{stage}") for instant in coming} <= set(mines)
    acts = [mine for mine in mines if mine[0] in instants.PER_EFFECT]
    assert len(acts) == papers.EFFECTS_PER_RUN * len(instants.PER_EFFECT)


def test_a_mine_goes_off_once(tmp_path: Path) -> None:
    field = instants.Minefield(tmp_path)
    field.lay("after-act", "here")
    field.step("after-act", "elsewhere")
    assert field.left() == ["after-act@here"]
    field.clear()
    field.step("after-act", "here")
    assert field.left() == []
