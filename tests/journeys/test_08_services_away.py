"""Guide, chapter 8, on a bad day: services that a signature needs are away, lie or come back; keys are not at hand."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import signal
from asyncio.subprocess import PIPE
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from engine.settings import Authority, Settings, Trust, Work
from engine.trust.authority import certificates
from engine.trust.authority.pki import open_pki, write_pkcs12
from engine.trust.authority.stamping import TokenIssuer
from engine.trust.demo import DemoTrust, ensure_demo
from engine.trust.keys import Pkcs12Keyring
from tests.journeys import office as desk
from tests.journeys.conftest import open_office
from tests.journeys.office import Office
from tests.trust.misbehaviour import Misbehaviour, TestPki, listening, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = Authority(url="http://127.0.0.1:9/stamp")
VALUES = desk.sample_values("labour-contract")


def trust_of(demo: DemoTrust, *authorities: Authority) -> Trust:
    return Trust(keys=demo.keyring_directory, anchors=demo.anchors_directory, timestamp_authorities=authorities)


@pytest.fixture
def settings(office: Office) -> Settings:
    return office.engine.tools.settings


@pytest.fixture
async def demo(home: Path) -> DemoTrust:
    return await ensure_demo(home / "demo-pki", "development")


async def test_a_run_waits_for_the_timestamp_and_the_key_is_used_once(
    settings: Settings, demo: DemoTrust, records: str, tmp_path: Path
) -> None:
    away = msgspec.structs.replace(settings, trust=trust_of(demo, NOBODY))
    async with open_office(away) as office:
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
        assert (run.state, desk.error_code(run)) == ("ready", "timestamp.unavailable")
        again = await office.engine.again(run.id)
        assert (again.state, desk.error_code(again)) == ("ready", "timestamp.unavailable")
        assert again.phase == "awaiting_timestamp"
        assert "level_achieved" not in again.facts, "no level is claimed that is not there"
    assert [finished for *_, finished in desk.effects(records, run, "timestamp")] == [False]
    async with open_office(msgspec.structs.replace(settings, trust=trust_of(demo, demo.authority))) as office:
        run = await office.engine.again(run.id)
        file = await office.fetch(run, tmp_path)
    assert run.facts["level_achieved"] == "B-LTA"
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1, 1]
    assert [verdict for _, verdict, _ in desk.pdfsig(file)][:2] == ["Signature is Valid"] * 2


async def test_a_service_that_is_away_for_a_moment_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    own = await ensure_demo(tmp_path / "pki", "development")
    patient = msgspec.structs.replace(settings, trust=trust_of(own, own.authority), work=Work(backoff=2.0))
    async with open_office(patient) as office:
        sent = asyncio.create_task(office.send("labour-contract", desk.CONTRACT, values=VALUES))
        await asyncio.sleep(1.0)  # in vain until then
        async with own.serve():
            run = await sent
    assert (run.state, run.facts["level_achieved"]) == ("done", "B-LTA")


async def test_a_person_is_told_once_what_is_awaited_and_how_to_go_on(
    demo: DemoTrust, home: Path, records: str, tmp_path: Path
) -> None:
    config = tmp_path / "sealflow.toml"
    config.write_text(
        f"""[trust]
keys = "{demo.keyring_directory}"
anchors = "{demo.anchors_directory}"
timestamp_authorities = [{{ url = "{NOBODY.url}" }}]

[work]
backoff = 0.1
""",
        "utf-8",
    )
    values, out = desk.SAMPLES / "labour-contract.values.json", tmp_path / "contract.pdf"
    command = ("run", "labour-contract", desk.CONTRACT, "--values", values, "-o", out)
    said = await desk.run_program(home, records, *command, SEALFLOW_CONFIG=str(config))
    assert (said.status, said.out, out.exists()) == (69, "", False)
    assert said.err.count("timestamp.unavailable") == 1 and said.err.count("127.0.0.1:9") <= 2
    assert "warning" not in said.err and "Traceback" not in said.err
    (resume,) = (line.split()[1:3] for line in said.err.splitlines() if "sealflow resume" in line)
    status = await desk.run_program(home, records, "status")
    assert "timestamp.unavailable" in status.out and "awaiting_timestamp" in status.out
    said = await desk.run_program(home, records, *resume, "-o", out)
    assert (said.status, "B-LTA" in said.out, out.exists()) == (0, True, True), said.err


async def test_a_second_authority_stands_in_for_the_first(settings: Settings, demo: DemoTrust) -> None:
    async with open_office(msgspec.structs.replace(settings, trust=trust_of(demo, NOBODY, demo.authority))) as office:
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
    assert (run.state, run.facts["level_achieved"]) == ("done", "B-LTA")


@pytest.mark.parametrize("lie", ["stamps_another_digest", "goes_two_hours_slow", "belongs_to_strangers", "sends_html"])
async def test_no_signature_is_finished_with_a_lying_authority(
    settings: Settings, demo: DemoTrust, records: str, tmp_path: Path, lie: str
) -> None:
    pki = TestPki()
    trusted = tmp_path / "anchors"
    shutil.copytree(demo.anchors_directory, trusted)
    (trusted / "authority.pem").write_bytes(pki.root.certificate.public_bytes(Encoding.PEM))
    believing = dataclasses.replace(demo, anchors_directory=trusted)
    async with (
        served(getattr(Misbehaviour(pki), lie)) as liar,
        open_office(msgspec.structs.replace(settings, trust=trust_of(believing, liar))) as office,
    ):
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
    assert (run.state, desk.error_code(run)) == ("ready", "timestamp.untrusted")
    assert "level_achieved" not in run.facts
    assert not any(finished for *_, finished in desk.effects(records, run, "timestamp"))


async def test_while_nobody_tells_of_revocations_a_contract_is_signed_but_not_archived(
    settings: Settings, records: str, tmp_path: Path
) -> None:
    own = await ensure_demo(tmp_path / "pki", "development")  # nobody serves it: OCSP and lists are away
    pki = open_pki(tmp_path / "pki")
    async with (
        served(TokenIssuer(pki.timestamping, [pki.issuing.certificate]).answer) as authority,
        open_office(msgspec.structs.replace(settings, trust=trust_of(own, authority))) as office,
    ):
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
        assert run.state == "ready"
        assert desk.error_code(run).startswith("revocation.")
        assert run.phase == "awaiting_revocation"
        assert run.facts["level_achieved"] == "B-T", "both signed; what is missing is the archive"
        async with own.serve():
            run = await office.engine.again(run.id)
            file = await office.fetch(run, tmp_path)
    assert run.facts["level_achieved"] == "B-LTA"
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1, 1]
    desk.check_structure(file)


async def test_a_revoked_party_gets_no_archived_contract(settings: Settings, tmp_path: Path) -> None:
    own = await ensure_demo(tmp_path / "pki", "development")
    async with (
        own.serve() as authority,
        open_office(msgspec.structs.replace(settings, trust=trust_of(own, own.authority))) as office,
    ):
        employee = await Pkcs12Keyring(own.keyring_directory).key("employee")
        authority.revoke(employee.certificate.serial_number)
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
    assert (run.state, desk.error_code(run)) == ("rejected", "revocation.revoked"), run.error


def spoil_passphrase(keys: Path) -> None:
    (keys / "employee.passphrase").write_text("wrong", "utf-8")


def open_passphrase(keys: Path) -> None:
    (keys / "employee.passphrase").chmod(0o644)


def remove_key(keys: Path) -> None:
    (keys / "employee.p12").unlink()


def spoil_key(keys: Path) -> None:
    (keys / "employee.p12").write_bytes(b"no key")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (remove_key, "keys.unknown_party"),
        (spoil_passphrase, "keys.passphrase"),
        (open_passphrase, "keys.permissions"),
        (spoil_key, "keys.unreadable"),
    ],
)
async def test_a_run_outlives_a_key_that_is_not_at_hand(
    settings: Settings, demo: DemoTrust, records: str, tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(demo.keyring_directory, keys)
    spoil(keys)
    own = dataclasses.replace(demo, keyring_directory=keys)
    async with open_office(msgspec.structs.replace(settings, trust=trust_of(own, demo.authority))) as office:
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
        assert (run.state, desk.error_code(run)) == ("ready", code)
        assert run.error is not None and "employee" in run.error["zh"]
        for file in ("employee.p12", "employee.passphrase"):
            shutil.copy2(demo.keyring_directory / file, keys / file)
        run = await office.engine.again(run.id)
    assert run.state == "done", run.error
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1, 1]


async def test_an_expired_key_stops_the_run_until_it_is_renewed(
    settings: Settings, demo: DemoTrust, records: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(demo.keyring_directory, keys)
    pki = open_pki(demo.directory)
    short = timedelta(minutes=1)  # certificates of the demo begin an hour ago
    expired = certificates.make_party(pki.issuing, pki.base, "DEMO Expired", "DEMO", validity=short)
    for file in ("employer.p12", "employer.passphrase"):
        (keys / file).unlink()
    write_pkcs12(keys / "employer.p12", expired, [pki.issuing.certificate])
    own = dataclasses.replace(demo, keyring_directory=keys)
    async with open_office(msgspec.structs.replace(settings, trust=trust_of(own, demo.authority))) as office:
        run = await office.send("labour-contract", desk.CONTRACT, values=VALUES)
        assert (run.state, desk.error_code(run)) == ("ready", "keys.expired")
        assert desk.effects(records, run) == [], "an expired key is not used"
        for file in ("employer.p12", "employer.passphrase"):
            shutil.copy2(demo.keyring_directory / file, keys / file)
        run = await office.engine.again(run.id)
    assert (run.state, run.facts["level_achieved"]) == ("done", "B-LTA")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_command_leaves_the_run_ready_for_the_next(
    demo: DemoTrust, home: Path, records: str, office: Office, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C or a service manager: the claim is given back at once, nobody waits for a lease."""
    run_id = await office.submit("labour-contract", desk.CONTRACT, values=VALUES | {"岗位": f"电焊工{number}"})
    asked, config = asyncio.Event(), tmp_path / "sealflow.toml"

    async def keep_waiting(_request: web.Request) -> web.Response:
        asked.set()  # the key has been used, its signature is not stamped yet
        await asyncio.sleep(60)
        return web.Response()

    async with listening(keep_waiting) as slow:
        config.write_text(
            f'[trust]\nkeys = "{demo.keyring_directory}"\nanchors = "{demo.anchors_directory}"\n'
            f'timestamp_authorities = [{{ url = "{slow.url}" }}]\n',
            "utf-8",
        )
        process = await asyncio.create_subprocess_exec(
            *desk.PROGRAM, "resume", str(run_id), "-o", str(tmp_path / "contract.pdf"),
            env=desk.surroundings(home, records) | {"SEALFLOW_CONFIG": str(config)}, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        await asked.wait()
        process.send_signal(number)
        _, err = await process.communicate()
    run = await office.engine.get(run_id)
    assert process.returncode == 130 and b"resume" in err and b"Traceback" not in err, err.decode()
    assert (run.state, desk.error_code(run)) == ("ready", "run.interrupted")
    run = await office.engine.again(run_id)
    assert run.state == "done"
    assert [attempts for *_, attempts, _ in desk.effects(records, run, "signature")] == [1, 1]
