"""The option ``seal`` of the stages that sign: a picture in the pipeline's folder, or a seal to be drawn."""

from __future__ import annotations

from pathlib import Path

from engine.pdf.seals.design import SealDesign, with_values
from engine.pipeline.stage import Facts
from engine.sandbox import Sandbox, existing
from engine.trust.seals import Seal, draw_seal, load_seal

SealOption = Path | SealDesign | None
"""A file, a table as ``SealDesign``, or none: the signature is not drawn."""

_seals: dict[tuple[Path, int, int] | SealDesign, Seal] = {}
"""Seals by path, time of change and size, or by design: preparing one costs more than a signature."""
_SEALS_KEPT = 256


async def prepare_seal(option: SealOption, facts: Facts, sandbox: Sandbox) -> Seal | None:
    """Get a seal ready; raises what ``load_seal`` and ``draw_seal`` raise and Rejected ``seal.no_value``.

    ``facts``: the words of a drawn seal may be among the ``values``.
    """
    if option is None:
        return None
    key: tuple[Path, int, int] | SealDesign
    if isinstance(option, SealDesign):
        key = option = with_values(option, facts.get("values") or {})
    else:
        status = existing(option).stat()
        key = (option, status.st_mtime_ns, status.st_size)
    if key not in _seals:
        if len(_seals) >= _SEALS_KEPT:
            _seals.clear()
        if isinstance(option, SealDesign):
            _seals[key] = await sandbox.call(draw_seal, option)
        else:
            _seals[key] = await sandbox.call(load_seal, option)
    return _seals[key]
