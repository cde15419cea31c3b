"""A court's machine: the two verifiers run with an empty environment, without the network and without our software."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.assembly import Engine
from engine.contracting.offline.container import write_container
from engine.pipeline.runner import initial_facts
from engine.records.runs import Run

SAMPLES = Path(__file__).parents[2] / "samples"
SYSTEM = "/usr/bin:/bin"


@dataclass(frozen=True)
class Made:
    """A finished run, its file and two exports of its evidence."""

    run: Run
    contract: Path
    bundle: Path
    again: Path


async def make_contract(engine: Engine, folder: Path) -> Made:
    digest = await engine.pin("labour-contract")
    values = json.loads((SAMPLES / "labour-contract.rare-name.values.json").read_text("utf-8"))
    source = SAMPLES / "labour-contract.docx"
    run = await engine.carry_out(await engine.runner.submit(digest, [(source.name, source)], initial_facts(values)))
    assert run.state == "done", run.error
    made = Made(run, folder / "contract.pdf", folder / "evidence.zip", folder / "again.zip")
    await engine.export(run, made.contract)
    await engine.evidence(run, made.bundle)
    await engine.evidence(run, made.again)
    return made


@dataclass(frozen=True)
class Verdict:
    """What a verifier said."""

    status: int
    out: str

    @property
    def named(self) -> list[str]:
        """Members it found fault with."""
        return [line.split("] ", 1)[1].split(": ", 1)[0] for line in self.out.splitlines() if line.startswith("[!!]")]


@cache
def _without_network() -> tuple[str, ...]:
    """Start of a command that takes the network away, where the system lets us."""
    unshare = shutil.which("unshare", path=SYSTEM)
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0:
        return (unshare, "-rn")
    return ()


def _run(*command: str | Path) -> Verdict:
    whole = [*_without_network(), *map(str, command)]
    told = subprocess.run(whole, env={"PATH": SYSTEM}, capture_output=True, text=True, encoding="utf-8")
    assert "Traceback" not in told.stderr, told.stderr
    return Verdict(told.returncode, told.stdout)


def system_python() -> str:
    """A Python outside our environment."""
    found = shutil.which("python3", path=SYSTEM)
    assert found, "the system has no python3"
    return found


def by_python(folder: Path, bundle: Path, *options: str) -> Verdict:
    return _run(system_python(), "-I", "-S", folder / "verify.py", bundle, *options)


def by_openssl(folder: Path, bundle: Path) -> Verdict:
    return _run("sh", folder / "verify.sh", bundle)


def packed(target: Path, members: dict[str, bytes]) -> Path:
    """A bundle of these members whose zip is in order, as somebody would make it who knows how."""
    content = io.BytesIO()
    write_container(content, sorted(members.items()))
    target.write_bytes(content.getvalue())
    return target


def flipped(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 0x01
    return bytes(changed)
