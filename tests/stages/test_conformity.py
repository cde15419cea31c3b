"""PDF/A from the first rewrite to the archive: what each stage says of it, and what it costs to know."""

from pathlib import Path

import pikepdf
import pytest

from engine.errors import Rejected
from engine.pdf.conformance import Verdict, check_conformance
from engine.pdf.control import Control
from engine.pipeline.stage import Done
from engine.stages import conformity
from engine.stages.archive import Archive
from engine.stages.controls import Controls
from engine.stages.fill import Fill
from engine.stages.merge import Merge
from engine.stages.normalize import Normalize
from engine.stages.sign import Sign
from tests.pdf.raw_documents import document, one_page, stream
from tests.stages.desk import Desk
from tests.stages.standalone_work import standalone_work
from tests.trust.paper import draw_paper, draw_seal_picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

_LATIN = b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
_CONTROLS = (
    Control(name="姓名", kind="text", page=1, x=100, y=600),
    Control(name="party-a", kind="signature", page=1, x=100, y=300, width=120, height=120),
    Control(name="party-b", kind="signature", page=1, x=300, y=300, width=120, height=120),
    Control(name="riding", kind="riding-seal", field="party-a", y=450, width=120, height=120),
)


def _two_pages() -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R%s>>" % _LATIN
    return document(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
        page,
        page,
        stream(b"BT /F 12 Tf 72 700 Td (Agreement) Tj ET"),
    )


async def _base(desk: Desk, folder: Path) -> tuple[Path, dict[str, object]]:
    """A filled contract with two places to sign, and the facts about it."""
    source = folder / "source.pdf"
    source.write_bytes(_two_pages())
    facts: dict[str, object] = {"values": {"姓名": "张三"}}
    for number, stage in enumerate((Normalize(desk.sandbox), Controls(desk.sandbox, _CONTROLS), Fill(desk.sandbox))):
        done = await stage.run(standalone_work(folder / str(number), source, facts=facts))
        assert isinstance(done, Done) and done.outputs is not None
        (source,) = done.outputs
        facts |= done.facts
    return source, facts


async def _signed(desk: Desk, source: Path, folder: Path) -> Path:
    seal = draw_seal_picture(folder / "seal.png")
    for party, place in (("employer", "party-a"), ("employee", "party-b")):
        stage = Sign(
            desk.sandbox,
            desk.keyring,
            desk.timestamps,
            desk.revocation,
            desk.intents,
            as_=party,
            field=place,
            seal=seal,
        )
        done = await desk.carry_out(stage, source, folder)
        assert done.outputs is not None
        (source,) = done.outputs
    return source


async def test_a_signed_and_archived_contract_passes_and_says_so(desk: Desk, tmp_path: Path) -> None:
    base, facts = await _base(desk, tmp_path)
    signed = await _signed(desk, base, tmp_path)
    conformity._passed.clear()
    for _ in ("the seals are new", "the seals are known"):
        stage = Archive(desk.sandbox, desk.revocation, desk.timestamps, strict=True)
        done = await desk.carry_out(stage, signed, tmp_path, facts)
        assert done.facts["conformance"]["verdict"] == "pass"
        assert len(conformity._passed) == 1
    assert done.outputs is not None
    whole = check_conformance(done.outputs[0])  # without trusting that the base passed
    assert (whole.verdict, whole.violations) == (Verdict.PASS, ())


async def test_what_was_found_is_of_certain_bytes_only(desk: Desk, tmp_path: Path) -> None:
    base, facts = await _base(desk, tmp_path)
    signed = await _signed(desk, base, tmp_path)
    assert await conformity.proven_part(facts, signed, "PDF/A-2b") == base.stat().st_size
    assert await conformity.proven_part(facts, signed, "PDF/A-3b") == 0
    (tmp_path / "other.pdf").write_bytes(signed.read_bytes().replace(b"/Size", b"/size", 1))
    assert await conformity.proven_part(facts, tmp_path / "other.pdf", "PDF/A-2b") == 0
    (tmp_path / "short.pdf").write_bytes(base.read_bytes()[:-9])
    assert await conformity.proven_part(facts, tmp_path / "short.pdf", "PDF/A-2b") == 0
    assert await conformity.handed_on(facts, tmp_path / "other.pdf", signed) == {}
    assert await conformity.handed_on({}, base, signed) == {}


async def test_a_foreign_file_is_archived_and_its_faults_are_recorded_unless_the_option_demands_more(
    desk: Desk, tmp_path: Path
) -> None:
    signed = await _signed(desk, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    done = await desk.carry_out(Archive(desk.sandbox, desk.revocation, desk.timestamps), signed, tmp_path)
    found = done.facts["conformance"]
    assert (done.facts["level_achieved"], found["verdict"]) == ("B-LTA", "fail")
    assert {"6.1.7.1", "6.2.11.4.1", "6.6.2.1"} <= {one["clause"] for one in found["violations"]}
    assert all(one["zh"] and one["en"] and one["place"] for one in found["violations"])
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(Archive(desk.sandbox, desk.revocation, desk.timestamps, strict=True), signed, tmp_path)
    assert refusal.value.code == "archive.not_conforming" and refusal.value.facts["clause"]
    none = Archive(desk.sandbox, desk.revocation, desk.timestamps, profile="none")
    assert "conformance" not in (await desk.carry_out(none, signed, tmp_path)).facts


async def test_what_cannot_be_mended_does_not_claim_to_be_an_archive_file(desk: Desk, tmp_path: Path) -> None:
    inner = b"<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(A)/Ordering(B)/Supplement 0>>>>"
    content = one_page(
        b"BT /F 9 Tf 72 700 Td <0102> Tj ET",
        page=b"/Resources<</Font<</F 5 0 R>>>>",
        more=(b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Nobody-Knows-H/DescendantFonts[6 0 R]>>", inner),
    )
    (tmp_path / "source.pdf").write_bytes(content)
    for stage in (Normalize(desk.sandbox), Merge(desk.sandbox)):
        done = await stage.run(standalone_work(tmp_path / stage.name, tmp_path / "source.pdf"))
        assert isinstance(done, Done) and done.outputs is not None
        found = done.facts["conformance"]
        assert found["verdict"] != "pass"
        assert "6.2.11" in {one["clause"][:6] for one in found["violations"]}
        assert found["size"] == done.outputs[0].stat().st_size
        with pikepdf.open(done.outputs[0]) as pdf:
            assert pdf.open_metadata().pdfa_status == ""


async def test_a_file_too_large_to_judge_is_undecided_not_refused(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = "".join(f"{number} 0 0 rg 0 0 9 9 re f " for number in range(200_000))
    (tmp_path / "source.pdf").write_bytes(one_page(pages.encode()))
    monkeypatch.setattr(conformity, "LIMITS", conformity.Limits(cpu_seconds=1, wall_seconds=60.0))
    done = await Normalize(desk.sandbox).run(standalone_work(tmp_path / "work", tmp_path / "source.pdf"))
    assert isinstance(done, Done) and done.facts["conformance"]["verdict"] == "undecided"
    assert done.facts["pages"] == 1
