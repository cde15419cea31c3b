"""Guide, chapter 8, years later: whoever holds the contract can check it, and no forger gets past the check."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.errors import Rejected
from engine.trust import validation
from engine.trust.anchors import load_anchors
from tests.journeys import office as desk
from tests.journeys.office import Office, Said

Sealflow = Callable[..., Said]

GOOD = ("valid", "trusted", "B-LTA")


def verdict(said: Said) -> tuple[str, str, str | None]:
    return said.json["integrity"], said.json["trust"], said.json["level"]


def test_the_contract_is_intact_trusted_and_lasting(sealflow: Sealflow, contract: Path, tmp_path: Path) -> None:
    page = tmp_path / "checked.html"
    said = sealflow("verify", contract, "--html", page, "--json")
    assert (said.status, verdict(said)) == (0, GOOD)
    assert [one["kind"] for one in said.json["signatures"]] == ["signature", "signature", "timestamp"]
    assert all(one["proven_at"] for one in said.json["signatures"])
    assert "DEMO Employer" in page.read_text("utf-8")


def test_a_person_is_told_in_lines_that_fit(sealflow: Sealflow, contract: Path) -> None:
    said = sealflow("verify", contract)
    assert said.status == 0 and said.err == ""
    assert said.out.startswith("Intact")
    assert max(map(len, said.out.splitlines())) <= 80


def holes(content: bytes) -> list[tuple[int, int]]:
    """Where the digits of each signature stand."""
    return [match.span(1) for match in re.finditer(rb"/Contents *<([0-9a-fA-F]{1000,})>", content)]


@pytest.mark.asyncio(loop_scope="session")
async def test_one_changed_byte_anywhere_is_noticed(office: Office, contract: Path, home: Path, tmp_path: Path) -> None:
    roots = load_anchors(home / "demo-pki" / "anchors")
    whole = contract.read_bytes()
    places = {5, len(whole) - 7, len(whole) - 20, *random.Random(8).sample(range(len(whole)), 6)}
    for start, end in holes(whole):
        places |= {start - 1, start + 3000, end - 2, end + 5}
    forged = tmp_path / "forged.pdf"
    for place in sorted(places):
        changed = bytearray(whole)
        digit = chr(changed[place]) in "0123456789abcdefABCDEF"
        changed[place] = changed[place] ^ 1 if not digit else ord("1" if changed[place] == ord("0") else "0")
        forged.write_bytes(changed)
        try:
            report = await validation.verify(office.engine.tools.sandbox, forged, roots)
        except Rejected:
            continue  # no PDF any more
        assert (report.integrity, report.trust, report.level) != GOOD, place


def append_bytes(contract: Path, forged: Path) -> None:
    forged.write_bytes(contract.read_bytes() + b"\n% only a remark\n")


def swap_pages(contract: Path, forged: Path) -> None:
    """As a lawful-looking update: nothing that was signed is touched, the page tree is written anew."""
    with contract.open("rb") as file:
        writer = IncrementalPdfFileWriter(file)
        pages = writer.root["/Pages"]
        pages["/Kids"] = generic.ArrayObject([pages.raw_get("/Kids").raw_get(number) for number in (1, 0, 2)])
        writer.mark_update(writer.root.raw_get("/Pages"))
        with forged.open("wb") as target:
            writer.write(target)


def draw_over(contract: Path, forged: Path) -> None:
    """White paint over the first page, in an update."""
    with contract.open("rb") as file:
        writer = IncrementalPdfFileWriter(file)
        page = writer.root["/Pages"]["/Kids"][0]
        paint = writer.add_object(generic.StreamObject(stream_data=b"1 g 0 0 600 850 re f"))
        old = page.raw_get("/Contents")
        parts = list(old) if isinstance(old, generic.ArrayObject) else [old]
        page["/Contents"] = generic.ArrayObject([*parts, paint])
        writer.mark_update(page.container_ref)
        with forged.open("wb") as target:
            writer.write(target)


def save_anew(contract: Path, forged: Path) -> None:
    with pikepdf.open(contract) as pdf:
        pdf.save(forged)


def cut_out_the_first_signature(contract: Path, forged: Path) -> None:
    content = bytearray(contract.read_bytes())
    start, end = holes(bytes(content))[0]
    content[start:end] = b"0" * (end - start)
    forged.write_bytes(content)


@pytest.mark.parametrize("forge", [append_bytes, swap_pages, draw_over, save_anew, cut_out_the_first_signature])
def test_a_forged_contract_is_not_intact(
    sealflow: Sealflow, contract: Path, tmp_path: Path, forge: Callable[[Path, Path], None]
) -> None:
    forged = tmp_path / "forged.pdf"
    forge(contract, forged)
    said = sealflow("verify", forged, "--json")
    assert said.status == 65
    assert said.json["integrity"] in ("broken", "modified")
    told = sealflow("verify", forged)
    assert not told.out.startswith("Intact")


def test_strangers_roots_make_the_contract_intact_but_not_trusted(
    sealflow: Sealflow, contract: Path, tmp_path: Path
) -> None:
    said = sealflow("verify", contract, "--anchors", desk.strangers_anchors(tmp_path), "--json")
    assert (said.json["integrity"], said.json["trust"]) == ("valid", "untrusted")
