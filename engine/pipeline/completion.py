"""Holds the end of a run to what was asked for: it is done only when the level it reached is the level requested."""

from __future__ import annotations

from uuid import UUID

from engine.errors import Defect
from engine.pipeline.stage import Facts
from engine.trust.verdict import LEVELS


def refuse_short(run_id: UUID, facts: Facts) -> None:
    """Raise Defect ``run.level_short`` when the facts of a run whose last stage ended promise more than they prove.

    ``level_requested`` and ``level_achieved``: PAdES baseline levels (EN 319 142-1, 6) of the last stage that signed
    or archived. A run without such a stage promises nothing.
    """
    requested, achieved = facts.get("level_requested"), facts.get("level_achieved")
    if requested is None or _rank(achieved) >= _rank(requested):
        return
    raise Defect(
        "run.level_short",
        zh=f"任务 {run_id} 要求级别 {requested}，文件只达到 {achieved or '无'}，因此不算完成。请将编号交给维护人员。",
        en=f"The run {run_id} asks for level {requested} and its file proves {achieved or 'none'}, so it is not done. "
        "Give this code and the run's id to support.",
        run=str(run_id),
        requested=requested,
        achieved=achieved,
    )


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
