"""Lays out the members of an evidence bundle (存证包) and seals their list; equal evidence gives equal bytes.

Everything is held in memory while the bundle is made: contract, evidence page and twice the sum of both.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from asn1crypto import pem

from engine.contracting.dossier import Dossier
from engine.contracting.extraction import Parts
from engine.contracting.offline.certificates import Certificate
from engine.contracting.offline.container import write_container
from engine.contracting.offline.statements import canonical
from engine.contracting.offline.verifier import FORMAT
from engine.contracting.program import instructions, shell_program, verifier_program

Members = dict[str, bytes]


def lay_out(
    dossier: Dossier,
    contracts: Sequence[bytes],
    page: bytes,
    parts: Sequence[Parts],
    anchors: Iterable[bytes],
    page_intents: Mapping[str, Any],
) -> Members:
    """Every member but the seal; ``parts``: of each contract, then of the page."""
    names = [*contract_names(len(contracts)), "evidence-page.pdf"]
    members: Members = dict(zip(names, (*contracts, page), strict=True))
    members["README.txt"] = instructions()
    members["verify.py"] = verifier_program()
    members["verify.sh"] = shell_program()
    members["events.json"] = _json({"run": dossier.run, "head": dossier.journal, "entries": dossier.entries})
    members["record.json"] = _json(_record(dossier))
    signatures: dict[str, list[dict[str, Any]]] = {}
    for name, part in zip(names, parts, strict=True):
        intents = dossier.intents if name != "evidence-page.pdf" else page_intents
        signatures[name] = _add_signatures(members, name.removesuffix(".pdf"), part, intents)
    _add_material(members, parts, list(anchors))
    members["signatures/signatures.json"] = _json(signatures)
    members["signatures/ranges.txt"] = _ranges(signatures)
    members["signatures/revisions.json"] = _json({n: part.revisions for n, part in zip(names, parts, strict=True)})
    return members


def contract_names(count: int) -> list[str]:
    """Names of the contracts in the bundle."""
    return ["contract.pdf"] if count == 1 else [f"contract-{number:03}.pdf" for number in range(1, count + 1)]


def manifest_of(members: Mapping[str, bytes], dossier: Dossier) -> bytes:
    """The list that is sealed: one member on a line, so that a shell can read it, too."""
    head = {
        "format": FORMAT,
        "serial": dossier.serial,
        "run": dossier.run,
        "claimed_at": dossier.claimed_at.isoformat(),
        "contracts": contract_names(len(dossier.head)),
        "journal": dossier.journal,
    }
    lines = [
        json.dumps({"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})
        for name, content in sorted(members.items())
    ]
    start = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    return (start + ',\n "members": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n").encode()


def pack(members: Mapping[str, bytes]) -> bytes:
    """The zip itself, members in the order of their names."""
    target = io.BytesIO()
    write_container(target, sorted(members.items()))
    return target.getvalue()


def _record(dossier: Dossier) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dossier)
    return {name: value for name, value in plain.items() if name not in ("entries", "journal")}


def _add_signatures(members: Members, stem: str, parts: Parts, intents: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = []
    for number, part in enumerate(parts.signatures, 1):
        entry: dict[str, Any] = {
            "field": part.field,
            "kind": part.kind,
            "byte_range": list(part.byte_range),
            "cms": f"signatures/{stem}-{number}.p7s" if part.kind == "signature" else f"timestamps/{stem}-{number}.tst",
            "tokens": [],
            "intent": None,
        }
        members[entry["cms"]] = part.message
        for index, token in enumerate(part.tokens, 1):
            name = f"timestamps/{stem}-{number}-{index}.tst"
            members[name] = token
            entry["tokens"].append(name)
        if part.field in intents:
            entry["intent"] = f"intents/{stem}-{number}.json"
            members[entry["intent"]] = canonical(intents[part.field])
        listed.append(entry)
    return listed


def _add_material(members: Members, parts: Sequence[Parts], anchors: Sequence[bytes]) -> None:
    """Certificates, the anchors some of them name as their issuer, and revocation data."""
    carried = {der for part in parts for signature in part.signatures for der in signature.certificates}
    certificates = carried.union(*(part.certificates for part in parts)) - set(anchors)
    issuers = {Certificate(der).issuer for der in certificates}
    for der in certificates:
        members[f"certificates/{_short(der)}.pem"] = _pem(der)
    for der in anchors:
        if Certificate(der).subject in issuers:
            members[f"anchors/{_short(der)}.pem"] = _pem(der)
    for part in parts:
        for ending, answers in (("ocsp", part.ocsps), ("crl", part.crls)):
            members.update({f"revocation/{_short(der)}.{ending}": der for der in answers})


def _ranges(signatures: Mapping[str, list[dict[str, Any]]]) -> bytes:
    """For the shell: file, four numbers, kind, CMS and its tokens, parted by spaces."""
    rows = [
        " ".join((file, *map(str, entry["byte_range"]), entry["kind"], entry["cms"], *entry["tokens"]))
        for file, entries in signatures.items()
        for entry in entries
    ]
    return "".join(f"{row}\n" for row in rows).encode("ascii")


def _short(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()[:16]


def _pem(der: bytes) -> bytes:
    armoured: bytes = pem.armor("CERTIFICATE", der)
    return re.sub(rb"\r\n", b"\n", armoured)


def _json(value: object) -> bytes:
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
