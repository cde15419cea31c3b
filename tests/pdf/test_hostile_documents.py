import asyncio
import time
from pathlib import Path

import pytest

from engine.errors import Rejected
from engine.pdf import inspection, intake, normalization
from engine.sandbox import Limits, Sandbox
from tests.pdf import hostile_documents
from tests.pdf.pictures_of_pages import size
from tests.pdf.raw_documents import document

_SECONDS = 20.0


async def _outcome(sandbox: Sandbox, source: Path, target: Path) -> str:
    """What became of a document; whatever is neither a clean A4 file nor a reason raises."""
    try:
        await sandbox.call(normalization.normalize, source, target)
    except Rejected as refusal:
        assert refusal.text.zh and refusal.text.en
        return refusal.code
    assert (await sandbox.call(inspection.inspect, target)).clean
    assert size(target) == pytest.approx((595.276, 841.89), abs=0.01)
    return "normalized"


async def test_loops_bombs_and_depth_end_soon_as_clean_a4_or_with_a_reason(tmp_path: Path) -> None:
    sandbox = Sandbox(preload=["engine.pdf.normalization"], limits=Limits(memory_mb=1024, wall_seconds=_SECONDS))
    try:
        for name, content in hostile_documents.endless().items():
            source = tmp_path / "source.pdf"
            source.write_bytes(content)
            started = time.monotonic()
            outcome = await _outcome(sandbox, source, tmp_path / "target.pdf")
            assert time.monotonic() - started < _SECONDS, name
            assert outcome in {"normalized", "document.damaged", "document.too_large"}, name
    finally:
        await sandbox.close()


async def test_malformed_values_never_surface_as_our_fault(tmp_path: Path) -> None:
    sandbox = Sandbox(preload=["engine.pdf.normalization"])
    outcomes: dict[str, str] = {}

    async def one(number: int, name: str, content: bytes) -> None:
        source = tmp_path / f"{number}.pdf"
        source.write_bytes(content)
        outcomes[name] = await _outcome(sandbox, source, tmp_path / f"{number}.target.pdf")

    try:
        await asyncio.gather(*(one(number, *item) for number, item in enumerate(hostile_documents.malformed().items())))
    finally:
        await sandbox.close()
    assert set(outcomes.values()) == {"normalized", "document.damaged"}
    for name in ("no pages", "no catalog", "header only", "broken flate", "unknown filter"):
        assert outcomes[name] == "document.damaged"


async def test_a_content_bomb_is_called_too_large(tmp_path: Path) -> None:
    source = tmp_path / "bomb.pdf"
    source.write_bytes(hostile_documents.endless()["content that inflates to 600 MB"])
    assert source.stat().st_size < 700_000
    sandbox = Sandbox()
    try:
        with pytest.raises(Rejected) as refusal:
            await sandbox.call(normalization.normalize, source, tmp_path / "target.pdf")
    finally:
        await sandbox.close()
    assert refusal.value.code == "document.too_large"


def test_a_file_cut_off_before_its_content_is_refused_rather_than_blank(tmp_path: Path) -> None:
    source = tmp_path / "torn.pdf"
    source.write_bytes(hostile_documents.malformed()["cut at 210"])
    with pytest.raises(Rejected) as refusal:
        normalization.normalize(source, tmp_path / "target.pdf")
    assert refusal.value.code == "document.damaged"


def test_too_many_pages_are_refused_with_both_numbers(tmp_path: Path) -> None:
    kids = b"".join(b"%d 0 R " % number for number in range(3, 9))
    pages = [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"] * 6
    source = tmp_path / "long.pdf"
    source.write_bytes(
        document(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 6/Kids[" + kids + b"]>>", *pages)
    )
    with pytest.raises(Rejected) as refusal:
        normalization.normalize(source, tmp_path / "target.pdf", page_limit=5)
    assert refusal.value.code == "document.too_many_pages"
    assert (refusal.value.facts["pages"], refusal.value.facts["limit"]) == (6, 5)
    assert normalization.normalize(source, tmp_path / "target.pdf", page_limit=6).pages == 6


def test_reasons_name_the_file_but_not_its_folder(tmp_path: Path) -> None:
    source = tmp_path / "torn.pdf"
    source.write_bytes(b"%PDF-1.7\n")
    with pytest.raises(Rejected) as refusal, intake.reading(source.name), intake.open_pdf(source):
        pass
    assert str(tmp_path) not in str(refusal.value.to_dict())
