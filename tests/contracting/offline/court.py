"""Bundles sealed in this process over whatever members a test wants: what a forger could hand in."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from engine.contracting.offline.container import write_container
from engine.contracting.offline.verifier import FORMAT, Findings, examine
from engine.contracting.sealing import seal
from engine.trust.keys import SoftwareKey
from tests.trust.paper import LocalStamper, Notebook, make_key


class Platform:
    """Root, sealing key and timestamp authority of one who makes bundles."""

    def __init__(self, name: str = "Platform") -> None:
        self.root = make_key("ec", f"{name} Root", usage="ca")
        self.key = make_key("ec", name, self.root)
        self.authority = make_key("rsa", f"{name} TSA", self.root, usage="stamp")
        self.stamper = LocalStamper(self.authority)

    async def seal(self, manifest: bytes, key: SoftwareKey | None = None) -> dict[str, bytes]:
        anchors = [self.root.certificate]
        made = await seal(
            "0" * 64, manifest, key or self.key, self.stamper, anchors, Notebook().once, "run/evidence/seal"
        )
        return {"manifest.json": manifest, "manifest.p7s": made.message, "manifest.tsr": made.response}

    async def bundle(self, members: Mapping[str, bytes], **head: Any) -> bytes:
        """A bundle whose zip, digests, seal and timestamp are in order, whatever else is not."""
        listed = [
            {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in sorted(members.items())
        ]
        manifest = json.dumps({"format": FORMAT, **head, "members": listed}).encode()
        return packed({**members, **await self.seal(manifest)})


def packed(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    write_container(target, sorted(members.items()))
    return target.getvalue()


def judge(bundle: bytes, *, chinese: bool = False) -> Findings:
    found = Findings(chinese)
    examine(memoryview(bundle), found)
    return found


def reworked(members: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Members of a real bundle without its seal, and the head of its manifest: to be changed and sealed anew."""
    rest = {name: content for name, content in members.items() if not name.startswith("manifest.")}
    head = json.loads(members["manifest.json"])
    del head["members"], head["format"]
    return rest, head
