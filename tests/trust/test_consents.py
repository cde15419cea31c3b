"""Proofs of intent held against signed files: the right ones pass, and nothing else does."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyhanko.pdf_utils.generic import StreamObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.errors import Rejected
from engine.trust.consents import Standing, check_consents, load_proofs
from engine.trust.intent import IntentProof
from engine.trust.preparation import SignatureOrder
from engine.trust.signing import Surroundings, sign_document
from tests.trust.paper import Notebook, Rack, draw_paper, prove
from tests.trust.test_permissions import PERSON, Here, fill, form  # noqa: F401  # a fixture

PARTIES = ("party-a", "party-b", "party-c")


def sign(source: Path, field: str, proof: IntentProof) -> Path:
    folder = source.with_name(f"{source.stem}-{field}")
    folder.mkdir()
    around = Surroundings(Here(), Rack(folder / "rack"), Notebook().once, field, folder)
    order = SignatureOrder(field, datetime.now(UTC), 0)
    return asyncio.run(sign_document(source, folder / f"{field}.pdf", order, PERSON, None, around, proof))


def standings(file: Path, *proofs: IntentProof) -> list[str]:
    return [str(consent.standing) for consent in check_consents(file, proofs)]


def paint(source: Path) -> Path:
    """Somebody appends to what a page shows."""
    writer = IncrementalPdfFileWriter(io.BytesIO(source.read_bytes()), strict=False)
    page = writer.find_page_for_modification(0)[0].get_object()
    page[pdf_name("/Contents")] = writer.add_object(StreamObject(stream_data=b"0 0 9 9 re f"))
    target = source.with_name("painted.pdf")
    with target.open("wb") as out:
        writer.write(out)
    return target


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return draw_paper(tmp_path / "paper.pdf", PARTIES)


def test_every_party_agreed_to_the_document_before_the_first_signature(paper: Path) -> None:
    proofs = [prove(paper, party) for party in PARTIES]
    file = paper
    for party, proof in zip(PARTIES, proofs, strict=True):
        file = sign(file, party, proof)
    assert standings(file, *proofs) == ["bound"] * 3
    assert standings(file, proofs[1]) == ["missing", "bound", "missing"]
    assert standings(file) == ["missing"] * 3
    content = file.read_bytes()
    assert all(content[: proof.size] == paper.read_bytes() for proof in proofs)


def test_a_proof_that_was_touched_is_no_longer_the_one_that_was_named(paper: Path) -> None:
    proof = prove(paper)
    file = sign(paper, "party-a", proof)
    for name in ("party", "factor", "vendor", "reference", "document", "token"):
        assert standings(file, msgspec.structs.replace(proof, **{name: "0" * 64})) == ["missing"], name


def test_a_signature_made_with_a_proof_about_another_document_is_told(paper: Path, tmp_path: Path) -> None:
    other = prove(draw_paper(tmp_path / "other.pdf", PARTIES, pages=3))
    assert standings(sign(paper, "party-a", other), other) == ["other_document"]
    beginning = msgspec.structs.replace(prove(paper), size=len(paper.read_bytes()) - 9)
    assert standings(sign(sign(paper, "party-b", beginning), "party-a", prove(paper)), beginning) == [
        "other_document",
        "missing",
    ]


def test_what_is_painted_between_consent_and_signature_is_told(paper: Path) -> None:
    proof = prove(paper)
    assert standings(sign(paint(paper), "party-a", proof), proof) == ["altered"]


def test_what_is_filled_in_between_consent_and_signature_is_told(form: Path) -> None:  # noqa: F811
    proof = prove(form)
    assert standings(sign(fill(form, "wage", "2"), "a", proof), proof) == ["altered"]
    first = sign(form, "a", proof)
    assert standings(sign(fill(first, "wage", "2"), "b", proof), proof) == ["bound", "altered"]


def test_a_broken_signature_proves_no_intent(paper: Path, tmp_path: Path) -> None:
    proof = prove(paper)
    content = sign(paper, "party-a", proof).read_bytes()
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(content.replace(b"/MediaBox [ 0 0 595", b"/MediaBox [ 0 0 195", 1))
    assert standings(broken, proof) == ["broken"]


@pytest.mark.parametrize("shape", ["one", "list", "object", "folder"])
def test_proofs_are_read_from_a_file_or_a_folder(paper: Path, tmp_path: Path, shape: str) -> None:
    proof = prove(paper)
    plain: Any = proof.to_dict()
    place = tmp_path / "proofs.json"
    content = {"list": [plain], "object": {"intent:a": plain}}.get(shape, plain)
    place.write_text(json.dumps(content), "utf-8")
    if shape == "folder":
        (tmp_path / "in").mkdir()
        place = place.rename(tmp_path / "in" / "a.json").parent
    assert load_proofs(place) == (proof,)


@pytest.mark.parametrize("content", ["", "{", '{"token": 1}', "[1]", '"x"'])
def test_what_is_no_proof_is_refused(tmp_path: Path, content: str) -> None:
    place = tmp_path / "proofs.json"
    place.write_text(content, "utf-8")
    with pytest.raises(Rejected, match="intent"):
        load_proofs(place)


def test_every_standing_has_words() -> None:
    from engine.trust.consents import WORDS

    assert set(WORDS) == set(Standing)
