from pathlib import Path

import pytest

from engine.errors import Unavailable
from engine.pipeline.delivery import deliver


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def test_one_file_takes_the_name_it_is_given(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "new" / "contract.pdf"
    assert deliver(files[:1], target) == (target,)
    assert target.read_bytes() == b"a"
    assert [file.name for file in target.parent.iterdir()] == ["contract.pdf"]


def test_several_files_are_numbered_in_a_folder(files: list[Path], tmp_path: Path) -> None:
    places = deliver(files, tmp_path / "out")
    assert [place.name for place in places] == ["001.pdf", "002.pdf"]
    assert [place.read_bytes() for place in places] == [b"a", b"b"]


def test_an_older_result_is_replaced_whole(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "contract.pdf"
    target.write_bytes(b"an older and longer result")
    deliver(files[1:], target)
    assert target.read_bytes() == b"b"


def test_a_place_that_cannot_be_written_is_said_and_leaves_nothing(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(Unavailable) as refused:
        deliver(files[:1], tmp_path / "file" / "contract.pdf")
    assert refused.value.code == "output.unwritable"
    assert "contract.pdf" in refused.value.say("zh")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "file"]


def test_a_source_that_vanished_leaves_the_older_result(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "contract.pdf"
    target.write_bytes(b"older")
    files[0].unlink()
    with pytest.raises(Unavailable):
        deliver(files[:1], target)
    assert target.read_bytes() == b"older"
