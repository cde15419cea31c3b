"""The peers of the signing benchmark: pyHanko as its manual shows it, and pyHanko with everything kept that can be."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.images import PdfImage
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext

from engine.trust.demo import DemoTrust
from engine.trust.keys import load_pkcs12

RESERVED = 16_384
"""Hex digits kept for the CMS: without it the library signs twice, once to learn the size."""


class Documented:
    """Signer, style and timestamp client made once, a validation context for each document, as in the manual."""

    def __init__(self, key: Path, paper: Path, seal: Path, field: str, level: str, demo: DemoTrust) -> None:
        for name in (
            "pyhanko",
            "pyhanko_certvalidator",
            "asyncio",
        ):  # a context leaves its session open, and is told so
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._paper, self._field, self._lasts = paper, field, level == "B-LTA"
        self._roots = [load_cert_from_pemder(str(file)) for file in sorted(demo.anchors_directory.iterdir())]
        self.signer = signers.SimpleSigner.load_pkcs12(
            str(key), passphrase=key.with_suffix(".passphrase").read_bytes().strip()
        )
        assert self.signer is not None
        self.stamper: timestamps.TimeStamper | None = timestamps.HTTPTimeStamper(demo.tsa_url) if self._lasts else None
        self.style = StaticStampStyle(background=PdfImage(str(seal)), border_width=0, background_opacity=1.0)
        self.reserved: int | None = None

    async def sign(self, _number: int) -> bytes:
        metadata = signers.PdfSignatureMetadata(
            field_name=self._field,
            subfilter=fields.SigSeedSubFilter.PADES,
            embed_validation_info=self._lasts,
            use_pades_lta=self._lasts,
            validation_context=await self.context() if self._lasts else None,
        )
        signer = signers.PdfSigner(metadata, self.signer, timestamper=self.stamper, stamp_style=self.style)
        output = io.BytesIO()
        writer = IncrementalPdfFileWriter(io.BytesIO(self._paper.read_bytes()))
        await signer.async_sign_pdf(writer, output=output, bytes_reserved=self.reserved)
        return output.getvalue()

    async def context(self) -> ValidationContext:
        return ValidationContext(trust_roots=self._roots, allow_fetching=True)


class Tuned(Documented):
    """The key object, the HTTP session and the validation context with its answers are kept; room is reserved."""

    def __init__(self, key: Path, paper: Path, seal: Path, field: str, level: str, demo: DemoTrust) -> None:
        super().__init__(key, paper, seal, field, level, demo)
        self.signer = _KeptKey(key)
        self.reserved = RESERVED
        self._url = demo.tsa_url
        self._context: ValidationContext | None = None

    async def context(self) -> ValidationContext:
        if self._context is None:
            import aiohttp
            from pyhanko.sign.timestamps.aiohttp_client import AIOHttpTimeStamper
            from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend

            self._session = aiohttp.ClientSession()
            self.stamper = AIOHttpTimeStamper(self._url, self._session)
            self._context = ValidationContext(
                trust_roots=self._roots, allow_fetching=True, fetcher_backend=AIOHttpFetcherBackend(self._session)
            )
        return self._context

    async def close(self) -> None:
        """End the kept session."""
        if self._context is not None:
            await self._session.close()


class _KeptKey(signers.Signer):
    """The library's own signer loads the key anew for every signature."""

    def __init__(self, file: Path) -> None:
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        self._key = load_pkcs12(file)
        store = SimpleCertificateStore()
        store.register_multiple(self._key.chain)
        super().__init__(
            signing_cert=self._key.certificate,
            cert_registry=store,
            signature_mechanism=self._key.mechanism("sha256"),
        )

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: ARG002  # the library's interface
        return await self._key.sign(data, digest_algorithm, "peer")
