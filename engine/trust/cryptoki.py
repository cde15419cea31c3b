"""Keys on a token behind PKCS#11 (硬件密码设备), which never leave it; one session a process, so scale by processes.

The module is loaded at the first use, after a fork, and all its calls come from one thread: it is initialised without
locks of its own. A session that was lost is opened anew once. A wrong PIN is never given twice: three make a brick.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import new as new_hash
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asn1crypto import algos
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from engine.errors import Unavailable
from engine.settings import Token
from engine.trust.acts import Once
from engine.trust.clock import Clock, system_clock
from engine.trust.fitness import chain_of, check_usage, check_validity, read_certificates, read_secret, unfit, weak
from engine.trust.holders import Holder
from engine.trust.keys import SigningKey, unknown_party
from engine.trust.mechanisms import digest_for, is_elliptic, is_signature, is_strong, mechanism_for, uses_pss

if TYPE_CHECKING:
    from pkcs11 import Session

T = TypeVar("T")
Library = Any
PrivateObject = Any
"""What the binding gives; its types leave out the methods that depend on the object."""
_LIMIT = 30.0
"""Seconds for one call; a device that hangs must not hold a run longer than its lease would."""


class TokenSource:
    """The keys of one token: an object label for each party.

    Raises Misuse ``keys.pin``, ``keys.pin_endangered``, ``keys.module``, ``keys.token_key``, ``keys.extractable`` and
    what every key must prove; Unavailable ``keys.token_unavailable``.
    """

    def __init__(self, token: Token, clock: Clock = system_clock) -> None:
        self._token = token
        self._clock = clock
        self._device = _device(token.module)
        self._opened: _Opened | None = None
        self._refused_pin: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        return f"{self._token.label} ({self._token.module.name})"

    def holds(self, party: str) -> bool:
        return party in self._token.parties

    def parties(self) -> list[str]:
        return sorted(self._token.parties)

    async def key(
        self,
        party: str,
        once: Once,  # noqa: ARG002  # these keys last
        subject: str,  # noqa: ARG002  # as above
        holder: Holder | None = None,  # noqa: ARG002  # the keyring compares
        proof: bytes = b"",  # noqa: ARG002  # as above
    ) -> SigningKey:
        key = await self._find(party)
        check_validity(key.certificate, self.place, party, self._clock())
        return key

    async def certificate(self, party: str) -> Certificate:
        return (await self._find(party)).certificate

    async def close(self) -> None:
        """The session ends with the process: another keyring here may use the same token."""

    async def _find(self, party: str) -> TokenKey:
        if not self.holds(party):
            raise unknown_party(party, {self.place: self.parties()})
        certificates = await self.call(party, lambda opened: opened.find(party).certificates)
        certificate = certificates[0]
        check_usage(certificate, self.place, party)
        if not is_strong(certificate):
            raise weak(self.place, party)
        if digest_for(certificate) == "sm3":
            raise unfit(
                "sm2_token",
                self.place,
                party,
                "PKCS#11 没有通用的 SM2 签名机制，请改用 .p12 文件或签名服务",
                "PKCS#11 has no common mechanism for SM2; use a .p12 file or a signature service",
            )
        return TokenKey(self, party, certificate, chain_of(certificate, list(certificates[1:])))

    async def call(self, party: str, act: Callable[[_Opened], T]) -> T:
        """Do something with the open token in the module's thread, after a lost session once more."""
        try:
            working = asyncio.get_running_loop().run_in_executor(self._device.thread(), self._attempt, party, act)
            return await asyncio.wait_for(working, _LIMIT)
        except TimeoutError as error:
            raise self._unavailable(party, f"no answer in {_LIMIT:g} s") from error

    def _attempt(self, party: str, act: Callable[[_Opened], T]) -> T:
        self._device.library(party)  # says what is missing, if anything
        from pkcs11.exceptions import PKCS11Error

        try:
            return act(self._open(party))
        except PKCS11Error:
            self._opened = None
        try:
            self._device.restart()
            return act(self._open(party))
        except PKCS11Error as error:
            self._opened = None
            raise self._unavailable(party, type(error).__name__) from error

    def _open(self, party: str) -> _Opened:
        if self._opened is None or self._opened.life != self._device.life():
            self._opened = self._log_in(party)
        return self._opened

    def _log_in(self, party: str) -> _Opened:
        from pkcs11 import TokenFlag, exceptions

        library = self._device.library(party)
        token = library.get_token(token_label=self._token.label)
        status = self._token.pin.stat() if self._token.pin.exists() else None
        version = (status.st_mtime_ns, status.st_size) if status else None
        pin = read_secret(self._token.pin, party)
        if version is not None and version == self._refused_pin:
            raise self._wrong_pin(party)
        if token.flags & (TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_LOCKED):
            raise unfit(
                "pin_endangered",
                self.place,
                party,
                "此前有人输错过 PIN，再错可能锁死；请核对 PIN 文件，再用设备的管理工具登录一次以清除计数",
                "a wrong PIN was given before and another may lock it; check the PIN file, then log in once with the "
                "device's own tool, which clears the count",
            )
        try:
            session = token.open(user_pin=pin)
        except exceptions.UserAlreadyLoggedIn:  # by another table of the settings for the same token
            session = token.open()
        except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange, exceptions.PinLocked) as error:
            self._refused_pin = version
            raise self._wrong_pin(party) from error
        return _Opened(session, self._device.life(), self._token, self.place)

    def _wrong_pin(self, party: str) -> Exception:
        return unfit(
            "pin",
            self.place,
            party,
            f"PIN 不对或已锁定，不会再试；请改正 {self._token.pin}",
            f"its PIN is wrong or locked and is not tried again; correct {self._token.pin}",
        )

    def _unavailable(self, party: str, why: str) -> Unavailable:
        return Unavailable(
            "keys.token_unavailable",
            zh=f"签约方“{party}”的密码设备 {self.place} 无法使用（{why}）。请检查设备和连接；系统会重试。",
            en=f"The device {self.place} that holds the key of the party “{party}” does not answer ({why}). Check the "
            "device and its connection; it will be tried again.",
            party=party,
            place=self.place,
        )


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that stays on its token; what it gives is checked before it is believed."""

    source: TokenSource
    party: str
    certificate: Certificate
    chain: tuple[Certificate, ...]

    @property
    def digest_algorithm(self) -> str:
        return "sha256"

    @property
    def repeatable(self) -> bool:
        return True

    def mechanism(self, digest_algorithm: str) -> algos.SignedDigestAlgorithm:
        return mechanism_for(self.certificate, digest_algorithm)

    async def sign(self, data: bytes, digest_algorithm: str, act: str) -> bytes:  # noqa: ARG002  # a token keeps no acts
        self.mechanism(digest_algorithm)  # refuses a digest nobody knows before the device is asked
        signature = await self.source.call(self.party, lambda opened: self._sign(opened, data, digest_algorithm))
        if not is_signature(self.certificate, signature, data, digest_algorithm):
            raise unfit(
                "mismatch",
                self.source.place,
                self.party,
                "其中的私钥与证书不匹配",
                "its private key does not belong to the certificate",
            )
        return signature

    async def recall(self, data: bytes, digest_algorithm: str, act: str) -> bytes | None:  # noqa: ARG002  # a repeatable key is never asked
        return None

    def _sign(self, opened: _Opened, data: bytes, digest_algorithm: str) -> bytes:
        from pkcs11 import MGF, Mechanism

        key, name = opened.find(self.party).private, digest_algorithm.upper()
        if is_elliptic(self.certificate):
            value = key.sign(new_hash(digest_algorithm, data).digest(), mechanism=Mechanism.ECDSA)
            half = len(value) // 2
            return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
        if not uses_pss(self.certificate):
            return bytes(key.sign(data, mechanism=Mechanism[f"{name}_RSA_PKCS"]))
        salt = new_hash(digest_algorithm).digest_size
        parameters = (Mechanism[name], MGF[name], salt)
        return bytes(key.sign(data, mechanism=Mechanism[f"{name}_RSA_PKCS_PSS"], mechanism_param=parameters))


@dataclass(frozen=True, slots=True)
class _Found:
    private: PrivateObject
    certificates: tuple[Certificate, ...]


class _Opened:
    """An open session and what was found through it; only the module's thread touches it."""

    def __init__(self, session: Session, life: int, token: Token, place: str) -> None:
        self.life = life
        self._session = session
        self._token = token
        self._place = place
        self._found: dict[str, _Found] = {}

    def find(self, party: str) -> _Found:
        if party not in self._found:
            self._found[party] = _Found(self._private(party), self._certificates(party))
        return self._found[party]

    def _private(self, party: str) -> PrivateObject:
        from pkcs11 import Attribute, ObjectClass, exceptions

        label = self._token.parties[party]
        objects = list(self._session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}))
        if len(objects) != 1:
            raise unfit(
                "token_key",
                self._place,
                party,
                f"标签为“{label}”的私钥有 {len(objects)} 个，应为 1 个",
                f"there are {len(objects)} private keys labelled “{label}”, not one",
            )
        try:
            extractable = bool(objects[0][Attribute.EXTRACTABLE])
        except exceptions.AttributeTypeInvalid:  # a module that does not tell lets nothing out
            extractable = False
        if extractable:
            raise unfit(
                "extractable",
                self._place,
                party,
                f"私钥“{label}”可以导出，请重新生成不可导出的密钥",
                f"the private key “{label}” can be taken out of the token; make one that cannot",
            )
        return objects[0]

    def _certificates(self, party: str) -> tuple[Certificate, ...]:
        """The signer's certificate first: from the file ``<party>.pem`` beside, else from the token."""
        from pkcs11 import Attribute, CertificateType, ObjectClass

        if self._token.certificates is not None:
            return tuple(read_certificates(self._token.certificates / f"{party}.pem", party))
        kind = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509}
        mine: list[Certificate] = []
        others: list[Certificate] = []
        for held in self._session.get_objects(kind):
            ours = held[Attribute.LABEL] == self._token.parties[party]
            (mine if ours else others).append(Certificate.load(held[Attribute.VALUE]))
        if len(mine) != 1:
            raise unfit(
                "token_certificate",
                self._place,
                party,
                f"标签为“{self._token.parties[party]}”的证书有 {len(mine)} 个，应为 1 个",
                f"there are {len(mine)} certificates labelled “{self._token.parties[party]}”, not one",
            )
        return (*mine, *others)


class _Device:
    """One PKCS#11 module in this process, with the thread that calls it; a forked child starts its own."""

    def __init__(self, module: Path) -> None:
        self._module = module
        self._pid = 0
        self._life = 0
        self._thread: ThreadPoolExecutor | None = None

    def thread(self) -> ThreadPoolExecutor:
        if self._thread is None or self._pid != os.getpid():
            inherited = self._thread is not None
            self._thread = ThreadPoolExecutor(1, "pkcs11")
            self._pid = os.getpid()
            self._life += 1
            if inherited:  # sessions and locks of the parent are not ours
                self._thread.submit(self.restart)
        return self._thread

    def life(self) -> int:
        """Grows when all sessions became void."""
        return self._life

    def library(self, party: str) -> Library:
        try:
            import pkcs11
        except ImportError as error:
            raise unfit(
                "module", str(self._module), party, "缺少软件包，请安装 sealflow[pkcs11]", "install sealflow[pkcs11]"
            ) from error
        try:
            return pkcs11.lib(str(self._module))
        except (RuntimeError, OSError) as error:
            raise unfit(
                "module",
                str(self._module),
                party,
                f"PKCS#11 模块无法载入（{error}），请检查设置 trust.tokens.module",
                f"the PKCS#11 module does not load ({error}); check trust.tokens.module",
            ) from error

    def restart(self) -> None:
        """Finalise and initialise the module: all sessions of this process become void."""
        import pkcs11

        self._life += 1
        library = pkcs11.lib(str(self._module))
        with suppress(pkcs11.PKCS11Error):  # it may not be initialised any more
            library.finalize()
        library.initialize()


_devices: dict[Path, _Device] = {}
"""Modules by path: a process may load each of them once only."""


def _device(module: Path) -> _Device:
    return _devices.setdefault(module, _Device(module))
