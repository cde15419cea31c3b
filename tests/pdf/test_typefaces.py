import pytest

from engine.pdf.typefaces import MONO, NAMES, SANS, SERIF, family


@pytest.mark.parametrize("family_name", [SERIF, SANS, MONO])
def test_every_listed_name_stands_for_its_family_in_any_case_and_for_vertical_writing(family_name: str) -> None:
    for name in NAMES[family_name]:
        assert family(name) == family(name.upper()) == family(f"@{name}") == family_name


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("思源黑体 CN Medium", SANS),
        ("FZHei-B01S", SANS),
        ("Arial Narrow", SANS),
        ("MS Sans Serif", SANS),
        ("HeiseiKakuGo-W5", SANS),
        ("HeiseiMin-W3", SERIF),
        ("STSong-Light", SERIF),
        ("MSungStd-Light", SERIF),
        ("方正仿宋_GBK", SERIF),
        ("Noto Serif CJK TC", SERIF),
        ("Ubuntu Mono", MONO),
    ],
)
def test_names_nobody_listed_are_judged_by_their_parts(name: str, given: str) -> None:
    assert family(name) == given


def test_a_name_that_tells_nothing_is_left_to_the_caller() -> None:
    assert family("Zapfino") is None
    assert family("") is None


def test_no_name_stands_in_two_lists() -> None:
    names = [name.casefold() for names in NAMES.values() for name in names]
    assert len(names) == len(set(names))
