"""One form of zip and no other: whatever differs is found and, where it has a name, named."""

from __future__ import annotations

import io
import zipfile

import pytest

from engine.contracting.offline.container import read_container, write_container

MEMBERS = {"README.txt": b"read me", "folder/a.bin": bytes(range(256)), "z.json": b""}


def whole(members: dict[str, bytes] = MEMBERS) -> bytes:
    target = io.BytesIO()
    write_container(target, members.items())
    return target.getvalue()


def fault(content: bytes) -> str | None:
    return read_container(memoryview(content))[1]


def test_what_is_written_is_read_again() -> None:
    found, place = read_container(memoryview(whole()))
    assert {name: bytes(content) for name, content in found.items()} == MEMBERS
    assert place is None


def test_other_software_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_equal_members_give_equal_bytes() -> None:
    assert whole() == whole(dict(MEMBERS))


def test_no_bit_of_it_can_be_changed_unseen() -> None:
    content = whole()
    for position in range(len(content)):
        for bit in (0x01, 0x80):
            changed = bytearray(content)
            changed[position] ^= bit
            assert fault(bytes(changed)) is not None, position


def test_a_changed_content_names_its_member() -> None:
    content = whole().replace(b"read me", b"read it")
    assert fault(content) == "README.txt"


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_a_zip_that_is_cut_off_is_refused(length: int) -> None:
    assert fault(whole()[:length]) is not None


def test_nothing_may_stand_before_between_or_behind_the_members() -> None:
    content = whole()
    second = content.index(b"PK\3\4", 4)
    assert fault(b"\0" + content) is not None
    assert fault(content + b"\0") is not None
    assert fault(content[:second] + b"\0" + content[second:]) is not None


def other(**options: int) -> bytes:
    """The same members as Python's own zip writer puts them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **options) as archive:  # type: ignore[arg-type]
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_another_writers_zip_is_refused_even_with_the_same_members() -> None:
    assert fault(other()) is not None
    assert fault(other(compression=zipfile.ZIP_DEFLATED)) is not None


def test_a_comment_is_refused() -> None:
    target = io.BytesIO(whole())
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = b"words"
    assert fault(target.getvalue()) == "zip"


def test_a_name_that_stands_twice_is_named() -> None:
    target = io.BytesIO()
    write_container(target, [("a", b"1"), ("a", b"2")])
    assert fault(target.getvalue()) == "a"


@pytest.mark.parametrize("name", ["../up", "/root", "a//b", "", "合同.pdf", ".hidden", "a\\b"])
def test_names_that_lead_elsewhere_are_not_written(name: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        write_container(io.BytesIO(), [(name, b"")])


def test_local_and_central_names_must_agree() -> None:
    content = whole()
    assert fault(content.replace(b"z.json", b"y.json", 1)) == "z.json"
