"""What of the engine's log a person at the terminal sees: only what no command tells anyway; workers log it all."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from engine.cli import console
from engine.language import Text

_TOLD = frozenset({"fault in a stage", "run postponed", "run parked", "run rejected", "timestamp.authority_failed"})
"""Events whose substance is in the error that the command reports."""
_DEMO = Text(
    zh="注意：正在使用演示证书，签出的文件没有法律效力。",
    en="Note: the demo PKI is in use; what it signs has no legal effect.",
)


def tell_people() -> None:
    """Log as commands do: each thing is said once, in words, on standard error."""
    _configure(_leave_out_what_is_told)


def tell_operators() -> None:
    """Log as workers do: every warning, with its facts."""
    _configure()


def _configure(*first: structlog.types.Processor) -> None:
    structlog.configure(
        processors=[
            *first,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=console.errors.is_terminal,
                exception_formatter=structlog.dev.plain_traceback,  # the fancy one prints variables: what people wrote
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # as it is then: a caller may have replaced it
        cache_logger_on_first_use=False,
    )
    # Libraries speak through the standard logger; what they warn of reaches people through our own errors.
    logging.getLogger().setLevel(logging.ERROR)


def _leave_out_what_is_told(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event["event"] == "trust.demo_in_use":
        console.errors.print(str(_DEMO), style="yellow", soft_wrap=True)
        raise structlog.DropEvent
    if event["event"] in _TOLD:
        raise structlog.DropEvent
    return event
