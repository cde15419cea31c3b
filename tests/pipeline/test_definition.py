from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Misuse
from engine.pipeline import definition
from engine.pipeline.definition import Definition, Step, find_definition, load_definition
from tests.pipeline.toys import pipeline


def test_a_file_is_read_with_its_stages_in_order(tmp_path: Path) -> None:
    read = load_definition(pipeline(tmp_path, 'use = "shout"\nmark = "?"', 'use = "seal"\nas = "employer"'))
    assert (read.name, read.version) == ("toy", 1)
    assert read.steps == (Step("shout", {"mark": "?"}), Step("seal", {"as": "employer"}))


def test_nested_tables_belong_to_the_stage_above_them(tmp_path: Path) -> None:
    read = load_definition(
        pipeline(tmp_path, 'use = "shout"\n[[stage.nibs]]\nwidth = 2.0\n[[stage.nibs]]\nwidth = 3.0')
    )
    assert read.steps[0].options == {"nibs": [{"width": 2.0}, {"width": 3.0}]}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[pipeline]\nname='x'\nversion=1\ncolour='red'\n[[stage]]\nuse='shout'", "colour"),
        ("[pipeline]\nname='x'\nversion=1\n[[stages]]\nuse='shout'", "stages"),
        ("[pipeline]\nname='X Y'\nversion=1\n[[stage]]\nuse='shout'", "pipeline.name"),
        ("[pipeline]\nname='x'\nversion=true\n[[stage]]\nuse='shout'", "pipeline.version"),
        ("[pipeline]\nname='x'\nversion=0\n[[stage]]\nuse='shout'", "pipeline.version"),
        ("[pipeline]\nname='x'\nversion=1", "[[stage]]"),
        ("[pipeline]\nname='x'\nversion=1\n[[stage]]\nmark='!'", "stage 1 use"),
        ("[pipeline\nname='x'", "line"),
    ],
)
def test_a_malformed_file_is_refused_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(Misuse) as refused:
        load_definition(file)
    for language in ("zh", "en"):
        assert "broken.toml" in refused.value.say(language)
        assert named in refused.value.say(language)


def test_a_file_in_another_encoding_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "gbk.toml"
    file.write_bytes("# 合同\n".encode("gbk"))
    with pytest.raises(Misuse, match=r"gbk\.toml"):
        load_definition(file)


def test_the_first_folder_that_has_a_pipeline_wins(tmp_path: Path) -> None:
    mine, builtin = tmp_path / "mine", tmp_path / "builtin"
    for folder in (mine, builtin):
        folder.mkdir()
        pipeline(folder, 'use = "shout"')
    assert find_definition("toy", [mine, builtin]) == mine / "toy.toml"


def test_an_unknown_pipeline_lists_the_known_ones(tmp_path: Path) -> None:
    pipeline(tmp_path, 'use = "shout"')
    with pytest.raises(Misuse, match="toy"):
        find_definition("toyy", [tmp_path])


_options = st.dictionaries(
    st.text("abc", min_size=1), st.one_of(st.integers(), st.text(), st.booleans(), st.lists(st.text())), max_size=3
)


@given(st.lists(st.builds(Step, use=st.text(min_size=1), options=_options), min_size=1))
def test_a_pinned_definition_comes_back_with_the_same_digest(steps: list[Step]) -> None:
    written = Definition("x", 1, tuple(steps), "x.toml", resources={"seal.png": "00" * 32})
    assert definition.from_dict(written.to_dict()).digest == written.digest


def test_the_digest_depends_on_every_part() -> None:
    base = Definition("x", 1, (Step("shout", {"mark": "!"}),), "x.toml")
    others = [
        Definition("y", 1, base.steps, "x.toml"),
        Definition("x", 2, base.steps, "x.toml"),
        Definition("x", 1, (Step("shout", {"mark": "?"}),), "x.toml"),
        Definition("x", 1, base.steps, "x.toml", resources={"a": "00" * 32}),
    ]
    assert len({one.digest for one in [base, *others]}) == 5
    assert Definition("x", 1, base.steps, "elsewhere.toml").digest == base.digest
