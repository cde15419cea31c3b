from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from engine.errors import Unavailable
from engine.records.cluster.address import form_url, locate_socket_directory, prepare_socket_directory
from engine.records.cluster.configuration import choose_shared_buffers


def test_an_ordinary_directory_holds_its_own_socket() -> None:
    assert locate_socket_directory(Path("/var/lib/sealflow/postgres")) == Path("/var/lib/sealflow/postgres/socket")


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=200))
def test_whatever_the_directory_is_called_the_socket_fits_and_libpq_reads_one_host(name: str) -> None:
    try:
        directory = Path("/home", name.encode().decode())
    except UnicodeEncodeError:
        return
    place = locate_socket_directory(directory)
    assert len(bytes(place / ".s.PGSQL.5432")) <= 103
    parts = conninfo_to_dict(form_url(place))
    assert parts == {"user": "sealflow", "dbname": "sealflow", "host": str(place), "port": "5432"}
    assert "," not in str(place)


def test_long_directories_get_places_of_their_own_that_do_not_depend_on_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = (locate_socket_directory(Path("/x" * 80, end)) for end in "ab")
    assert one != two
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert locate_socket_directory(Path("/x" * 80, "a")) == one


def test_a_place_that_is_somebody_elses_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "socket").symlink_to(tmp_path / "theirs")
    with pytest.raises(Unavailable) as refusal:
        prepare_socket_directory(tmp_path / "socket", -1)
    assert refusal.value.code == "database.socket_directory_unsafe"


def test_a_place_left_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "socket").mkdir(mode=0o777)
    prepare_socket_directory(tmp_path / "socket", -1)
    assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o700


def test_shared_memory_stays_modest() -> None:
    assert 32 <= choose_shared_buffers() <= 256
