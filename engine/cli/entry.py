"""Builds the ``sealflow`` command and turns every error into words and an exit status."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import traceback

import click

from engine.cli import console, logs
from engine.errors import Misuse, SealflowError
from engine.language import Text

USAGE, BUG, INTERRUPTED = 64, 70, 130


_COMMANDS = {
    "run": "run:run",
    "batch": "batch:batch",
    "submit": "submit:submit",
    "stage": "stage:stage",
    "verify": "verify:verify",
    "check": "check:check",
    "renew": "renew:renew",
    "ers": "ers:ers",
    "status": "runs:status",
    "resume": "runs:resume",
    "intent": "intent:intent",
    "cancel": "runs:cancel",
    "export": "runs:export",
    "evidence": "evidence:evidence",
    "pipelines": "catalogue:pipelines",
    "stages": "catalogue:stages",
    "plugins": "plugins:plugins",
    "authorities": "authorities:authorities",
    "worker": "worker:worker",
    "keys": "keys:keys",
    "seal": "seal:seal",
    "journal": "journal:journal",
    "orphans": "orphans:orphans",
}
"""Module and function of each command, in the order the help shows them."""


class Door(click.Group):
    """Imports a command when it is asked for: a PDF library costs a second that ``status`` need not pay."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the same in every context
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        if cmd_name not in _COMMANDS:
            return None
        module, _, function = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"engine.cli.{module}"), function)
        return command


@click.command(
    cls=Door,
    help=str(
        Text(
            zh="Sealflow：把 Word、PDF 或扫描件变成经得起查验的电子合同。",
            en="Sealflow turns Word files, PDFs and scans into contracts that stand up.",
        )
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(package_name="sealflow", prog_name="sealflow")
def sealflow() -> None:
    """Root of the commands; its help is given above in the caller's language."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives 0 done, 64 usage, 65 refused input, 69 service away, 70 our bug, 75 try again."""
    logs.tell_people()
    with contextlib.suppress(ValueError):  # only the main thread may; elsewhere somebody else minds the signals
        # A service manager's Ctrl-C, which the event loop turns into an orderly end; workers set their own.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return sealflow.main(args=arguments, standalone_mode=False) or 0
    except click.UsageError as error:
        said = error.format_message()
        refusal = Misuse("usage", zh=f"命令用法有误（{said}）。用 --help 查看用法。", en=f"{said} See --help.")
        console.report(refusal, as_json="--json" in arguments)
        return USAGE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SealflowError as error:
        console.report(error, as_json="--json" in arguments)
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        text = Text(
            zh="已中断。已完成的步骤均已保存：用 sealflow status 查看任务，用 sealflow resume 继续。",
            en="Interrupted. Finished steps are kept: sealflow status lists the runs, sealflow resume goes on.",
        )
        console.errors.print(str(text), markup=False)
        return INTERRUPTED
    except Exception:  # the last line of defence: a person gets a sentence, support gets the trace
        traceback.print_exc()
        text = Text(
            zh="程序出现内部错误。原文件与已完成的步骤均未受影响，请将以上信息交给维护人员。",
            en="An internal error happened. Files and finished steps are unharmed; give the lines above to support.",
        )
        console.errors.print(str(text), style="red")
        return BUG
