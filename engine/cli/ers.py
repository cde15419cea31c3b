"""``sealflow ers``: evidence records for files outside any pipeline; ``FILE.ers`` lies beside each file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from engine import assembly
from engine.cli import console
from engine.errors import Misuse, SealflowError
from engine.language import Text
from engine.pipeline.delivery import deliver
from engine.settings import load_settings
from engine.trust.evidence_records.archives import Made, RecordAuthority, Subject
from engine.trust.verdict import Trust

_DIGESTS = click.Choice(["sha256", "sha384", "sha512", "sm3"])
_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group(
    help=str(
        Text(
            zh="证据记录（RFC 4998）：一个时间戳证明大量文件，每份文件各有自己的 .ers 证明。",
            en="Evidence records (RFC 4998): one timestamp proves many files, each by its own .ers.",
        )
    )
)
def ers() -> None:
    pass


@ers.command(help=str(Text(zh="为文件制作证据记录，写入 FILE.ers。", en="Make records of files: FILE.ers.")))
@_FILES
@click.option("--digest", type=_DIGESTS, default="sha256", help=str(Text(zh="散列算法。", en="Hash algorithm.")))
@console.json_option
def build(files: tuple[Path, ...], digest: str, as_json: bool) -> int:
    taken = [str(file) for file in files if _record_of(file).exists()]
    if taken:
        raise Misuse(
            "record.exists",
            zh=f"已有证据记录：{'、'.join(taken)}。请用 sealflow ers renew 续期，不要重做。",
            en=f"There are records already: {', '.join(taken)}. Renew them with sealflow ers renew.",
            files=", ".join(taken),
        )
    return asyncio.run(_make(files, digest, renew=False, as_json=as_json))


@ers.command(
    help=str(
        Text(
            zh="为证据记录续期：时间戳续期；给出 --digest 时改用新的散列算法（散列树续期）。",
            en="Renew records: the timestamp, or with --digest the hash tree by a new algorithm.",
        )
    )
)
@_FILES
@click.option("--digest", type=_DIGESTS, help=str(Text(zh="新的散列算法。", en="New hash algorithm.")))
@console.json_option
def renew(files: tuple[Path, ...], digest: str | None, as_json: bool) -> int:
    return asyncio.run(_make(files, digest, renew=True, as_json=as_json))


@ers.command(help=str(Text(zh="用 FILE.ers 验证文件。", en="Verify files by their FILE.ers.")))
@_FILES
@console.json_option
def verify(files: tuple[Path, ...], as_json: bool) -> int:
    return asyncio.run(_verify(files, as_json=as_json))


async def _make(files: tuple[Path, ...], digest: str | None, *, renew: bool, as_json: bool) -> int:
    subjects = [_subject(file) for file in files]
    told: list[tuple[str, SealflowError | None]] = []
    async with _authority() as authority:
        with (
            tempfile.TemporaryDirectory(prefix="sealflow-ers-") as folder,
            console.counter(str(Text(zh="证据记录", en="records")), visible=not as_json) as count,
        ):
            workspace = Path(folder)
            work = authority.renew(subjects, digest, workspace)
            if not renew:
                work = authority.build(subjects, digest or "sha256", workspace)
            async for made in work:
                told.append((str(made.subject.files[0]), await asyncio.to_thread(_keep, made, workspace)))
                count(len(told), len(files))
    if as_json:
        console.print_json({"files": [{"name": name, "error": e.to_dict() if e else None} for name, e in told]})
    else:
        for name, error in told:
            console.output.print(f"{name}: {error or _record_of(Path(name)).name}", markup=False)
    return max((error.exit_status for _, error in told if error), default=0)


async def _verify(files: tuple[Path, ...], *, as_json: bool) -> int:
    worst, told = 0, []
    async with _authority() as authority:
        for file in files:
            report = await authority.judge(_subject(file))
            good = report.holds and report.trust is Trust.TRUSTED
            worst = worst if good else 65
            why = report.finding.text if report.finding else None
            told.append(
                {
                    "name": str(file),
                    "holds": report.holds,
                    "trust": report.trust.value,
                    "proven_at": report.proven_at.isoformat() if report.proven_at else None,
                    "timestamps": [at.isoformat() for at in report.stamped_at],
                    "algorithms": report.algorithms,
                    "finding": str(why) if why else None,
                }
            )
    if as_json:
        console.print_json({"files": told})
    else:
        for entry in told:
            words = entry["finding"] or f"{entry['trust']} · {entry['proven_at'] or '-'}"
            console.output.print(f"{entry['name']}: {words}", markup=False)
    return worst


@asynccontextmanager
async def _authority() -> AsyncIterator[RecordAuthority]:
    async with assembly.open_tools(load_settings()) as tools:
        renewer = assembly.make_renewer(tools)
        anchors, retired = renewer.anchors, dict(renewer.retired)
        yield RecordAuthority(tools.sandbox, renewer.stamper, renewer.revocation, anchors, retired)


def _subject(file: Path) -> Subject:
    return Subject(_record_of(file), (file,))


def _record_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.ers")


def _keep(made: Made, workspace: Path) -> SealflowError | None:
    """Write a record beside its file; a half-written one never carries the name."""
    if made.error is not None:
        return made.error
    new = workspace / "new.ers"
    new.write_bytes(made.content)
    try:
        deliver([new], made.subject.record)
    except SealflowError as error:
        return error
    return None
