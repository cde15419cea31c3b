"""Writes a verdict as the ETSI TS 119 102-2 report (签名验证报告), in XML and with the same structure in JSON.

Only what was found is written: no quality, no policy document, objects by their digest. In JSON an element is a key of
the same name, an attribute a key with ``@``, the text of an element that has attributes ``$``; a repeated element is a
list. Our plain verdict stands in ``AdditionalValidationReportData``.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from engine.trust.indications import Indication, SubIndication
from engine.trust.verdict import Report, SignatureVerdict, Stamp, Trust

_VR = "http://uri.etsi.org/19102/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_URN = "urn:etsi:019102"
_MAIN = {
    Indication.PASSED: f"{_URN}:mainindication:total-passed",
    Indication.FAILED: f"{_URN}:mainindication:total-failed",
    Indication.INDETERMINATE: f"{_URN}:mainindication:indeterminate",
}
_UNSIGNED = f"{_URN}:mainindication:noSignatureFound"

Node = dict[str, Any]


def etsi_report(report: Report) -> Node:
    """The report as nested dictionaries; keys stand in the order of the schema."""
    signatures = [entry for entry in report.signatures if entry.kind == "signature"]
    stamps = [entry for entry in report.signatures if entry.kind == "timestamp"]
    parts = [_signature(entry, report) for entry in signatures] or [_without_signature(report)]
    objects = {identifier: node for entry in report.signatures for identifier, node in _certificate(entry)}
    listed = [*objects.values(), *(_timestamp(number, entry, report) for number, entry in enumerate(stamps, 1))]
    body: Node = {"SignatureValidationReport": parts}
    if listed:
        body["SignatureValidationObjects"] = {"ValidationObject": listed}
    return {"ValidationReport": body}


def render_etsi(report: Report) -> bytes:
    """The report as an XML document in UTF-8."""
    ElementTree.register_namespace("vr", _VR)
    ElementTree.register_namespace("ds", _DS)
    ((name, body),) = etsi_report(report).items()
    root = ElementTree.Element(_qualified(name))
    _fill(root, body)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return content + b"\n"


def _signature(entry: SignatureVerdict, report: Report) -> Node:
    node: Node = {}
    if entry.value is not None:
        node["SignatureIdentifier"] = {
            "ds:SignatureValue": _base64(entry.value),
            "HashOnly": "false",
            "DocHashOnly": "false",
        }
    node["ValidationTimeInfo"] = {
        "ValidationTime": _time(report.checked_at),
        "BestSignatureTime": {
            "POETime": _time(entry.proven_at or report.checked_at),
            # Without a timestamp the only time that is certain is that of this check.
            "TypeOfProof": f"{_URN}:poetype:validation",
        },
    }
    node["SignatureAttributes"] = _attributes(entry)
    if entry.certificate is not None:
        node["SignerInformation"] = {
            "SignerCertificate": {"@VOReference": _reference(entry.certificate)},
            "Signer": _clean(entry.signer or ""),
        }
    node["SignatureValidationProcess"] = {"SignatureValidationProcessID": f"{_URN}:validationprocess:LTA"}
    node["SignatureValidationStatus"] = _status(entry)
    return node


def _status(entry: SignatureVerdict) -> Node:
    node: Node = {"MainIndication": _MAIN[entry.indication]}
    if entry.sub_indication is not None:
        node["SubIndication"] = _sub_indication(entry.sub_indication)
    plain = {"integrity": entry.integrity, "trust": entry.trust, "level": entry.level}
    told = [f"{finding.code}: {finding.en}" for finding in (*entry.findings, *entry.later_changes)]
    node["AssociatedValidationReportData"] = {
        "AdditionalValidationReportData": {
            "ReportData": [
                *(_data(name, value) for name, value in plain.items() if value is not None),
                *(_data("finding", line) for line in told),
                *(_data("unknown-revocation", name) for name in entry.unknown_revocation),
            ]
        }
    }
    return node


def _data(name: str, value: str) -> Node:
    return {"Type": f"urn:sealflow:verdict:{name}", "Value": _clean(value)}


def _without_signature(report: Report) -> Node:
    main = _MAIN[report.indication] if report.indication is not None else _UNSIGNED
    node: Node = {"MainIndication": main}
    if report.indication is not None:
        node["SubIndication"] = _sub_indication(SubIndication.FORMAT_FAILURE)
    told = [_data("integrity", report.integrity), *(_data("finding", finding.en) for finding in report.findings)]
    node["AssociatedValidationReportData"] = {"AdditionalValidationReportData": {"ReportData": told}}
    return {"SignatureValidationStatus": node}


def _attributes(entry: SignatureVerdict) -> Node:
    node: Node = {}
    if entry.claimed_at is not None:
        node["SigningTime"] = {"@Signed": "true", "Time": _time(entry.claimed_at)}
    if entry.location:
        node["SignatureProductionPlace"] = {"@Signed": "true", "AddressString": _clean(entry.location)}
    node["SignatureTimeStamp"] = [_stamp(stamp) for stamp in entry.stamps if stamp.scope == "signature"]
    if entry.signed_digest is not None:
        node["MessageDigest"] = {"@Signed": "true", "Digest": _base64(entry.signed_digest)}
    node["DocTimeStamp"] = [_stamp(stamp) for stamp in entry.stamps if stamp.scope == "document"]
    if entry.reason:
        node["Reason"] = {"@Signed": "true", "ReasonElement": _clean(entry.reason)}
    return {name: value for name, value in node.items() if value != []}


def _stamp(stamp: Stamp) -> Node:
    return {"@Signed": "false", "TimeStampValue": _time(stamp.at)}


def _certificate(entry: SignatureVerdict) -> list[tuple[str, Node]]:
    if entry.certificate is None:
        return []
    identifier = _reference(entry.certificate)
    node = {
        "@id": identifier,
        "ObjectType": f"{_URN}:validationObject:certificate",
        "ValidationObjectRepresentation": {"DigestAlgAndValue": _digest(entry.certificate)},
    }
    return [(identifier, node)]


def _timestamp(number: int, entry: SignatureVerdict, report: Report) -> Node:
    """A document timestamp is an object of the validation and has a report of its own."""
    node: Node = {
        "@id": f"timestamp-{number}",
        "ObjectType": f"{_URN}:validationObject:timestamp",
        # Of one that cannot be read the whole file is all there is.
        "ValidationObjectRepresentation": {"DigestAlgAndValue": _digest(entry.cms_digest or report.digest)},
    }
    if entry.proven_at is not None and entry.trust is Trust.TRUSTED:
        node["POE"] = {"POETime": _time(entry.proven_at), "TypeOfProof": f"{_URN}:poetype:validation"}
    node["ValidationReport"] = _signature(entry, report)
    return node


def _reference(digest: str) -> str:
    return f"certificate-{digest}"


def _digest(hexadecimal: str) -> Node:
    return {"ds:DigestMethod": {"@Algorithm": _SHA256}, "ds:DigestValue": _base64(hexadecimal)}


def _sub_indication(reason: SubIndication) -> str:
    return f"{_URN}:subindication:{reason}"


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode("ascii")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold (XML 1.0, 2.2)."""
    return re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def _qualified(name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{_DS if prefix == 'ds' else _VR}}}{local}"


def _fill(element: ElementTree.Element, body: Node) -> None:
    for name, value in body.items():
        if name.startswith("@"):
            element.set(name[1:], value)
            continue
        for item in value if isinstance(value, list) else [value]:
            child = ElementTree.SubElement(element, _qualified(name))
            if isinstance(item, dict):
                _fill(child, item)
            else:
                child.text = str(item)
