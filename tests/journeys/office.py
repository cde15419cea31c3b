"""What the journeys do over and over: send a document through, look at the records, ask software that is not ours."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image, ImageChops

from engine.assembly import Engine
from engine.pipeline.runner import initial_facts
from engine.records.runs import Run
from tests.trust.misbehaviour import TestPki

SAMPLES = Path(__file__).parents[2] / "samples"
PROGRAM = (sys.executable, "-c", "from engine.cli import main; raise SystemExit(main())")
"""The command line as a process of its own."""
CONTRACT = SAMPLES / "labour-contract.docx"


def sample_values(name: str) -> dict[str, Any]:
    """Values of a sample, a dictionary of one's own."""
    values: dict[str, Any] = json.loads((SAMPLES / f"{name}.values.json").read_text("utf-8"))
    return values


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Office:
    """An engine with its records, as a person at a desk uses it."""

    engine: Engine

    async def submit(self, pipeline: str | Path, *files: Path, values: Mapping[str, object] | None = None) -> UUID:
        digest = await self.engine.pin(str(pipeline))
        named = [(file.name, file) for file in files]
        return await self.engine.runner.submit(digest, named, initial_facts(dict(values or {})))

    async def send(self, pipeline: str | Path, *files: Path, values: Mapping[str, object] | None = None) -> Run:
        return await self.engine.carry_out(await self.submit(pipeline, *files, values=values))

    async def fetch(self, run: Run, folder: Path) -> Path:
        """The finished file; the run must be done."""
        assert run.state == "done", run.error
        target = folder / f"{run.id}.pdf"
        await self.engine.export(run, target)
        return target

    async def original(self, run: Run, folder: Path) -> bytes:
        """The first file as it came in."""
        stored = await self.engine.storage.get(run.sources[0]["digest"], folder)
        return stored.read_bytes()


async def run_program(home: Path, records: str, *arguments: object, **more: str) -> Said:
    """The command line in a process of its own; ``more``: further variables."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *map(str, arguments), env=surroundings(home, records) | more, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


def surroundings(home: Path, records: str) -> dict[str, str]:
    """Variables of a process that works in an installation."""
    return {**os.environ, "SEALFLOW_HOME": str(home), "DATABASE_URL": records, "SEALFLOW_LANG": "en", "COLUMNS": "80"}


def count(url: str, table: LiteralString, condition: LiteralString, *arguments: object) -> int:
    """Rows of a table for which a condition holds."""
    with psycopg.connect(url) as connection:
        (number,) = connection.execute(f"select count(*) from {table} where {condition}", arguments).fetchone() or (0,)
    return int(number)


async def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


def effects(url: str, run: Run, kind: str | None = None) -> list[tuple[str, str, int, bool]]:
    """The irrevocable acts of a run: key, kind, how often begun, and whether there is a result."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select key, kind, attempts, result is not null from effect where key like %s order by key", [f"{run.id}/%"]
        ).fetchall()
    return [row for row in rows if kind is None or row[1] == kind]


def error_code(run: Run) -> str:
    assert run.error is not None, run.state
    code: str = run.error["code"]
    return code


def pdfsig(file: Path) -> list[tuple[str, str, str]]:
    """Field, verdict and extent of each signature, as poppler sees it."""
    told = subprocess.run(["pdfsig", "-nocert", file], capture_output=True, text=True, check=False).stdout
    found = []
    for part in told.split("Signature #")[1:]:
        if "Signature Validation" not in part:
            continue  # a field that nobody signed yet
        (field,) = re.findall(r"Signature Field Name: (.*)", part)
        (verdict,) = re.findall(r"Signature Validation: (.*)", part)
        found.append((field, verdict.rstrip("."), "total" if "- Total document signed" in part else "part"))
    return found


def words(file: Path) -> str:
    """Text of a PDF as poppler extracts it, without white space."""
    told = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
    return re.sub(r"\s", "", told)


def check_structure(file: Path) -> None:
    """Have qpdf check a file; a warning is a failure."""
    told = subprocess.run(["qpdf", "--check", file], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def page_sizes(file: Path) -> set[str]:
    told = subprocess.run(["pdfinfo", "-l", "-1", file], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"Page +\d+ size: +(.*)", told))


def printed_in_red(
    file: Path, page: int, folder: Path, *, right_of: int = 0, left_of: int = 596
) -> tuple[int, int, int, int] | None:
    """Smallest box around the red pixels of a page, in points from the upper left corner; None without any."""
    stem = folder / f"page-{page}"
    number = str(page)
    command = ["pdftoppm", "-r", "72", "-f", number, "-l", number, "-png", "-singlefile", str(file), str(stem)]
    subprocess.run(command, check=True)
    with Image.open(stem.with_suffix(".png")) as picture:
        red, green, blue = picture.convert("RGB").split()
    surplus = ImageChops.subtract(red, ImageChops.lighter(green, blue))
    red_ink = surplus.point(lambda value: 255 if value > 60 else 0)
    red_ink.paste(0, (0, 0, right_of, red_ink.height))
    red_ink.paste(0, (left_of, 0, red_ink.width, red_ink.height))
    return red_ink.getbbox()


def strangers_anchors(folder: Path) -> Path:
    """A folder with the root of people we have nothing to do with."""
    anchors = folder / "strangers"
    anchors.mkdir()
    (anchors / "root.pem").write_bytes(TestPki().root.certificate.public_bytes(Encoding.PEM))
    return anchors
