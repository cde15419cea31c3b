"""A real PKCS#11 token in a temporary folder: SoftHSM, keys made inside it, certificates by a test authority."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pkcs11
from asn1crypto import keys as asn1_keys
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from engine.settings import Token
from tests.trust.paper import certify, make_key

MODULE = next(
    (
        path
        for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"))
        if path.exists()
    ),
    Path("/usr/lib/softhsm/libsofthsm2.so"),
)
PIN, OFFICER = "271828", "314159"
ROOT = make_key("ec", "Sample Root", usage="ca")


class SoftHsm:
    """Tokens in one folder; the module reads ``SOFTHSM2_CONF`` when it is initialised, once a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tokens").mkdir()
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
        os.environ["SOFTHSM2_CONF"] = str(self.configuration)
        self.pin = self.write_pin("pin", PIN)

    def write_pin(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def make_token(self, label: str) -> None:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", OFFICER, "--pin", PIN],
            check=True,
            capture_output=True,
        )
        reload()

    def make_key(
        self, token: str, label: str, kind: str, *, extractable: bool = False, certificate: str = ""
    ) -> Certificate:
        """``kind``: ec or the bits of an RSA key; ``certificate``: label it is stored under, empty: as the key."""
        with pkcs11.lib(str(MODULE)).get_token(token_label=token).open(rw=True, user_pin=PIN) as session:
            template = {Attribute.EXTRACTABLE: extractable, Attribute.SENSITIVE: not extractable}
            made: Any
            if kind == "ec":
                curve = encode_named_curve_parameters("secp256r1")
                parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
                made = parameters.generate_keypair(store=True, label=label, private_template=template)
                public = encode_ec_public_key(made[0])
            else:
                made = session.generate_keypair(
                    KeyType.RSA, int(kind), store=True, label=label, private_template=template
                )
                public = asn1_keys.PublicKeyInfo.wrap(
                    asn1_keys.RSAPublicKey.load(encode_rsa_public_key(made[0])), "rsa"
                ).dump()
            loaded = certify(load_der_public_key(public), f"Sample {label}", ROOT)  # type: ignore[arg-type]
            session.create_object(
                {
                    Attribute.CLASS: ObjectClass.CERTIFICATE,
                    Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    Attribute.TOKEN: True,
                    Attribute.LABEL: certificate or label,
                    Attribute.SUBJECT: loaded.subject.dump(),
                    Attribute.ID: label.encode(),
                    Attribute.VALUE: loaded.dump(),
                }
            )
        return loaded

    def table(self, token: str, **parties: str) -> Token:
        return Token(module=MODULE, label=token, pin=self.pin, parties=parties)


def reload() -> None:
    """Let the module see tokens that another process made, and lose every session, as after a restart of an HSM."""
    library = pkcs11.lib(str(MODULE))
    library.reinitialize()
