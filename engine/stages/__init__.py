"""The built-in stages, registered by the same hook as third-party ones."""

from __future__ import annotations

from collections.abc import Mapping

from engine.stages.archive import Archive
from engine.stages.awaiting import Await
from engine.stages.controls import Controls
from engine.stages.convert import Convert
from engine.stages.cosign import Cosign
from engine.stages.fill import Fill
from engine.stages.inspect import Inspect
from engine.stages.merge import Merge
from engine.stages.normalize import Normalize
from engine.stages.sign import Sign
from engine.stages.timestamp import Timestamp
from engine.vendors.hooks import hookimpl


@hookimpl
def sealflow_stages() -> Mapping[str, type]:
    """Stage classes by the name a pipeline file uses."""
    kinds = (Archive, Await, Controls, Convert, Cosign, Fill, Inspect, Merge, Normalize, Sign, Timestamp)
    return {kind.name: kind for kind in kinds}
