"""Counts what timestamp authorities (时间戳服务) do, for Prometheus to collect; kept in this process's memory only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

REPLIES = Counter(
    "sealflow_timestamp_replies_total",
    "Answers of timestamp authorities: granted, untrusted (it failed a check), failed (none or a refusal)",
    ["authority", "outcome"],
)
SECONDS = Histogram(
    "sealflow_timestamp_seconds",
    "Seconds until a timestamp authority had answered",
    ["authority"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
)
SHUNNED = Gauge(
    "sealflow_timestamp_authority_shunned",
    "1 while an authority that failed repeatedly is asked last",
    ["authority"],
)


@contextmanager
def timed(authority: str) -> Iterator[None]:
    """Measure one question to an authority, whatever comes of it."""
    began = time.perf_counter()
    try:
        yield
    finally:
        SECONDS.labels(authority).observe(time.perf_counter() - began)
