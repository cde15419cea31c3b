"""Settings of one installation: defaults, then a TOML file, then ``SEALFLOW_*`` variables; unknown keys are refused."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec
import platformdirs

from engine.errors import Misuse


class Authority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A timestamp authority (时间戳服务): RFC 3161 over HTTP."""

    url: str
    username: str | None = None
    password: str | None = None
    policy: str | None = None
    digest: Literal["sha256", "sm3"] = "sha256"
    """``sm3``: asked for SM3 imprints only; ``sha256``: for those of the SHA-2 family."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token behind a PKCS#11 module (密码设备): an HSM, a smart card."""

    module: Path
    """The vendor's library, such as ``/usr/lib/softhsm/libsofthsm2.so``."""
    label: str
    """Label of the token."""
    pin: Path
    """File with the user PIN, mode 0600."""
    parties: dict[str, str]
    """Label of the private key by party."""
    certificates: Path | None = None
    """Folder with ``<party>.pem``: the party's certificate, then its issuers; None: they are on the token."""


class RemoteService(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature service (远程签名服务) that speaks CSC API v2."""

    url: str
    """Base address, such as ``https://sign.example/csc/v2``."""
    parties: dict[str, str]
    """Name of the credential by party."""
    credentials: Path | None = None
    """File with the access token (OAuth 2 bearer), mode 0600."""
    pin: Path | None = None
    """File with the PIN by which a credential is authorised for one signature, mode 0600."""
    certificates: Path | None = None
    """Folder with ``<party>.pem``: the party's certificate, then its issuers; None: the service says."""
    idempotent: bool = False
    """The service honours ``Idempotency-Key``: a repeated request gives the first signature."""
    status: bool = False
    """The service tells at ``GET signatures/<key>`` what a request came to."""
    timeout: float = 30.0
    """Seconds for one request."""


class Issuing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who certifies a new key for each signature of some parties (一次性证书)."""

    provider: str
    """Name of a certificate issuer that a plugin offers."""
    parties: tuple[str, ...]
    """``"*"``: whoever has no key elsewhere."""


class Renewal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When archived files are renewed (续期)."""

    margin: int = 365
    """Days before the end of a timestamp's certificate or an algorithm."""
    digest: Literal["sha256", "sha384", "sha512", "sm3"] | None = None
    """Of new document timestamps; None: SM3 where every signature rests on it, else SHA-256."""
    sunsets: dict[str, date] = {}
    """Days from which algorithms count no more, beside or in the place of those of ETSI TS 119 312."""


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys, anchors and authorities. Everything empty means the demo PKI, which production refuses."""

    keys: Path | None = None
    """Directory with ``<party>.p12`` files; the passphrase is in ``<party>.passphrase`` beside each, mode 0600."""
    anchors: Path | None = None
    """Directory with the PEM or DER certificates that are trusted as roots."""
    timestamp_authorities: tuple[Authority, ...] = ()
    proxy: str | None = None
    renewal: Renewal = Renewal()
    tokens: tuple[Token, ...] = ()
    remote: tuple[RemoteService, ...] = ()
    one_time: tuple[Issuing, ...] = ()
    holders: dict[str, str] = {}
    """Whom the certificate of a party must name; production signs for no party without it or the stage's ``holder``."""
    unattended: tuple[str, ...] = ()
    """Parties that in production may sign without being asked, such as the company whose system submits."""
    platform: str = "platform"
    """The party whose key seals evidence."""


class Work(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How runs are carried out; times in seconds."""

    lease: float = 30.0
    attempts: int = 5
    """Claims without progress after which a run is parked."""
    backoff: float = 5.0
    """First wait after Unavailable; doubles up to ``backoff_limit``."""
    backoff_limit: float = 900.0
    sweep: float = 5.0
    broker: str | None = None
    """``amqp://`` or ``redis://`` address to relay to; None: workers read PostgreSQL itself."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One installation."""

    environment: Literal["development", "production"] = "development"
    home: Path = Path(platformdirs.user_data_dir("sealflow"))
    """Embedded database, content store, demo PKI and logs live here."""
    database_url: str | None = None
    """A PostgreSQL server of your own; None: the embedded one."""
    storage: str = "local"
    plugins: tuple[str, ...] = ("builtin-stages", "local-storage")
    """Allow-list: names of entry points in the group ``sealflow.plugins``; nothing else is loaded."""
    vendors: dict[str, dict[str, Any]] = {}
    """Settings of each provider by its name; the provider itself says which keys it knows."""
    pipelines: tuple[Path, ...] = ()
    """Folders searched for pipeline files before the built-in ones."""
    trust: Trust = Trust()
    work: Work = Work()


def load_settings(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read settings; ``SEALFLOW_CONFIG`` names the file when none is given.

    Variables: ``SEALFLOW_HOME``, ``SEALFLOW_ENVIRONMENT``, ``SEALFLOW_BROKER`` and ``DATABASE_URL`` win over the file.
    Raises Misuse ``settings.unreadable`` or ``settings.invalid`` naming file and key.
    """
    if file is None and environ.get("SEALFLOW_CONFIG"):
        file = Path(environ["SEALFLOW_CONFIG"])
    table: dict[str, Any] = _read(file) if file else {}
    for variable, key in (("SEALFLOW_HOME", "home"), ("SEALFLOW_ENVIRONMENT", "environment")):
        if environ.get(variable):
            table[key] = environ[variable]
    if environ.get("DATABASE_URL"):
        table["database_url"] = environ["DATABASE_URL"]
    if environ.get("SEALFLOW_BROKER"):
        table["work"] = {**table.get("work", {}), "broker": environ["SEALFLOW_BROKER"]}
    try:
        return msgspec.convert(table, Settings, strict=True, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        where = str(file) if file else "environment"
        raise Misuse(
            "settings.invalid",
            zh=f"设置有误（{where}）：{error}。请改正后重新启动。",
            en=f"The settings are wrong ({where}): {error}. Correct them and start again.",
            where=where,
        ) from error


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `str`, got `{type(value).__name__}`")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misuse(
            "settings.unreadable",
            zh=f"无法读取设置文件 {file}：{error}。",
            en=f"The settings file {file} cannot be read: {error}.",
            file=str(file),
        ) from error
