"""Reports are read back by the bindings to ETSI's own schema; they refuse whatever the schema does not know."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from pyhanko.generated.etsi.ts_11910202 import ValidationReport
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser

from engine.trust.etsi_report import etsi_report, render_etsi
from engine.trust.indications import Indication, SubIndication
from engine.trust.inspection import inspect_file
from engine.trust.verdict import Finding, Integrity, Report, Trust
from tests.fuzz.seeds import corpus_files
from tests.trust.forgery import TEXT, append, signed_pdf
from tests.trust.paper import make_key
from tests.trust.test_later_changes import edit
from tests.trust.test_report import make_report

ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
_PARSER = XmlParser(context=XmlContext())
NAMES = {"{http://uri.etsi.org/19102/v1.2.1#}": "", "{http://www.w3.org/2000/09/xmldsig#}": "ds:"}


def read(report: Report) -> ValidationReport:
    return _PARSER.from_bytes(render_etsi(report), ValidationReport)


def judge(content: bytes, folder: Path) -> Report:
    file = folder / "judged.pdf"
    file.write_bytes(content)
    return inspect_file(file, "ab" * 32, (ROOT.certificate.dump(),), datetime.now(UTC))


def as_nodes(element: ElementTree.Element) -> Any:
    """The XML in the structure of its JSON twin."""
    if not len(element) and not element.attrib:
        return element.text or ""
    node: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        name = child.tag
        for space, prefix in NAMES.items():
            name = name.replace(space, prefix)
        node.setdefault(name, []).append(as_nodes(child))
    return node


def one_shape(value: Any) -> Any:
    """Every entry as a list of texts or of such dictionaries, so that two writings can be compared."""
    if isinstance(value, dict):
        return {
            name: inner
            if name.startswith("@")
            else [one_shape(item) for item in (inner if isinstance(inner, list) else [inner])]
            for name, inner in value.items()
        }
    return value


def test_a_signature_whose_revocation_is_unknown_is_indeterminate(tmp_path: Path) -> None:
    report = judge(signed_pdf(PERSON), tmp_path)
    (part,) = read(report).signature_validation_report
    status = part.signature_validation_status
    assert status is not None and part.signer_information is not None and part.signature_identifier is not None
    assert status.main_indication == "urn:etsi:019102:mainindication:indeterminate"
    assert status.sub_indication == ("urn:etsi:019102:subindication:TRY_LATER",)
    assert part.signature_identifier.signature_value is not None
    assert part.signature_identifier.signature_value.value.hex() == report.signatures[0].value
    assert part.signer_information.signer == "Common Name: Sample Person, Country: CN"


def test_a_changed_file_says_so_beside_the_status(tmp_path: Path) -> None:
    report = judge(append(signed_pdf(PERSON), edit(TEXT, b"(100)", b"(900)")), tmp_path)
    text = render_etsi(report).decode()
    assert "urn:etsi:019102:subindication:SIG_CONSTRAINTS_FAILURE" in text
    assert "urn:sealflow:verdict:integrity" in text and ">modified<" in text
    read(report)


def test_every_reference_leads_to_an_object(tmp_path: Path) -> None:
    found = read(judge(signed_pdf(PERSON), tmp_path))
    assert found.signature_validation_objects is not None
    known = {item.id for item in found.signature_validation_objects.validation_object}
    for part in found.signature_validation_report:
        assert part.signer_information is not None and part.signer_information.signer_certificate is not None
        assert set(part.signer_information.signer_certificate.voreference) <= known


@pytest.mark.parametrize("integrity", list(Integrity))
def test_every_verdict_gives_a_report_of_the_schema(integrity: Integrity) -> None:
    for more in ({}, {"signatures": (), "findings": (Finding("document.odd", "怪", "odd \x00 \ufffe"),)}):
        read(make_report(integrity, Trust.TRUSTED, **more))


def test_an_unsigned_file_has_no_signature_found() -> None:
    (part,) = read(make_report(Integrity.UNSIGNED, signatures=())).signature_validation_report
    assert part.signature_validation_status is not None
    assert part.signature_validation_status.main_indication == "urn:etsi:019102:mainindication:noSignatureFound"


def test_all_words_of_the_standard_are_written_as_it_writes_them() -> None:
    from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate

    known = {status.standard_name for status in (*AdESFailure, *AdESIndeterminate)} | {"EXPIRED", "GENERIC"}
    assert {str(reason) for reason in SubIndication} <= known
    assert {str(main) for main in Indication} == {"TOTAL-PASSED", "TOTAL-FAILED", "INDETERMINATE"}


def test_the_json_twin_says_the_same_in_the_same_structure(tmp_path: Path) -> None:
    report = judge(signed_pdf(PERSON), tmp_path)
    twin = msgspec.json.decode(msgspec.json.encode(etsi_report(report)))
    xml = as_nodes(ElementTree.fromstring(render_etsi(report)))
    assert one_shape(twin["ValidationReport"]) == one_shape(xml)


@pytest.mark.skipif(not corpus_files(), reason="SEALFLOW_CORPUS names no folder with signed files")
def test_foreign_files_give_reports_of_the_schema() -> None:
    for file in corpus_files():
        read(inspect_file(file, "ab" * 32, (), datetime.now(UTC)))
