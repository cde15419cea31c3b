from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = Callable[..., tuple[int, Any]]


def test_files_are_proven_together_renewed_by_a_new_hash_and_told_apart(sealflow_json: Json, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.pdf" for number in range(3)]
    for file in files:
        file.write_bytes(file.name.encode())
    status, told = sealflow_json("ers", "build", *files)
    assert (status, [entry["error"] for entry in told["files"]]) == (0, [None] * 3)
    assert sealflow_json("ers", "build", *files)[0] == 64, "a record is never made anew"
    status, told = sealflow_json("ers", "renew", "--digest", "sha512", *files)
    assert (status, [entry["error"] for entry in told["files"]]) == (0, [None] * 3)
    files[1].write_bytes(b"altered")
    status, told = sealflow_json("ers", "verify", *files)
    assert status == 65
    assert [(entry["holds"], entry["trust"]) for entry in told["files"]] == [
        (True, "trusted"), (False, "untrusted"), (True, "trusted"),
    ]  # fmt: skip
    assert told["files"][0]["algorithms"] == ["sha256", "sha512"]
    assert len(told["files"][0]["timestamps"]) == 2
