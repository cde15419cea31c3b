"""Hands results to the caller's disk: a half-written file never carries the final name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.errors import Unavailable


def deliver(files: Sequence[Path], target: Path) -> tuple[Path, ...]:
    """Copy one file to ``target``, or several into the folder ``target`` as 001.pdf, 002.pdf …; give their places.

    Raises Unavailable ``output.unwritable``; then nothing under the final name has changed.
    """
    if len(files) == 1:
        places: tuple[Path, ...] = (target,)
    else:
        places = tuple(target / f"{number:03}.pdf" for number in range(1, len(files) + 1))
    for file, place in zip(files, places, strict=True):
        part = place.with_name(f".{place.name}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, part)
            part.replace(place)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise unwritable(place, error) from error
    return places


def replace_file(new: Path, target: Path) -> None:
    """Let ``new`` take the place of a file in one step, once it is safe on the disk; mode and name stay.

    Raises OSError; then the target is what it was.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(new, part)
        shutil.copymode(target, part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def unwritable(place: Path, error: OSError) -> Unavailable:
    """Error for a place that takes no file."""
    return Unavailable(
        "output.unwritable",
        zh=f"无法写入 {place}：{error.strerror}。请检查路径、权限和磁盘空间后重试。",
        en=f"{place} cannot be written: {error.strerror}. Check path, permissions and disk space, try again.",
        file=str(place),
    )
