import asyncio
import base64
import hashlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from engine.errors import Misuse, Rejected, Unavailable
from engine.settings import Authority
from engine.trust.anchors import load_anchors
from engine.trust.authority.pki import open_pki
from engine.trust.authority.server import DemoAuthority, demo_authority
from engine.trust.chains import Chain
from engine.trust.keys import Pkcs12Keyring
from engine.trust.revocation import RevocationSource
from engine.trust.suites.digests import digest_bytes
from engine.trust.timestamps import TimestampClient

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[DemoAuthority]:
    async with demo_authority(tmp_path / "pki") as authority:
        yield authority


async def run(*command: str | Path, cwd: Path) -> tuple[int, str]:
    """Exit status and everything said; the event loop stays free to serve."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def fetch(url: str, data: bytes | None = None) -> tuple[int, str, bytes]:
    async with aiohttp.ClientSession() as session, session.request("POST" if data else "GET", url, data=data) as reply:
        return reply.status, reply.content_type, await reply.read()


async def write_pems(authority: DemoAuthority, folder: Path) -> Certificate:
    """Root, issuing CA and the employer's certificate as PEM files for OpenSSL."""
    key = await Pkcs12Keyring(authority.pki.keys).key("employer")
    for name, der in (
        ("root", authority.pki.root.certificate.public_bytes(Encoding.DER)),
        ("issuing", authority.pki.issuing.certificate.public_bytes(Encoding.DER)),
        ("employer", key.certificate.dump()),
    ):
        (folder / f"{name}.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return key.certificate


async def test_openssl_asks_the_responder_named_in_the_certificate_before_and_after_a_revocation(
    authority: DemoAuthority, tmp_path: Path
) -> None:
    certificate = await write_pems(authority, tmp_path)
    (url,) = certificate.ocsp_urls
    command = ["openssl", "ocsp", "-issuer", "issuing.pem", "-cert", "employer.pem", "-url", url]
    command += ["-CAfile", "root.pem", "-verify_other", "issuing.pem"]
    _, before = await run(*command, cwd=tmp_path)
    authority.revoke(certificate.serial_number)
    _, after = await run(*command, cwd=tmp_path)
    assert "Response verify OK" in before and "employer.pem: good" in before
    assert "Response verify OK" in after and "employer.pem: revoked" in after
    assert "WARNING" not in before + after


async def test_openssl_checks_the_whole_chain_against_the_lists_named_in_the_certificates(
    authority: DemoAuthority, tmp_path: Path
) -> None:
    certificate = await write_pems(authority, tmp_path)

    async def judge() -> tuple[int, str]:
        lists = b""
        for link in (certificate, Certificate.load(authority.pki.issuing.certificate.public_bytes(Encoding.DER))):
            (point,) = link.crl_distribution_points
            _, kind, der = await fetch(point.url)
            assert kind == "application/pkix-crl"
            lists += x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
        (tmp_path / "lists.pem").write_bytes(lists)
        return await run(
            *(
                "openssl",
                "verify",
                "-x509_strict",
                "-crl_check_all",
                "-CAfile",
                "root.pem",
                "-untrusted",
                "issuing.pem",
            ),
            *("-CRLfile", "lists.pem", "employer.pem"),
            cwd=tmp_path,
        )

    assert await judge() == (0, "employer.pem: OK\n")
    authority.revoke(certificate.serial_number)
    status, said = await judge()
    assert status != 0 and "certificate revoked" in said


async def test_issuer_certificates_are_where_the_certificates_say(authority: DemoAuthority) -> None:
    for role, expected in (("root", authority.pki.root), ("issuing", authority.pki.issuing)):
        status, kind, der = await fetch(f"{authority.pki.base}/{role}.crt")
        assert (status, kind) == (200, "application/pkix-cert")
        assert x509.load_der_x509_certificate(der) == expected.certificate


async def test_status_is_told_to_get_requests_as_well(authority: DemoAuthority) -> None:
    pki = authority.pki
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        pki.timestamping.certificate, pki.issuing.certificate, hashes.SHA256()
    )
    encoded = base64.b64encode(builder.build().public_bytes(Encoding.DER)).decode()
    for path, expected in ((encoded, "SUCCESSFUL"), ("%21", "MALFORMED_REQUEST")):
        status, kind, answer = await fetch(f"{authority.ocsp_url}/{path}")
        assert (status, kind) == (200, "application/ocsp-response")
        assert ocsp.load_der_ocsp_response(answer).response_status.name == expected


async def test_a_further_party_gets_a_key_that_works_and_is_known_to_the_responder(authority: DemoAuthority) -> None:
    authority.issue("演示乙方", "DEMO 演示乙方", "DEMO 演示")
    key = await Pkcs12Keyring(authority.pki.keys).key("演示乙方")
    assert authority.register.entries()[key.certificate.serial_number] is None


async def test_a_party_that_has_a_key_keeps_it(authority: DemoAuthority) -> None:
    before = (authority.pki.keys / "employer.p12").read_bytes()
    with pytest.raises(Misuse) as caught:
        authority.issue("employer", "DEMO", "DEMO")
    assert caught.value.code == "trust.demo_party_exists"
    assert (authority.pki.keys / "employer.p12").read_bytes() == before


async def stamp(authority: DemoAuthority) -> bytes:
    async with TimestampClient(
        [Authority(authority.timestamp_url)], load_anchors(authority.pki.anchors), timeout=2
    ) as client:
        return await client.stamp(hashlib.sha256(b"x").digest())


async def test_a_second_opener_uses_the_running_server(tmp_path: Path) -> None:
    async with demo_authority(tmp_path / "pki") as first, demo_authority(tmp_path / "pki") as second:
        assert second.pki.base == first.pki.base
        assert await stamp(second)


async def test_a_second_opener_takes_over_when_the_first_goes_away(tmp_path: Path) -> None:
    first = demo_authority(tmp_path / "pki")
    await first.__aenter__()
    async with demo_authority(tmp_path / "pki") as second:
        await first.__aexit__(None, None, None)
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await stamp(second)
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)


async def test_a_strangers_program_on_the_port_is_told_apart_and_named(tmp_path: Path) -> None:
    pki = open_pki(tmp_path / "pki")

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nsomebody else")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", pki.port):
        with pytest.raises(Unavailable) as caught:
            async with demo_authority(tmp_path / "pki"):
                pytest.fail("served on a port it does not have")
    assert caught.value.code == "trust.demo_port_taken"
    assert str(pki.port) in caught.value.say("zh") and str(tmp_path / "pki") in caught.value.say("zh")


async def test_a_program_that_is_just_leaving_the_port_is_waited_for(tmp_path: Path) -> None:
    pki = open_pki(tmp_path / "pki")
    asked = asyncio.Event()

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    leaving = await asyncio.start_server(hang_up, "127.0.0.1", pki.port)
    authority = demo_authority(tmp_path / "pki")
    coming = asyncio.create_task(authority.__aenter__())
    await asyncio.wait_for(asked.wait(), 10)
    leaving.close()
    assert await stamp(await asyncio.wait_for(coming, 10))
    await authority.__aexit__(None, None, None)


async def test_a_program_that_keeps_the_port_and_says_nothing_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.trust.authority.server._PATIENCE_SECONDS", 0.2)
    pki = open_pki(tmp_path / "pki")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", pki.port))
        silent.listen()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(demo_authority(tmp_path / "pki").__aenter__(), 10)


async def test_the_port_is_free_again_after_the_block_and_the_next_start_has_the_same(tmp_path: Path) -> None:
    ports = []
    for _ in range(2):
        async with demo_authority(tmp_path / "pki") as authority:
            ports.append(authority.pki.port)
            assert await stamp(authority)
    assert ports[0] == ports[1]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", ports[0]))


async def test_it_runs_as_a_process_of_its_own_and_ends_on_a_signal(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.trust.authority", tmp_path / "pki", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with TimestampClient([Authority(url)], load_anchors(tmp_path / "pki" / "anchors")) as client:
            assert await client.stamp(hashlib.sha256(b"x").digest())
    finally:
        process.send_signal(signal.SIGTERM)
        ended = await asyncio.wait_for(process.wait(), 10)
    assert ended == 0


async def test_the_process_without_a_directory_says_how_to_call_it() -> None:
    status, said = await run(sys.executable, "-m", "engine.trust.authority", cwd=ROOT)
    assert (status, said.strip()) == (64, "python -m engine.trust.authority DIRECTORY")


async def test_the_process_refuses_production_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_ENVIRONMENT", "production")
    status, said = await run(sys.executable, "-m", "engine.trust.authority", tmp_path / "pki", cwd=ROOT)
    assert status == 64
    assert "timestamp_authorities" in said and "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


async def test_a_request_larger_than_any_real_one_is_refused(authority: DemoAuthority) -> None:
    status, _, _ = await fetch(authority.timestamp_url, bytes(100_000))
    assert status == 413


async def test_the_sm2_branch_stamps_tells_status_and_revokes_at_its_own_addresses(authority: DemoAuthority) -> None:
    branch = authority.pki.sm2
    assert branch is not None
    anchors = [Certificate.load(branch.root.certificate.public_bytes(Encoding.DER))]
    place = Authority(url=f"{branch.base}/timestamp", digest="sm3")
    async with TimestampClient([place], anchors) as client, RevocationSource(anchors) as revocation:
        assert await client.stamp(digest_bytes("sm3", b"x"), "sm3")
        with pytest.raises(Misuse) as caught:
            await client.stamp(digest_bytes("sha256", b"x"), "sha256")
        assert caught.value.code == "timestamp.no_authority_for"
        key = await Pkcs12Keyring(authority.pki.keys).key("employer-sm2")
        chain = Chain(key.certificate.dump(), tuple(link.dump() for link in key.chain))
        evidence = await revocation.evidence([chain])
        assert (len(evidence.ocsps), len(evidence.crls)) == (1, 1)
    authority.revoke(key.certificate.serial_number)
    async with RevocationSource(anchors) as revocation:
        with pytest.raises(Rejected) as refused:
            await revocation.evidence([chain])
    assert refused.value.code == "revocation.revoked"
