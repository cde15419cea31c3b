from uuid import UUID

import pytest

from engine.errors import Defect
from engine.pipeline.completion import refuse_short
from engine.trust.verdict import LEVELS

RUN = UUID(int=1)


@pytest.mark.parametrize("requested", LEVELS)
@pytest.mark.parametrize("achieved", [None, "B-X", *LEVELS])
def test_a_run_is_done_only_with_the_level_it_was_asked_for(requested: str, achieved: str | None) -> None:
    facts = {"level_requested": requested, "level_achieved": achieved}
    if achieved in LEVELS[LEVELS.index(requested) :]:
        refuse_short(RUN, facts)
        return
    with pytest.raises(Defect) as caught:
        refuse_short(RUN, facts)
    assert caught.value.code == "run.level_short"
    assert requested in str(caught.value)


def test_a_run_that_signs_nothing_promises_no_level() -> None:
    refuse_short(RUN, {"pages": 3})
