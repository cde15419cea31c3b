from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asn1crypto.keys import PublicKeyInfo
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.trust.indications import (
    Case,
    Indication,
    Standing,
    SubIndication,
    conclude,
    find_weaknesses,
    worst_indication,
)

EARLY, MIDDLE, LATE = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2025, 2030))
MODERN = (
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    ed448.Ed448PrivateKey.generate(),
)
SOUND = Case(True, True, (), Standing(path=(b"leaf", b"root")))


def public(key: PrivateKeyTypes) -> PublicKeyInfo:
    return PublicKeyInfo.load(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


LONG_RSA = public(rsa.generate_private_key(65537, 2048))


def status(case: Case) -> str:
    indication, reason = conclude(case)
    return f"{indication} {reason or ''}".strip()


def test_a_sound_signature_of_a_known_signer_passes() -> None:
    assert status(SOUND) == "TOTAL-PASSED"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("signature.digest", "TOTAL-FAILED HASH_FAILURE"),
        ("timestamp.imprint", "TOTAL-FAILED HASH_FAILURE"),
        ("signature.value", "TOTAL-FAILED SIG_CRYPTO_FAILURE"),
        ("signature.malformed", "TOTAL-FAILED FORMAT_FAILURE"),
        ("signature.own_content", "TOTAL-FAILED FORMAT_FAILURE"),
        ("signature.no_message_digest", "TOTAL-FAILED FORMAT_FAILURE"),
        ("signature.no_certificate", "INDETERMINATE NO_SIGNING_CERTIFICATE_FOUND"),
        ("signature.missing_bytes", "INDETERMINATE SIGNED_DATA_NOT_FOUND"),
        ("signature.algorithm", "INDETERMINATE CRYPTO_CONSTRAINTS_FAILURE"),
        ("signature.format", "INDETERMINATE GENERIC"),
        ("signature.certificate", "INDETERMINATE CERTIFICATE_CHAIN_GENERAL_FAILURE"),
        ("signature.frame", "INDETERMINATE SIG_CONSTRAINTS_FAILURE"),
        ("something.new", "INDETERMINATE SIG_CONSTRAINTS_FAILURE"),
    ],
)
def test_what_was_found_decides_before_the_certificate(code: str, expected: str) -> None:
    nobody = Standing(SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
    assert status(Case(False, False, ("signature.coverage", code), nobody)) == expected


def test_a_good_signature_over_a_changed_file_has_not_failed_and_not_passed() -> None:
    case = replace(SOUND, sound=False, findings=("signature.changed_later", "signature.digest"))
    assert status(case) == "INDETERMINATE SIG_CONSTRAINTS_FAILURE"


def test_a_revoked_certificate_fails_only_when_the_signature_was_certainly_made_later() -> None:
    case = replace(SOUND, standing=Standing(SubIndication.REVOKED_NO_POE, MIDDLE), proven_at=LATE)
    assert status(case) == "INDETERMINATE REVOKED_NO_POE"
    assert status(replace(case, begun_at=EARLY)) == "INDETERMINATE REVOKED_NO_POE"
    assert status(replace(case, begun_at=LATE)) == "TOTAL-FAILED REVOKED"
    authority = replace(case, standing=Standing(SubIndication.REVOKED_CA_NO_POE, MIDDLE), begun_at=LATE)
    assert status(authority) == "INDETERMINATE REVOKED_CA_NO_POE"


def test_a_certificate_out_of_its_time_is_told_by_what_is_proven() -> None:
    ended = replace(SOUND, standing=Standing(SubIndication.OUT_OF_BOUNDS_NO_POE, MIDDLE))
    assert status(ended) == "INDETERMINATE OUT_OF_BOUNDS_NO_POE"
    assert status(replace(ended, begun_at=LATE)) == "TOTAL-FAILED EXPIRED"
    early = replace(SOUND, standing=Standing(SubIndication.NOT_YET_VALID, MIDDLE))
    assert status(early) == "INDETERMINATE OUT_OF_BOUNDS_NO_POE"
    assert status(replace(early, proven_at=EARLY)) == "TOTAL-FAILED NOT_YET_VALID"


def test_silence_about_revocation_is_not_passed() -> None:
    case = replace(SOUND, standing=Standing(path=(b"leaf", b"root"), unknown=("Common Name: Sample",)))
    assert status(case) == "INDETERMINATE TRY_LATER"


def test_an_answer_counts_as_far_as_it_reaches() -> None:
    standing = Standing(path=(b"leaf", b"root"), told=(("reached", LATE), ("short", MIDDLE), ("silent", None)))
    assert standing.at(EARLY).unknown == ("silent",)
    assert standing.at(LATE).unknown == ("short", "silent")


def test_timestamps_out_of_order_are_told() -> None:
    assert status(replace(SOUND, ordered=False)) == "INDETERMINATE TIMESTAMP_ORDER_FAILURE"


def test_a_weak_algorithm_passes_only_for_a_time_when_it_was_strong() -> None:
    case = replace(SOUND, weaknesses=find_weaknesses("sha1", LONG_RSA))
    assert status(case) == "INDETERMINATE CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    assert status(replace(case, proven_at=LATE)) == "INDETERMINATE CRYPTO_CONSTRAINTS_FAILURE"
    assert status(replace(case, proven_at=datetime(2010, 1, 1, tzinfo=UTC))) == "TOTAL-PASSED"


def test_short_rsa_keys_and_sha1_are_weak_and_what_is_used_today_is_not() -> None:
    short = public(rsa.generate_private_key(65537, 1024))
    assert find_weaknesses("sha1", short) == {"sha1", "rsa below 2048"}
    for key in (LONG_RSA, *map(public, MODERN)):
        assert not find_weaknesses("sha256", key)


def test_a_file_is_as_good_as_its_worst_signature() -> None:
    assert worst_indication([Indication.PASSED, Indication.FAILED, Indication.INDETERMINATE]) is Indication.FAILED
    assert worst_indication([Indication.PASSED, Indication.INDETERMINATE]) is Indication.INDETERMINATE
    assert worst_indication([]) is None
