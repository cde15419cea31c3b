"""``sealflow plugins``: what is installed and allowed, and a check of one vendor against the conformance kit."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click
import msgspec

from engine.cli import console
from engine.language import Text
from engine.settings import load_settings
from engine.vendors import conformance
from engine.vendors.registry import load_registry


@click.group(
    invoke_without_command=True,
    help=str(Text(zh="列出已启用的插件；check 检查其中一个。", en="List enabled plugins; check tests one of them.")),
)
@console.json_option
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> int:
    if context.invoked_subcommand is not None:
        return 0
    rows = load_registry(load_settings()).listed()
    if as_json:
        console.print_json(msgspec.to_builtins(rows))
        return 0
    columns = (Text("类别", "Capability"), Text("名称", "Name"), Text("插件", "Plugin"), Text("用途", "Use"))
    stand_in, real = str(Text("仅供开发", "development only")), str(Text("正式", "production"))
    console.print_table(
        columns, [(r.capability, r.name, r.plugin, stand_in if r.development_only else real) for r in rows]
    )
    return 0


@plugins.command(help=str(Text(zh="用一致性测试检查一个服务。", en="Check one provider with the conformance kit.")))
@click.argument("name")
@console.json_option
def check(name: str, as_json: bool) -> int:
    return asyncio.run(_check(name, as_json))


async def _check(name: str, as_json: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="sealflow-check-") as folder:
        # The kit writes and corrupts contents; it must never touch what the installation keeps.
        settings = msgspec.structs.replace(load_settings(), home=Path(folder))
        registry = load_registry(settings)
        findings = await conformance.check(name, registry)
        await registry.close()
    if as_json:
        console.print_json([_plain(finding) for finding in findings])
    else:
        columns = (Text("检查项", "Case"), Text("结果", "Result"), Text("说明", "Detail"))
        ok, bad = str(Text("通过", "ok")), str(Text("不通过", "FAILED"))
        console.print_table(columns, [(f.case, ok if f.passed else bad, str(f.detail)) for f in findings])
    return 0 if all(finding.passed for finding in findings) else 65


def _plain(finding: conformance.Finding) -> dict[str, object]:
    return {
        "capability": finding.capability,
        "provider": finding.provider,
        "case": finding.case,
        "passed": finding.passed,
        "verdict": str(finding.verdict),
        "detail": str(finding.detail),
        "seconds": round(finding.seconds, 3),
    }
