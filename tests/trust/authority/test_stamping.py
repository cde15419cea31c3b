import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from engine.trust.authority.certificates import make_issuing, make_root, make_timestamping
from engine.trust.authority.stamping import POLICY, TokenIssuer
from tests.trust.misbehaviour import TestPki

PKI = TestPki()
ISSUER = PKI.issuer()
DATA = b"a contract of three pages"


def ask(**changes: object) -> bytes:
    fields = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(DATA).digest()},
        "nonce": 2**60 + 1,
        "cert_req": True,
    } | changes
    return bytes(tsp.TimeStampReq({key: value for key, value in fields.items() if value is not None}).dump())


def token_of(reply: bytes) -> cms.SignedData:
    response = tsp.TimeStampResp.load(reply, strict=True)
    assert response["status"]["status"].native == "granted"
    return response["time_stamp_token"]["content"]


def info_of(reply: bytes) -> tsp.TSTInfo:
    return token_of(reply)["encap_content_info"]["content"].parsed


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("with_certificates", [True, False])
def test_openssl_accepts_the_reply_to_its_own_request(tmp_path: Path, algorithm: str, with_certificates: bool) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "root.pem").write_bytes(PKI.root.certificate.public_bytes(Encoding.PEM))
    chain = [PKI.timestamping.certificate, PKI.issuing.certificate]
    (tmp_path / "chain.pem").write_bytes(b"".join(link.public_bytes(Encoding.PEM) for link in chain))
    question = ["openssl", "ts", "-query", "-data", "data", f"-{algorithm}", "-out", "request"]
    subprocess.run(question + ["-cert"] * with_certificates, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "reply").write_bytes(ISSUER.answer((tmp_path / "request").read_bytes()))
    judged = subprocess.run(
        ["openssl", "ts", "-verify", "-queryfile", "request", "-in", "reply", "-CAfile", "root.pem", "-untrusted",
         "chain.pem"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verification: OK" in judged.stdout + judged.stderr
    (tmp_path / "data").write_bytes(DATA + b"!")
    judged = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem", "-untrusted", "chain.pem"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode != 0


def test_certificates_come_only_when_asked_for() -> None:
    assert len(token_of(ISSUER.answer(ask()))["certificates"]) == 2
    assert not token_of(ISSUER.answer(ask(cert_req=None)))["certificates"]


def test_the_nonce_is_returned_and_none_invented() -> None:
    assert info_of(ISSUER.answer(ask()))["nonce"].native == 2**60 + 1
    assert info_of(ISSUER.answer(ask(nonce=None)))["nonce"].native is None


def test_serial_numbers_never_repeat_not_even_for_an_authority_started_anew() -> None:
    replies = [issuer.answer(ask()) for issuer in (ISSUER, TokenIssuer(PKI.timestamping)) for _ in range(200)]
    assert len({info_of(reply)["serial_number"].native for reply in replies}) == 400


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2049, 1, 1)),
    st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
def test_the_time_is_the_clocks_in_utc_to_the_millisecond_in_der(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone)
    stamped = info_of(PKI.issuer(clock=lambda: aware).answer(ask()))["gen_time"]
    assert stamped.native == aware.astimezone(UTC).replace(microsecond=aware.microsecond // 1000 * 1000)
    text = stamped.contents.decode()
    assert text.endswith("Z") and not text.endswith((".Z", "0Z") if "." in text else ".Z")


def test_the_token_states_its_policy_and_accuracy() -> None:
    info = info_of(ISSUER.answer(ask(req_policy=POLICY)))
    assert info["policy"].dotted == POLICY
    assert info["accuracy"]["seconds"].native == 1


@pytest.mark.parametrize(
    ("request_bytes", "failure"),
    [
        (b"", "bad_data_format"),
        (b"nonsense", "bad_data_format"),
        (ask() + b"\x00", "bad_data_format"),
        (ask()[:-3], "bad_data_format"),
        (ask(message_imprint={"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": bytes(20)}), "bad_alg"),
        (ask(message_imprint={"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": b"x"}), "bad_data_format"),
        (ask(req_policy="1.2.3.4"), "unaccepted_policy"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_the_standards_reason(
    request_bytes: bytes, failure: str, tmp_path: Path
) -> None:
    reply = ISSUER.answer(request_bytes)
    (tmp_path / "reply").write_bytes(reply)
    told = subprocess.run(
        ["openssl", "ts", "-reply", "-in", "reply", "-text"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    words = {"bad_data_format": "wrong format", "bad_alg": "unrecognized", "unaccepted_policy": "policy is not"}
    assert "Rejected" in told
    assert words[failure] in told


@given(st.binary(max_size=200))
def test_noise_is_always_answered(noise: bytes) -> None:
    assert ISSUER.answer(noise)


@pytest.mark.parametrize("make_key", [
    lambda: ec.generate_private_key(ec.SECP384R1()),
    lambda: ec.generate_private_key(ec.SECP521R1()),
    lambda: rsa.generate_private_key(65_537, 3072),
], ids=["P-384", "P-521", "RSA-3072-PSS"])  # fmt: skip
def test_a_token_suits_the_key_and_the_year_of_its_authority(
    tmp_path: Path, make_key: Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]
) -> None:
    def clock() -> datetime:
        return datetime(2041, 5, 1, tzinfo=UTC)

    root = make_root(clock=clock)
    issuing = make_issuing(root, "http://127.0.0.1:9", clock=clock)
    holder = make_timestamping(issuing, "http://127.0.0.1:9", key=make_key(), clock=clock)
    assert holder.certificate.not_valid_before_utc == clock() - timedelta(hours=1)
    reply = TokenIssuer(holder, [issuing.certificate], clock=clock).answer(ask())
    assert info_of(reply)["gen_time"].native == clock()
    (tmp_path / "token").write_bytes(tsp.TimeStampResp.load(reply)["time_stamp_token"].dump())
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    judged = subprocess.run(
        ["openssl", "cms", "-verify", "-in", "token", "-inform", "DER", "-CAfile", "root.pem", "-out", "info",
         "-purpose", "timestampsign", "-attime", str(int(clock().timestamp()))],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "erification successful" in judged.stdout + judged.stderr
