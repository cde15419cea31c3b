from __future__ import annotations

import os
from pathlib import Path

from engine.trust.revocation_store import RevocationStore


def test_an_answer_is_found_again_by_another_process(tmp_path: Path) -> None:
    RevocationStore(tmp_path / "cache").save("ocsp/a", b"answer")
    assert RevocationStore(tmp_path / "cache").load("ocsp/a") == b"answer"
    assert RevocationStore(tmp_path / "cache").load("ocsp/b") is None


def test_a_newer_answer_takes_the_place_of_the_older(tmp_path: Path) -> None:
    store = RevocationStore(tmp_path)
    store.save("crl/a", b"old")
    store.save("crl/a", b"new")
    assert store.load("crl/a") == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_least_recently_used_go_first_and_the_bound_is_kept(tmp_path: Path) -> None:
    store = RevocationStore(tmp_path, largest=300)
    for number, name in enumerate("abc"):
        store.save(name, bytes(100))
        for file in tmp_path.iterdir():
            if file.stat().st_mtime > 1000:
                os.utime(file, (number, number))
    assert store.load("a") is not None  # used again, so b is the one nobody missed
    store.save("d", bytes(100))
    assert [store.load(name) is not None for name in "abcd"] == [True, False, True, True]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 300


def test_an_answer_larger_than_everything_is_not_kept(tmp_path: Path) -> None:
    store = RevocationStore(tmp_path, largest=10)
    store.save("a", bytes(11))
    assert store.load("a") is None


def test_a_folder_that_cannot_be_made_keeps_nothing_and_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    store = RevocationStore(tmp_path / "file")
    store.save("a", b"answer")
    store.drop("a")
    assert store.load("a") is None
