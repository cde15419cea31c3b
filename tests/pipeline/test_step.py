import errno
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import Conflict, Defect, Rejected, Unavailable
from engine.pipeline.alone import ScratchStorage, run_alone
from engine.pipeline.stage import Done, Effect, Work
from engine.pipeline.step import Outcome, checkpoint_key, perform, refuse_changed_bytes
from engine.records.effects import MemoryLedger
from tests.pipeline.toys import Cheat, Ink, Seal, Shout, Wait


def files(folder: Path, *contents: bytes) -> tuple[Path, ...]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / str(number))
        paths[-1].write_bytes(content)
    return tuple(paths)


def test_the_key_depends_on_all_that_matters_and_on_nothing_else() -> None:
    shout = Shout(Ink())
    base = checkpoint_key(shout, {"mark": "!"}, ("a",), {"values": {"x": 1}, "other": 1})
    assert base == checkpoint_key(shout, {"mark": "!"}, ("a",), {"values": {"x": 1}, "other": 2})
    others = {
        checkpoint_key(shout, {"mark": "?"}, ("a",), {"values": {"x": 1}}),
        checkpoint_key(shout, {"mark": "!"}, ("b",), {"values": {"x": 1}}),
        checkpoint_key(shout, {"mark": "!"}, ("a", "a"), {"values": {"x": 1}}),
        checkpoint_key(shout, {"mark": "!"}, ("a",), {"values": {"x": 2}}),
        checkpoint_key(shout, {"mark": "!"}, ("a",), {}),
        checkpoint_key(Seal("!"), {"mark": "!"}, ("a",), {"values": {"x": 1}}),
    }
    assert len(others | {base}) == 7


@given(st.binary(), st.binary())
def test_appending_is_allowed(before: bytes, added: bytes) -> None:
    with TemporaryDirectory() as folder:
        old, new = files(Path(folder), before, before + added)
        refuse_changed_bytes("x", (old,), (new,))


@given(st.binary(min_size=1), st.binary(), st.data())
def test_any_changed_or_lost_byte_is_refused(before: bytes, added: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(before) - 1))
    flipped = bytearray(before + added)
    flipped[place] ^= data.draw(st.integers(1, 255))
    with TemporaryDirectory() as folder:
        old, new, short = files(Path(folder), before, bytes(flipped), before[:-1])
        for wrong in ((new,), (short,), (), (old, old)):
            with pytest.raises(Defect, match="x"):
                refuse_changed_bytes("x", (old,), wrong)


async def test_a_stage_runs_alone_and_writes_its_file(tmp_path: Path) -> None:
    sources = files(tmp_path, b"hello")
    out = tmp_path / "deep" / "out.txt"
    written, facts = await run_alone(
        Shout(Ink()), sources, {}, out, ledger=MemoryLedger(), storage=ScratchStorage(tmp_path)
    )
    assert (written, out.read_bytes(), facts) == ((out,), b"HELLO!", {"loud": True})
    assert [file.name for file in out.parent.iterdir()] == ["out.txt"]


async def test_a_signature_alone_goes_through_a_ledger_too(tmp_path: Path) -> None:
    sources = files(tmp_path, b"hello")
    out = tmp_path / "out.txt"
    await run_alone(Seal("me"), sources, {}, out, ledger=MemoryLedger(), storage=ScratchStorage(tmp_path))
    assert out.read_bytes() == b"hello<me>"


async def test_a_cheating_stage_alone_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_bytes(b"earlier result")
    with pytest.raises(Defect):
        await run_alone(
            Cheat(), files(tmp_path, b"hello"), {}, out, ledger=MemoryLedger(), storage=ScratchStorage(tmp_path)
        )
    assert out.read_bytes() == b"earlier result"


async def test_waiting_alone_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="confirmed"):
        await run_alone(
            Wait("confirmed"), files(tmp_path, b"x"), {}, tmp_path / "o",
            ledger=MemoryLedger(), storage=ScratchStorage(tmp_path),
        )  # fmt: skip


@dataclass(frozen=True)
class Recite:
    """Tells what its files are called and hold."""

    name: ClassVar[str] = "recite"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        return Done(facts={"heard": [[path.name, path.read_text()] for path in work.sources]})


@given(st.lists(st.text(), min_size=2, max_size=2))
@example(["../../etc/passwd", "a/b\x00c"])
@example(["合同.pdf", "合同.pdf"])
@example(["..", "é" * 300 + ".pdf"])
@settings(deadline=None)
async def test_a_stage_sees_its_files_under_the_names_people_gave_them(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        storage = ScratchStorage(Path(folder))
        (Path(folder) / "one").write_text("1")
        (Path(folder) / "two").write_text("2")
        digests = tuple([await storage.put(Path(folder) / name) for name in ("one", "two")])
        outcome = await perform(
            Recite(),
            digests,
            {},
            subject="x",
            ledger=MemoryLedger(),
            storage=storage,
            progress=lambda _done, _total: None,
            names=tuple(names),
        )
    assert isinstance(outcome, Outcome)
    assert [content for _, content in outcome.facts["heard"]] == ["1", "2"]
    for given_name, (heard, _) in zip(names, outcome.facts["heard"], strict=True):
        if (
            given_name.isprintable()
            and given_name.strip(". ")
            and not set(given_name) & set("/\\")
            and len(given_name) < 50
        ):
            assert heard == given_name


@dataclass(frozen=True)
class Stumble:
    """Raises what it is given."""

    error: Exception

    name: ClassVar[str] = "stumble"
    version: ClassVar[int] = 1
    effect: ClassVar[Effect] = Effect.APPENDS
    reads: ClassVar[frozenset[str]] = frozenset()

    async def run(self, work: Work) -> Done:
        raise self.error


@pytest.mark.parametrize("free", [0, 1 << 30])
@pytest.mark.parametrize(
    ("error", "with_room"),
    [
        (Rejected("document.crashes_parser", zh="", en=""), Rejected),
        (Defect("sandbox.unexpected", zh="", en=""), Defect),
        (OSError(errno.ENOSPC, "No space left on device"), Unavailable),
        (OSError(errno.EACCES, "Permission denied"), PermissionError),
    ],
)
async def test_a_document_is_not_blamed_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, with_room: type[Exception], free: int
) -> None:
    """The disk is full from the beginning or fills while the stage works."""
    left = iter([1 << 30, free, free, free])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(left)))
    expected = with_room if free or isinstance(error, PermissionError) else Unavailable
    with pytest.raises(expected) as caught:
        await run_alone(
            Stumble(error), (), {}, tmp_path / "out", ledger=MemoryLedger(), storage=ScratchStorage(tmp_path)
        )
    if isinstance(caught.value, Unavailable):
        assert caught.value.code == "disk.full" and "TMPDIR" in caught.value.text.en


async def test_no_work_begins_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(Unavailable):
        await run_alone(Recite(), (), {}, tmp_path / "out", ledger=MemoryLedger(), storage=ScratchStorage(tmp_path))
