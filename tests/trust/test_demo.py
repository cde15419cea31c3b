import hashlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.errors import Misuse
from engine.trust.anchors import load_anchors
from engine.trust.demo import ensure_demo
from engine.trust.keys import Pkcs12Keyring
from engine.trust.suites.digests import digest_bytes
from engine.trust.timestamps import TimestampClient


async def test_a_fresh_installation_has_keys_anchors_and_a_timestamp_authority_that_works(tmp_path: Path) -> None:
    demo = await ensure_demo(tmp_path / "home" / "demo", "development")
    anchors = load_anchors(demo.anchors_directory)
    keyring = Pkcs12Keyring(demo.keyring_directory)
    names = ["employee", "employee-sm2", "employer", "employer-sm2", "platform", "platform-sm2"]
    assert keyring.parties() == names
    for party in names:
        key = await keyring.key(party)
        assert key.digest_algorithm == ("sm3" if party.endswith("-sm2") else "sha256")
        assert key.chain[-1].dump() in {anchor.dump() for anchor in anchors}
    async with demo.serve(), TimestampClient(demo.authorities, anchors) as client:
        assert await client.stamp(hashlib.sha256(b"contract").digest())
        assert [found.problem for found in await client.health()] == [None, None]
        assert await client.stamp(digest_bytes("sm3", b"contract"), "sm3")


async def test_production_refuses_the_demo_pki_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(Misuse) as caught:
        await ensure_demo(tmp_path / "demo", "production")
    assert caught.value.code == "trust.demo_in_production"
    assert "timestamp_authorities" in caught.value.say("zh")
    assert list(tmp_path.iterdir()) == []


async def test_production_refuses_a_demo_pki_that_is_already_there(tmp_path: Path) -> None:
    await ensure_demo(tmp_path / "demo", "development")
    with pytest.raises(Misuse):
        await ensure_demo(tmp_path / "demo", "production")


async def test_its_use_is_announced_loudly(tmp_path: Path) -> None:
    with capture_logs() as entries:
        await ensure_demo(tmp_path / "demo", "development")
    (entry,) = entries
    assert entry["log_level"] == "warning"
    assert "no legal effect" in entry["note"]
