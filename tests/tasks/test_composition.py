"""A composition is found by name, or the name is refused with words."""

import pytest

from engine.errors import Misuse
from engine.tasks.composition import Composition, load_composition


def test_a_function_that_returns_a_composition_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_DATABASE_URL", "postgresql:///nowhere")
    composition = load_composition("toy_installation:compose")
    assert isinstance(composition, Composition)
    assert composition.database_url == "postgresql:///nowhere"


@pytest.mark.parametrize(
    "name", ["no_such_module:compose", "toy_installation:absent", "toy_installation", "platform:node"]
)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(Misuse) as refusal:
        load_composition(name)
    assert refusal.value.code == "worker.composition"
    assert name in refusal.value.say("en")
    assert name in refusal.value.say("zh")
