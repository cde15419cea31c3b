"""Chooses Chinese or English for what a person reads; only these two exist."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages (双语文本); ``str()`` gives the one the caller's locale asks for."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.in_language(preferred_language())

    def in_language(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def preferred_language(environ: Mapping[str, str] = os.environ) -> Language:
    """Language of the locale: ``SEALFLOW_LANG`` wins, then the POSIX order LC_ALL, LC_MESSAGES, LANG."""
    for variable in ("SEALFLOW_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
