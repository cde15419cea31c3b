"""The kit finds each way in which an issuer of one-time certificates may break its contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from engine.errors import Rejected
from engine.trust.authority.certificates import make_root
from engine.vendors.conformance import Bench, certificate_cases
from engine.vendors.protocols import CertificateRequest
from tests.vendors.test_conformance import broken


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "bench").mkdir()
    return Bench(tmp_path / "bench", person=("示例", "990000199001010017"))


class Issuer:
    """Keeps the contract but for the ``faults`` it is given."""

    def __init__(self, *faults: str) -> None:
        self.faults, self.issued, self.count = faults, dict[str, tuple[bytes, ...]](), 0
        self.root = make_root()

    async def issue(self, request: CertificateRequest, key: str) -> tuple[bytes, ...]:
        if key in self.issued and "twice" not in self.faults:
            return self.issued[key]
        try:
            asked = x509.load_der_x509_csr(request.pkcs10)
        except ValueError:
            raise Rejected("certificate.request", zh="不合格", en="no request") from None
        if not asked.is_signature_valid and "trusting" not in self.faults:
            raise Rejected("certificate.request", zh="不合格", en="not signed")
        public = ec.generate_private_key(ec.SECP256R1()).public_key() if "own key" in self.faults else None
        name = "other" if "other name" in self.faults else request.name
        self.count += "one serial" not in self.faults
        now = datetime.now(UTC) - timedelta(days=9 if "expired" in self.faults else 0)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(self.root.certificate.subject)
            .public_key(public or asked.public_key())
            .serial_number(self.count + 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.root.key, SHA256())
        )
        other = made if "disordered" in self.faults else self.root.certificate
        chain = tuple(one.public_bytes(Encoding.DER) for one in (made, other))
        self.issued[key] = () if "empty" in self.faults else chain
        return self.issued[key]


@pytest.mark.parametrize(
    ("fault", "cases"),
    [
        ("", set()),
        ("trusting", {"malformed"}),
        ("own key", {"certified"}),
        ("other name", {"certified"}),
        ("expired", {"certified"}),
        ("disordered", {"certified"}),
        ("twice", {"replayed"}),
        ("one serial", {"fresh"}),
        ("empty", {"certified", "fresh"}),
    ],
)
async def test_an_issuer_that_breaks_its_contract_is_found_out(fault: str, cases: set[str], bench: Bench) -> None:
    assert set(await broken(Issuer(fault), certificate_cases, bench)) == cases


async def test_without_a_person_no_certificate_is_asked_for(bench: Bench) -> None:
    issuer = Issuer()
    await broken(issuer, certificate_cases, replace(bench, person=None))
    assert issuer.issued == {}
