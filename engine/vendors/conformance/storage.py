"""Demands on a content store; every case removes what it stored."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.errors import Defect
from engine.language import Text
from engine.vendors.conformance.bench import (
    Bench,
    Case,
    NotApplicable,
    Violation,
    must_let_others_run,
    must_reject,
)
from engine.vendors.protocols import Storage

_MEBIBYTE = 1024 * 1024
_LARGE = 48 * _MEBIBYTE
_FLAT = 16 * _MEBIBYTE


def _source(bench: Bench, size: int = 5000) -> tuple[Path, str]:
    """A file with content nobody else has, and its digest."""
    content = os.urandom(min(size, _MEBIBYTE)) * max(1, size // _MEBIBYTE)
    path = bench.workspace / f"source-{os.urandom(8).hex()}"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


async def _digests(storage: Storage, before: datetime) -> set[str]:
    return {digest async for digest in storage.digests(before)}


async def _whole(storage: Storage, bench: Bench) -> None:
    for size in (0, 1, 5000, 3 * _MEBIBYTE):
        source, expected = _source(bench, size) if size else _empty(bench)
        digest = await storage.put(source)
        if digest != expected:
            raise Violation(zh=f"返回的摘要不是 sha256：{digest}", en=f"the digest is not the sha256: {digest}")
        if (await storage.get(digest, bench.workspace)).read_bytes() != source.read_bytes():
            raise Violation(zh="取回的内容与存入的不同", en="what comes back differs from what was put")
        if not source.is_file():
            raise Violation(zh="源文件被移走，应当只复制", en="the source was taken away; it must be copied")
        await storage.delete(digest)


def _empty(bench: Bench) -> tuple[Path, str]:
    path = bench.workspace / "empty"
    path.write_bytes(b"")
    return path, hashlib.sha256(b"").hexdigest()


async def _repeated(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench)
    if {await storage.put(source), await storage.put(source)} != {digest}:
        raise Violation(zh="重复存入得到不同的摘要", en="putting again gives another digest")
    await storage.delete(digest)


async def _concurrent(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench, 200_000)
    results = await asyncio.gather(*(storage.put(source) for _ in range(16)))
    if set(results) != {digest}:
        raise Violation(zh="同时存入得到不同的摘要", en="putting at the same moment gives other digests")
    if (await storage.get(digest, bench.workspace)).read_bytes() != source.read_bytes():
        raise Violation(zh="同时存入后内容不完整", en="the content is not whole after many puts at once")
    await storage.delete(digest)


async def _missing(storage: Storage, bench: Bench) -> None:
    for digest in (os.urandom(32).hex(), "../../../etc/passwd", "", "Z" * 64):
        await must_reject(storage.get(digest, bench.workspace), "storage.missing")


async def _no_source(storage: Storage, bench: Bench) -> None:
    await must_reject(storage.put(bench.workspace / "nowhere.pdf"), "document.missing")


async def _damaged(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench)
    await storage.put(source)
    try:
        await _damage(storage, bench, digest)
        try:
            await storage.get(digest, bench.workspace)
        except Defect as error:
            if error.code == "storage.corrupt":
                return
        raise Violation(
            zh="损坏的内容未被发现（应抛出 Defect storage.corrupt）",
            en="damage goes unnoticed (no Defect storage.corrupt)",
        )
    finally:
        await storage.delete(digest)


async def _damage(storage: Storage, bench: Bench, digest: str) -> None:
    if bench.damage is not None:
        await bench.damage(digest)
        return
    path = await storage.get(digest, bench.workspace)
    if path.resolve().is_relative_to(bench.workspace.resolve()):
        raise NotApplicable(
            zh="取回的是副本；请在测试中给出 damage 来改动存储内的一个字节",
            en="a copy is given out; name a damage function that changes one stored byte",
        )
    path.chmod(0o600)
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 0xFF]))


async def _deleted(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench)
    await storage.put(source)
    await storage.delete(digest)
    await storage.delete(digest)
    await must_reject(storage.get(digest, bench.workspace), "storage.missing")
    if await storage.put(source) != digest:
        raise Violation(zh="删除后不能再次存入", en="deleted content cannot be put again")
    await storage.delete(digest)


async def _listed(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench)
    await storage.put(source)
    now = datetime.now(UTC)
    if digest in await _digests(storage, now - timedelta(days=1)):
        raise Violation(zh="刚存入的内容被列为一天前存入", en="content of just now is listed as older than a day")
    if digest not in await _digests(storage, now + timedelta(days=1)):
        raise Violation(zh="已存入的内容没有列出", en="stored content is not listed")
    await storage.delete(digest)
    if digest in await _digests(storage, now + timedelta(days=1)):
        raise Violation(zh="已删除的内容仍被列出", en="deleted content is still listed")


async def _renewed(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench)
    await storage.put(source)
    await asyncio.sleep(bench.pause)
    between = datetime.now(UTC)
    await asyncio.sleep(bench.pause)
    await storage.put(source)
    old = await _digests(storage, between)
    await storage.delete(digest)
    if digest in old:
        raise Violation(
            zh="再次存入的内容仍算旧内容，会被清理程序误删",
            en="content that was put again still counts as old, so the collector would take it away",
        )


async def _flat(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench, _LARGE)
    tracemalloc.start()
    try:
        await storage.put(source)
        await storage.get(digest, bench.workspace)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        await storage.delete(digest)
    if peak > _FLAT:
        raise Violation(
            zh=f"存取 {_LARGE // _MEBIBYTE} MiB 的文件占用了 {peak // _MEBIBYTE} MiB 内存，应分块处理",
            en=f"a file of {_LARGE // _MEBIBYTE} MiB took {peak // _MEBIBYTE} MiB of memory; work in chunks",
        )


async def _asynchronous(storage: Storage, bench: Bench) -> None:
    source, digest = _source(bench, 16 * _MEBIBYTE)
    await must_let_others_run(storage.put(source))
    await must_let_others_run(storage.get(digest, bench.workspace))
    await storage.delete(digest)


storage_cases: tuple[Case[Storage], ...] = (
    Case("whole", Text("存入什么，取回什么", "what was put comes back, under its sha256"), _whole),
    Case("repeated", Text("重复存入无害", "putting the same twice is harmless"), _repeated),
    Case("concurrent", Text("同时存入无害", "putting the same at once is harmless"), _concurrent),
    Case("missing", Text("没有的内容如实报告", "what is not there is said to be missing"), _missing),
    Case("no-source", Text("源文件不存在如实报告", "a source that is not there is named"), _no_source),
    Case("damaged", Text("读取时核对摘要", "the digest is checked when reading"), _damaged),
    Case("deleted", Text("删除可以重复", "deleting twice is harmless"), _deleted),
    Case("listed", Text("按时间列出内容", "contents are listed by age"), _listed),
    Case("renewed", Text("再次存入算作新内容", "content put again counts as new"), _renewed),
    Case("flat", Text("大文件不占内存", "large files do not fill the memory"), _flat),
    Case("asynchronous", Text("不阻塞事件循环", "the event loop is not blocked"), _asynchronous),
)
