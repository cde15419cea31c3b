from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from engine.errors import Misuse
from engine.trust.anchors import load_anchors, load_retirements
from engine.trust.authority.certificates import make_root


def test_pem_der_and_several_certificates_in_one_file_are_all_found(tmp_path: Path) -> None:
    roots = [make_root().certificate for _ in range(4)]
    (tmp_path / "a.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in roots[:2]))
    (tmp_path / "b.der").write_bytes(roots[2].public_bytes(Encoding.DER))
    (tmp_path / "c.CRT").write_bytes(roots[3].public_bytes(Encoding.PEM))
    (tmp_path / "README.txt").write_text("not a certificate")
    assert [anchor.serial_number for anchor in load_anchors(tmp_path)] == [root.serial_number for root in roots]


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.pem").write_bytes(content)
    with pytest.raises(Misuse) as caught:
        load_anchors(tmp_path)
    assert caught.value.code == "trust.anchors"
    assert "root.pem" in caught.value.say("en") and "root.pem" in caught.value.say("zh")


def test_a_truncated_certificate_is_refused_at_once_and_not_at_first_use(tmp_path: Path) -> None:
    (tmp_path / "root.der").write_bytes(make_root().certificate.public_bytes(Encoding.DER)[:-20])
    with pytest.raises(Misuse):
        load_anchors(tmp_path)


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Misuse) as caught:
            load_anchors(folder)
        assert str(folder) in str(caught.value)


def test_a_root_is_believed_until_the_day_that_is_written_beside_it(tmp_path: Path) -> None:
    root = make_root().certificate.public_bytes(Encoding.DER)
    (tmp_path / "old.der").write_bytes(root)
    assert load_retirements(tmp_path) == {}
    (tmp_path / "old.der.until").write_text("2045-01-31\n")
    assert load_retirements(tmp_path) == {root: datetime(2045, 1, 31, tzinfo=UTC)}
    assert len(load_anchors(tmp_path)) == 1
    (tmp_path / "old.der.until").write_text("soon")
    with pytest.raises(Misuse):
        load_retirements(tmp_path)
