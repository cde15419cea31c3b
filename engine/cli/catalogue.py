"""``sealflow pipelines`` and ``sealflow stages``: what can run, and with which options."""

from __future__ import annotations

import click

from engine import assembly
from engine.cli import console
from engine.language import Text
from engine.settings import load_settings


@click.command(help=str(Text(zh="列出并检查流程文件。", en="List and check the pipeline files.")))
@console.json_option
def pipelines(as_json: bool) -> int:
    rows = assembly.describe_pipelines(load_settings())
    if as_json:
        console.print_json(rows)
    else:
        columns = (Text("流程", "Pipeline"), Text("版本", "Version"), Text("阶段", "Stages"), Text("检查", "Check"))
        ok = str(Text("正常", "ok"))
        console.print_table(
            columns, [(r["name"], str(r["version"]), " → ".join(r["stages"]), r["problem"] or ok) for r in rows]
        )
    return 64 if any(row["problem"] for row in rows) else 0


@click.command(help=str(Text(zh="列出阶段及其选项。", en="List the stages and their options.")))
@console.json_option
def stages(as_json: bool) -> int:
    rows = assembly.describe_stages(load_settings())
    if as_json:
        console.print_json(rows)
    else:
        columns = (Text("阶段", "Stage"), Text("对文件", "Effect"), Text("选项", "Options"), Text("作用", "Purpose"))
        console.print_table(columns, [(r["name"], r["effect"], ", ".join(r["options"]), r["purpose"]) for r in rows])
    return 0
