"""The built-in stages, registered by the same hook as third-party ones."""

from __future__ import annotations

from collections.abc import Mapping

from engine.stages.convert import Convert
from engine.stages.normalize import Normalize
from engine.stages.sign import Sign
from engine.vendors.hooks import hookimpl


@hookimpl
def sealflow_stages() -> Mapping[str, type]:
    """Stage classes by the name a pipeline file uses."""
    return {kind.name: kind for kind in (Convert, Normalize, Sign)}
