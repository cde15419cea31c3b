"""The one error tree; the class decides about retry, exit status and HTTP status.

SealflowError
├── Misuse        the command, settings or pipeline file is wrong         exit 64  HTTP 400  never retried
├── Rejected      the document or its data is wrong                       exit 65  HTTP 422  never retried
├── Unavailable   a service we need is away                               exit 69  HTTP 503  backs off
├── Defect        a fault of ours                                         exit 70  HTTP 500  few retries, then parked
├── Conflict      somebody else holds it or was faster                    exit 75  HTTP 409  try again
│   └── StaleClaim    our claim on a run was taken over; our result is void
└── InDoubt       an irrevocable act may have happened; a person decides  exit 75  HTTP 409  parked
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from engine.language import Language, Text, preferred_language

FactValue = str | int | float | bool | None


class SealflowError(Exception):
    """Root of the tree: a stable ``code`` (``area.reason``), one text in two languages, and facts for programs.

    The text says what happened, to what, and what to do next.
    """

    exit_status: ClassVar[int] = 70
    http_status: ClassVar[int] = 500

    def __init__(self, code: str, *, zh: str, en: str, **facts: FactValue) -> None:
        super().__init__(code, zh, en)
        self.code = code
        self.text = Text(zh=zh, en=en)
        self.facts = facts

    def __str__(self) -> str:
        return self.say(preferred_language())

    def say(self, language: Language) -> str:
        return self.text.in_language(language)

    def to_dict(self) -> dict[str, Any]:
        """Plain form for records, process borders and the API; ``from_dict`` is its inverse."""
        return {
            "class": type(self).__name__,
            "code": self.code,
            "zh": self.text.zh,
            "en": self.text.en,
            "facts": dict(self.facts),
        }


class Misuse(SealflowError):
    """The command, the settings or a pipeline file is wrong."""

    exit_status = 64
    http_status = 400


class Rejected(SealflowError):
    """The document or its data is wrong; trying again cannot help."""

    exit_status = 65
    http_status = 422


class Unavailable(SealflowError):
    """A service we need does not answer; trying later can help."""

    exit_status = 69
    http_status = 503


class Defect(SealflowError):
    """A fault of ours."""

    exit_status = 70
    http_status = 500


class Conflict(SealflowError):
    """Somebody else holds it or was faster."""

    exit_status = 75
    http_status = 409


class StaleClaim(Conflict):
    """Our claim on a run was taken over; what we computed since is void."""


class InDoubt(SealflowError):
    """An irrevocable act may or may not have happened; a person decides."""

    exit_status = 75
    http_status = 409


_TREE: dict[str, type[SealflowError]] = {
    kind.__name__: kind for kind in (Misuse, Rejected, Unavailable, Defect, Conflict, StaleClaim, InDoubt)
}


def from_dict(record: Mapping[str, Any]) -> SealflowError:
    """Rebuild an error from ``to_dict``; an unknown class becomes a Defect rather than a guess."""
    kind = _TREE.get(str(record.get("class")), Defect)
    return kind(record["code"], zh=record["zh"], en=record["en"], **record.get("facts", {}))
