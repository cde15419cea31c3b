"""A kept HTTP session to services outside (外部服务), on one event loop; addresses of this machine skip the proxy."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Outbound:
    """What clients of services share; use it as an async context manager or call ``close``.

    ``timeout``: seconds per request. The session opens at the first request: an SSL context costs 18 ms.
    """

    def __init__(self, proxy: str | None, timeout: float) -> None:
        self._proxy = proxy
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        return self._session

    def _route(self, address: str) -> str | None:
        """The proxy for an address, None for the direct way."""
        return None if urlsplit(address).hostname in LOOPBACK else self._proxy
