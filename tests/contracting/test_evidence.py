"""The bundle of a real contract: verified by a machine without our software, altered byte by byte, made only once."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path

import pytest

from engine.assembly import open_engine
from engine.contracting.offline.certificates import Trust, read_pem
from engine.contracting.offline.container import write_container
from engine.contracting.offline.statements import canonical
from engine.contracting.offline.verifier import Findings, examine, examine_seal, examine_sealers
from engine.contracting.page import FIELD
from engine.errors import Conflict
from engine.pipeline.runner import initial_facts
from engine.sandbox import Sandbox
from engine.settings import Settings
from engine.trust import validation
from engine.trust.anchors import load_anchors
from tests.contracting.stand import SAMPLES, Made, by_openssl, by_python, flipped, packed

SEAL = ("manifest.json", "manifest.p7s", "manifest.tsr")


def test_a_machine_with_only_python_and_no_network_verifies_it(made: Made, verifier: Path) -> None:
    verdict = by_python(verifier, made.bundle, "--lang", "en")
    assert verdict.status == 0, verdict.out
    assert verdict.out.endswith("\nVERIFIED\n")
    assert "甲方盖章" in verdict.out and "乙方签字" in verdict.out
    assert "no openssl, no network" in verdict.out
    assert "compare its SHA-256 fingerprint" in verdict.out


def test_it_speaks_chinese_too(made: Made, verifier: Path) -> None:
    assert by_python(verifier, made.bundle, "--lang", "zh").out.endswith("\n验证通过\n")


def test_a_machine_with_only_openssl_and_no_network_verifies_it(made: Made, verifier: Path) -> None:
    verdict = by_openssl(verifier, made.bundle)
    assert verdict.status == 0, verdict.out
    assert verdict.out.count("[OK] signatures/") == 3, "both parties and the platform on its page"
    assert verdict.out.count("[OK] timestamps/") == 2, "the document timestamps of contract and page"


def test_openssl_alone_verifies_the_seal_by_hand(members: dict[str, bytes], tmp_path: Path) -> None:
    for name in SEAL:
        (tmp_path / name).write_bytes(members[name])
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(b"".join(content for name, content in members.items() if name.startswith("anchors/")))
    for command in (
        "cms -verify -binary -inform DER -in manifest.p7s -content manifest.json -purpose any -out /dev/null",
        "ts -verify -data manifest.p7s -in manifest.tsr",
    ):
        told = subprocess.run(["openssl", *command.split(), "-CAfile", anchors], cwd=tmp_path, capture_output=True)
        assert told.returncode == 0, told.stderr


def test_whichever_byte_of_a_member_is_flipped_the_member_is_named(
    members: dict[str, bytes], verifier: Path, tmp_path: Path
) -> None:
    """Every member, by the program that travels; the zip is in order, so only what is sealed can tell."""
    for name, content in sorted(members.items()):
        position = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % len(content)
        spoiled = packed(tmp_path / "spoiled.zip", {**members, name: flipped(content, position)})
        verdict = by_python(verifier, spoiled)
        assert (verdict.status, verdict.named) == (1, [name]), (name, position, verdict.out)


def test_ends_and_middle_of_every_member_are_held_as_well(members: dict[str, bytes]) -> None:
    for name, content in sorted(members.items()):
        for position in sorted({0, len(content) // 2, len(content) - 1}):
            target = io.BytesIO()
            write_container(target, sorted({**members, name: flipped(content, position)}.items()))
            found = Findings(chinese=False)
            examine(memoryview(target.getvalue()), found)
            assert found.named == [name], (name, position, found.lines)


def test_no_byte_of_the_seal_can_be_changed_unseen(members: dict[str, bytes]) -> None:
    """What no digest lists is held by signatures alone, its certificates and the tags around it included."""
    anchors = [one for name in members if name.startswith("anchors/") for one in read_pem(members[name])]
    for name in ("manifest.p7s", "manifest.tsr"):
        for position in (*range(0, len(members[name]), 61), 68):
            found = Findings(chinese=False)
            spoiled = {**members, name: flipped(members[name], position)}
            examine_seal(spoiled, found)
            if not found.failed:
                examine_sealers(spoiled, Trust(anchors, []), found)
            assert found.named == [name], (name, position, found.lines)


@pytest.mark.parametrize("name", ["verify.py", "verify.sh", "contract.pdf", *SEAL])
def test_the_shell_names_an_altered_member_too(
    name: str, members: dict[str, bytes], verifier: Path, tmp_path: Path
) -> None:
    """So the two programs check each other."""
    content = members[name]
    spoiled = packed(tmp_path / "spoiled.zip", {**members, name: flipped(content, len(content) - 9)})
    verdict = by_openssl(verifier, spoiled)
    assert (verdict.status, verdict.named) == (1, [name]), verdict.out


def test_a_verifier_that_is_not_the_bundles_says_so(made: Made, verifier: Path, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes((verifier / "verify.py").read_bytes() + b"# other\n")
    verdict = by_python(tmp_path, made.bundle)
    assert verdict.status == 0
    assert "[--] verify.py: the program that runs is not the bundle's" in verdict.out


def test_a_member_that_is_gone_or_was_added_is_named(members: dict[str, bytes], verifier: Path, tmp_path: Path) -> None:
    rest = {name: content for name, content in members.items() if name != "record.json"}
    fewer = packed(tmp_path / "fewer.zip", rest)
    more = packed(tmp_path / "more.zip", {**members, "another.pdf": b"%PDF-1.7"})
    for verify in (by_python, by_openssl):
        assert (verify(verifier, fewer).status, verify(verifier, fewer).named) == (1, ["record.json"])
        assert (verify(verifier, more).status, verify(verifier, more).named) == (1, ["another.pdf"])


@pytest.mark.parametrize("missing", SEAL)
def test_a_bundle_without_its_seal_is_not_verified(
    missing: str, members: dict[str, bytes], verifier: Path, tmp_path: Path
) -> None:
    bundle = packed(tmp_path / "bare.zip", {name: one for name, one in members.items() if name != missing})
    for verify in (by_python, by_openssl):
        assert (verify(verifier, bundle).status, verify(verifier, bundle).named) == (1, [missing])


def test_what_lies_outside_the_members_is_found(made: Made, verifier: Path, tmp_path: Path) -> None:
    whole = made.bundle.read_bytes()
    first = whole.index(b"PK\3\4", 4)
    cases = {"before": b"#!" + whole, "behind": whole + b"\0", "between": whole[:first] + b"\0" * 8 + whole[first:]}
    for name, content in cases.items():
        bundle = tmp_path / f"{name}.zip"
        bundle.write_bytes(content)
        for verify in (by_python, by_openssl):
            assert verify(verifier, bundle).status == 1, (name, verify)


def test_a_second_export_gives_the_same_bytes(made: Made) -> None:
    assert made.bundle.read_bytes() == made.again.read_bytes()


async def test_later_it_gives_the_same_bytes_again_and_nothing_of_a_run_that_is_not_finished(
    made: Made, evidence_settings: Settings, tmp_path: Path
) -> None:
    async with open_engine(evidence_settings) as engine:
        await engine.evidence(made.run, tmp_path / "later.zip")
        source = SAMPLES / "labour-contract.docx"
        digest = await engine.pin("labour-contract")
        run_id = await engine.runner.submit(digest, [(source.name, source)], initial_facts({}))
        with pytest.raises(Conflict) as refusal:
            await engine.evidence(await engine.get(run_id), tmp_path / "early.zip")
    assert (tmp_path / "later.zip").read_bytes() == made.bundle.read_bytes()
    assert refusal.value.code == "evidence.unfinished"
    assert not (tmp_path / "early.zip").exists()


def test_the_contract_inside_is_the_contract(made: Made, members: dict[str, bytes]) -> None:
    assert members["contract.pdf"] == made.contract.read_bytes()
    assert hashlib.sha256(members["contract.pdf"]).hexdigest() == made.run.head[0]


async def test_the_evidence_page_is_itself_signed_stamped_and_archived(
    members: dict[str, bytes], evidence_settings: Settings, tmp_path: Path
) -> None:
    page = tmp_path / "page.pdf"
    page.write_bytes(members["evidence-page.pdf"])
    sandbox = Sandbox()
    report = await validation.verify(sandbox, page, load_anchors(evidence_settings.home / "demo-pki" / "anchors"))
    await sandbox.close()
    assert (report.integrity, report.trust, report.level) == ("valid", "trusted", "B-LTA")
    assert report.signatures[0].fields == (FIELD,)


def test_the_journal_inside_holds_every_step_of_the_run(made: Made, members: dict[str, bytes]) -> None:
    events = json.loads(members["events.json"])["entries"]
    assert events[0]["event"] == "submitted"
    done = [json.loads(entry["detail"])["stage"] for entry in events if entry["event"] == "stage finished"]
    assert done == ["convert", "normalize", "controls", "fill", "sign", "sign", "archive"]
    assert {entry["run"] for entry in events} == {str(made.run.id)}


def test_what_people_filled_in_stands_in_the_contract_alone(made: Made, members: dict[str, bytes]) -> None:
    number = made.run.facts["values"]["证件号码"].encode()
    assert not [name for name, content in members.items() if number in content]


def test_the_intent_proofs_inside_are_those_of_the_signatures(made: Made, members: dict[str, bytes]) -> None:
    listed = json.loads(members["signatures/signatures.json"])["contract.pdf"]
    proofs = {entry["field"]: entry["intent"] for entry in listed if entry["intent"]}
    kept = {name[len("intent:") :]: fact for name, fact in made.run.facts.items() if name.startswith("intent:")}
    assert proofs.keys() == kept.keys()
    for field, name in proofs.items():
        assert members[name] == canonical(kept[field])
