"""Our client against an authority that is not ours: OpenSSL's, with an RSA key."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import Unavailable
from engine.trust.anchors import load_anchors
from engine.trust.timestamps import TimestampClient
from tests.trust.misbehaviour import served

CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = OpenSSL Sample TSA
[tsa]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[service]
serial = serial
signer_cert = tsa.pem
certs = root.pem
signer_key = tsa.key
signer_digest = {signer}
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_chain = {chain}
ess_cert_id_alg = {algorithm}
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf").write_text(CONFIGURATION.format(chain="no", algorithm="sha256", signer="sha256"))
        (folder / "serial").write_text("01")
        new = ["req", "-config", "conf", "-newkey", "rsa:2048", "-nodes", "-x509", "-days", "2"]
        openssl(
            folder, *new, "-subj", "/CN=Sample Root", "-extensions", "ca", "-keyout", "root.key", "-out", "root.pem"
        )
        issued = [
            "-extensions",
            "tsa",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-keyout",
            "tsa.key",
            "-out",
            "tsa.pem",
        ]
        openssl(folder, *new, *issued)
        (folder / "anchors").mkdir()
        (folder / "anchors" / "root.pem").write_bytes((folder / "root.pem").read_bytes())
        yield folder


@pytest.mark.parametrize(("chain", "algorithm"), [("no", "sha1"), ("yes", "sha256"), ("yes", "sha512")])
async def test_openssls_tokens_are_accepted_in_every_form_it_gives_them(
    folder: Path, chain: str, algorithm: str
) -> None:
    digest = hashlib.sha256(b"contract").digest()
    assert digest in await stamp(folder, digest, chain=chain, algorithm=algorithm, signer="sha512")


async def test_a_token_signed_over_sha1_is_refused(folder: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await stamp(folder, bytes(32), chain="no", algorithm="sha256", signer="sha1")
    assert "signature: digest algorithm sha1" in str(caught.value.facts["failures"])


async def stamp(folder: Path, digest: bytes, **options: str) -> bytes:
    (folder / "conf").write_text(CONFIGURATION.format(**options))

    def reply(body: bytes) -> bytes:
        (folder / "request").write_bytes(body)
        answer = ["ts", "-reply", "-config", "conf", "-section", "service", "-queryfile", "request", "-out", "reply"]
        openssl(folder, *answer)
        return (folder / "reply").read_bytes()

    async with served(reply) as authority, TimestampClient([authority], load_anchors(folder / "anchors")) as client:
        return await client.stamp(digest)
