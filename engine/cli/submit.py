"""``sealflow submit``: hand a document to the workers and come back at once with the id of its run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.pipeline.runner import initial_facts
from engine.settings import load_settings


@click.command(
    help=str(
        Text(
            zh="把文件交给后台处理（sealflow worker），立即返回任务编号。",
            en="Hand files to the workers (sealflow worker) and print the id of the run at once.",
        )
    )
)
@click.argument("pipeline")
@console.files_argument
@console.values_option
@console.label_option
@console.json_option
def submit(pipeline: str, files: tuple[Path, ...], values: Path | None, label: str, as_json: bool) -> int:
    run_id = asyncio.run(_submit(pipeline, files, console.read_json(values), label or files[0].name))
    if as_json:
        console.print_json({"id": str(run_id)})
    else:
        console.output.print(str(run_id))
    return 0


async def _submit(pipeline: str, files: tuple[Path, ...], values: dict[str, object], label: str) -> UUID:
    async with assembly.open_engine(load_settings()) as engine:
        digest = await engine.pin(pipeline)
        return await engine.runner.submit(digest, [(file.name, file) for file in files], initial_facts(values), label)
