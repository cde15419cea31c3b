"""The stages ``sign``, ``timestamp`` and ``archive`` on one desk: the demo PKI, a ledger and a content store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pikepdf
import pytest

from engine.errors import Misuse, Rejected
from engine.pdf.control import Control
from engine.pdf.placement import place_controls
from engine.pipeline.resolution import Catalogue, build_stage
from engine.pipeline.stage import Work
from engine.sandbox import Child, Sandbox
from engine.stages.archive import Archive
from engine.stages.sign import Sign
from engine.stages.signature import HolderValues
from engine.stages.timestamp import Timestamp
from engine.trust.anchors import load_anchors
from engine.trust.demo import ensure_demo
from engine.trust.intent import Intents
from engine.trust.keyring import Sources
from engine.trust.keys import Keyring, Pkcs12Keyring
from engine.trust.revocation import RevocationSource
from engine.trust.timestamps import TimestampClient
from engine.trust.validation import verify
from engine.trust.verdict import Integrity, Trust
from tests.pdf.blank_pages import write_blank
from tests.stages.desk import Desk
from tests.trust.paper import Rack, draw_paper, draw_seal_picture

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_contract_is_signed_by_two_and_archived(desk: Desk, tmp_path: Path) -> None:
    seal = draw_seal_picture(tmp_path / "seal.png")
    source = draw_paper(tmp_path / "paper.pdf")
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
            reason="同意",
        )
        done = await desk.carry_out(stage, source, tmp_path)
        assert done.facts["level_achieved"] == done.facts["level_requested"] == "B-T"
        assert done.facts[f"signature:{place}"]["party"] == party
        assert done.facts[f"signature:{place}"]["stamped_at"]
        assert done.outputs is not None
        source = done.outputs[0]
    done = await desk.carry_out(Archive(desk.sandbox, desk.revocation, desk.timestamps), source, tmp_path)
    assert (done.facts["level_requested"], done.facts["level_achieved"]) == ("B-LTA", "B-LTA")
    assert done.facts["conformance"]["verdict"] == "fail"  # nobody normalised this paper: said, not refused


async def test_level_b_b_needs_no_timestamp_and_claims_none(desk: Desk, tmp_path: Path) -> None:
    stage = Sign(
        desk.sandbox,
        desk.keyring,
        desk.timestamps,
        desk.revocation,
        desk.intents,
        as_="employer",
        field="party-a",
        level="B-B",
    )
    done = await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert done.facts["level_achieved"] == "B-B"
    assert done.facts["signature:party-a"]["stamped_at"] is None


async def test_only_documents_that_we_wrote_anew_take_turns_in_a_child(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    original = Sandbox._open

    async def watched(self: Sandbox) -> Child:
        opened.append(1)
        return await original(self)

    monkeypatch.setattr(Sandbox, "_open", watched)
    stage = Sign(
        desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents,
        as_="employer", field="party-a", level="B-B",
    )  # fmt: skip
    paper = draw_paper(tmp_path / "paper.pdf")

    async def children(facts: dict[str, object]) -> int:
        opened.clear()
        await desk.carry_out(stage, paper, tmp_path, facts)
        return len(opened)

    await children({"inspection": [], "rewritten": True})
    assert await children({"inspection": [], "rewritten": True}) == 0
    assert await children({"inspection": []}) == 1, "it was looked at, but others wrote it"


async def test_the_certificate_must_name_whom_the_document_says(desk: Desk, tmp_path: Path) -> None:
    paper = draw_paper(tmp_path / "paper.pdf")

    def sign(holder: object) -> Sign:
        return Sign(
            desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents,
            as_="employer", field="party-a", level="B-B", holder=holder,  # type: ignore[arg-type]
        )  # fmt: skip

    asked = sign(HolderValues("company"))
    for holder, facts, code in (
        (sign("示例科技有限公司"), {}, "keys.holder_differs"),
        (asked, {"values": {"company": "示例科技有限公司"}}, "keys.holder_differs"),
        (asked, {"values": {"company": " "}}, "sign.holder_value"),
        (asked, {}, "sign.holder_value"),
    ):
        with pytest.raises(Rejected) as refusal:
            await desk.carry_out(holder, paper, tmp_path, facts)
        assert refusal.value.code == code
    named = {"values": {"company": "demo employer　演示用人单位"}}
    assert (await desk.carry_out(asked, paper, tmp_path, named)).facts["level_achieved"] == "B-B"


async def test_one_key_under_two_names_does_not_sign_one_file_for_both(desk: Desk, tmp_path: Path) -> None:
    for suffix in (".p12", ".passphrase"):
        for party in ("employer", "employee"):
            shutil.copy(desk.keys / f"employer{suffix}", tmp_path / f"{party}{suffix}")
    keyring = Sources([Pkcs12Keyring(tmp_path)])
    first, second = (
        Sign(desk.sandbox, keyring, desk.timestamps, desk.revocation, desk.intents, as_=party, field=place, level="B-B")
        for party, place in (("employer", "party-a"), ("employee", "party-b"))
    )
    done = await desk.carry_out(first, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert done.outputs is not None
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(second, done.outputs[0], tmp_path, done.facts)
    assert refusal.value.code == "keys.shared"


async def test_a_timestamp_is_appended_to_any_file(desk: Desk, tmp_path: Path) -> None:
    await desk.carry_out(Timestamp(desk.sandbox, desk.timestamps), draw_paper(tmp_path / "p.pdf", ()), tmp_path)


async def test_an_sm2_contract_is_signed_stamped_and_archived_over_sm3_alone(desk: Desk, tmp_path: Path) -> None:
    """Where the only authority is one for SM2, nothing may rest on another digest."""
    home = desk.keys.parent
    anchors, demo = load_anchors(home / "anchors"), await ensure_demo(home, "development")
    source = draw_paper(tmp_path / "paper.pdf")
    assert demo.sm2_authority is not None
    async with TimestampClient([demo.sm2_authority], anchors) as timestamps:
        services = (desk.sandbox, desk.keyring, timestamps, desk.revocation, desk.intents)
        for stage in (
            Sign(*services, as_="employer-sm2", field="party-a"),
            Sign(*services, as_="employee-sm2", field="party-b"),
            Archive(desk.sandbox, desk.revocation, timestamps),
            Timestamp(desk.sandbox, timestamps, "sm3"),
        ):
            done = await desk.carry_out(stage, source, tmp_path)
            assert done.outputs is not None
            source = done.outputs[0]
    report = await verify(desk.sandbox, source, anchors)
    assert (report.integrity, report.trust, report.level) == (Integrity.VALID, Trust.TRUSTED, "B-LTA")
    assert [entry.kind for entry in report.signatures] == ["signature", "signature", "timestamp", "timestamp"]
    assert {entry.algorithm for entry in report.signatures} == {"sm2_sm3 / sm3"}


@pytest.mark.parametrize("options", [{"as_": "employer"}, {"field": "party-a"}])
async def test_a_missing_option_is_named(desk: Desk, tmp_path: Path, options: dict[str, str]) -> None:
    stage = Sign(desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents, **options)  # type: ignore[arg-type]
    with pytest.raises(Misuse) as refusal:
        await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert refusal.value.code == "sign.option"


async def test_nothing_is_signed_or_archived_on_top_of_a_broken_signature(desk: Desk, tmp_path: Path) -> None:
    first = Sign(
        desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents, as_="employer", field="party-a"
    )
    done = await desk.carry_out(first, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert done.outputs is not None
    content = done.outputs[0].read_bytes()
    forged = tmp_path / "forged.pdf"
    forged.write_bytes(content.replace(b"/MediaBox [ 0 0 595", b"/MediaBox [ 0 0 195", 1))
    assert forged.read_bytes() != content
    second = Sign(
        desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents, as_="employee", field="party-b"
    )
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(second, forged, tmp_path)
    assert refusal.value.code == "signature.earlier_broken"
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(Archive(desk.sandbox, desk.revocation, desk.timestamps), forged, tmp_path)
    assert refusal.value.code == "archive.not_intact"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"])
async def test_a_seal_that_is_no_picture_is_refused(desk: Desk, tmp_path: Path, content: bytes) -> None:
    seal = tmp_path / "seal.png"
    seal.write_bytes(content)
    stage = Sign(
        desk.sandbox,
        desk.keyring,
        desk.timestamps,
        desk.revocation,
        desk.intents,
        as_="employer",
        field="party-a",
        seal=seal,
    )
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert refusal.value.code == "seal.unreadable"


async def test_a_document_nobody_rewrote_is_refused_before_its_first_signature_if_it_acts(
    desk: Desk, tmp_path: Path
) -> None:
    import pikepdf

    source = tmp_path / "acting.pdf"
    with pikepdf.open(draw_paper(tmp_path / "paper.pdf")) as pdf:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        pdf.save(source)
    stage = Sign(
        desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents, as_="employer", field="party-a"
    )
    used = len(desk.notebook.entries)
    with pytest.raises(Rejected) as refused:
        await desk.carry_out(stage, source, tmp_path)
    assert refused.value.code == "document.not_clean"
    assert "action.script" in str(refused.value.facts["findings"])
    assert len(desk.notebook.entries) == used, "no key was used"


async def test_archiving_looks_at_every_revision_unless_these_very_bytes_were_sound(desk: Desk, tmp_path: Path) -> None:
    stage = Sign(
        desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents, as_="employer", field="party-a"
    )
    done = await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert done.outputs is not None
    signed = done.outputs[0]
    tampered = tmp_path / "tampered.pdf"
    content = bytearray(signed.read_bytes())
    content[content.index(b"/MediaBox") + 1] ^= 1
    tampered.write_bytes(content)
    workspace = tmp_path / "archive"
    workspace.mkdir()
    facts = {"sound": done.facts["sound"]}
    work = Work((tampered,), facts, workspace, "x", desk.notebook, Rack(tmp_path / "rack"))  # type: ignore[arg-type]
    with pytest.raises(Rejected, match=r"archived|damaged"):
        await Archive(desk.sandbox, desk.revocation, desk.timestamps).run(work)


async def test_a_lone_signer_reaches_the_archival_level_in_one_stage(desk: Desk, tmp_path: Path) -> None:
    parts = (desk.sandbox, desk.keyring, desk.timestamps, desk.revocation, desk.intents)
    stage = Sign(*parts, as_="platform", field="party-a", level="B-LTA")
    done = await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert (done.facts["level_requested"], done.facts["level_achieved"]) == ("B-LTA", "B-LTA")
    assert done.facts["signature:party-a"]["stamped_at"]


async def test_no_key_is_used_while_no_authority_could_stamp_its_signature(desk: Desk, tmp_path: Path) -> None:
    """This desk's only authority stamps with SHA-2."""
    before = len(desk.notebook.entries)
    stage = Sign(
        desk.sandbox,
        desk.keyring,
        desk.timestamps,
        desk.revocation,
        desk.intents,
        as_="employer-sm2",
        field="party-a",
    )
    with pytest.raises(Misuse) as caught:
        await desk.carry_out(stage, draw_paper(tmp_path / "paper.pdf"), tmp_path)
    assert caught.value.code == "timestamp.no_authority_for"
    assert 'digest = "sm3"' in caught.value.say("zh")
    assert len(desk.notebook.entries) == before


async def test_a_seal_is_drawn_from_a_value_of_the_document(desk: Desk, tmp_path: Path) -> None:
    field = Control(name="甲方盖章", kind="signature", page=1, x=100, y=100, width=114, height=114)
    place_controls(write_blank(tmp_path / "blank.pdf"), tmp_path / "placed.pdf", (field,))
    options = {"as": "employer", "field": "甲方盖章", "level": "B-B"}
    seal = {"kind": "company", "name": {"value": "单位名称"}, "number": "9999990000000"}
    services = {
        Sandbox: desk.sandbox,
        Keyring: desk.keyring,
        TimestampClient: desk.timestamps,
        RevocationSource: desk.revocation,
        Intents: desk.intents,
    }
    stage = build_stage(Sign, {**options, "seal": seal}, Catalogue({}, services), {}, place="test")
    with pytest.raises(Rejected) as refusal:
        await desk.carry_out(stage, tmp_path / "placed.pdf", tmp_path)
    assert refusal.value.code == "seal.no_value"
    done = await desk.carry_out(stage, tmp_path / "placed.pdf", tmp_path, {"values": {"单位名称": "示例公司"}})
    assert done.outputs is not None
    with pikepdf.open(done.outputs[0]) as signed:
        look = signed.Root.AcroForm.Fields[0].AP.N
        assert look.Resources.XObject.Seal.Subtype == "/Form" and look.Resources.ExtGState.Ink.BM == "/Multiply"
    for wrong in (
        {"kind": "square", "name": "x"},
        {"kind": "company"},
        {**seal, "size": 60},
        {**seal, "colour": "blue"},
    ):
        with pytest.raises(Misuse) as misuse:
            build_stage(Sign, {**options, "seal": wrong}, Catalogue({}, services), {}, place="test")
        assert misuse.value.code == "pipeline.bad_option"
