"""Where pyHanko's own validator by EN 319 102-1 can judge, both say the same; docs/verification.md has the rest."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec, SignatureValidationSpec
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from engine.trust import cms
from engine.trust.inspection import inspect_file
from engine.trust.keys import SoftwareKey
from tests.trust.forgery import sign_attributes, signed_pdf
from tests.trust.paper import make_key

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
ROOT = make_key("ec", "Sample Root", usage="ca")
PERSON = make_key("ec", "Sample Person", ROOT)
STRANGER = make_key("ec", "Sample Person", ROOT)


def by_another_key(key: SoftwareKey, digest: bytes, _: bytes) -> bytes:
    """The certificate of one key, the signature of another."""
    impostor = SoftwareKey(STRANGER.private, key.certificate, key.chain)
    return sign_attributes(impostor, cms.signed_attributes(key.certificate, digest))


FILES = {
    "HASH_FAILURE": signed_pdf(PERSON).replace(b"(100)", b"(900)"),
    "SIG_CRYPTO_FAILURE": signed_pdf(PERSON, forge=by_another_key),
    "NO_CERTIFICATE_CHAIN_FOUND": signed_pdf(make_key("ec", "Somebody", make_key("ec", "Another Root", usage="ca"))),
}


def theirs(file: Path) -> tuple[str, str]:
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[ROOT.certificate]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    )
    usage = KeyUsageConstraints(key_usage=set())
    spec = SignatureValidationSpec(
        cert_validation_policy=policy, ts_cert_validation_policy=policy, key_usage_settings=usage
    )
    with file.open("rb") as stream:
        (signature,) = PdfFileReader(stream).embedded_regular_signatures
        result = asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(spec)))
    return result.ades_subindic.status.name, result.ades_subindic.standard_name


@pytest.mark.parametrize("expected", FILES)
def test_both_validators_say_the_same(tmp_path: Path, expected: str) -> None:
    file = tmp_path / "judged.pdf"
    file.write_bytes(FILES[expected])
    (entry,) = inspect_file(file, "0" * 64, (ROOT.certificate.dump(),), datetime.now(UTC)).signatures
    status, reason = theirs(file)
    assert (entry.indication.removeprefix("TOTAL-"), entry.sub_indication) == (status, reason)
    assert entry.sub_indication == expected
