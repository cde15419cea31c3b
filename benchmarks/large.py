"""Memory while a big scan is signed: 126 MB of JPEG-sized pages, a visible B-T signature; worker and limited child."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import threading
import time
from pathlib import Path

import pikepdf
import psutil
from rich.console import Console
from rich.table import Table

from engine import assembly
from engine.settings import load_settings

ROOT = Path(__file__).parent.parent
_FIELD = (
    'name = "here"\nkind = "signature"\nparty = "employer"\npage = 1\nx = 80.0\ny = 80.0\nwidth = 120.0\nheight = 112.0'
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=126)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealflow-bench-") as name:
        os.environ["SEALFLOW_HOME"] = str(Path(name, "home"))
        asyncio.run(measure(Path(name), options.megabytes))
    return 0


async def measure(folder: Path, megabytes: int) -> None:
    """Sign a small file first, so that only the size of the file makes a difference."""
    async with assembly.open_tools(load_settings()) as tools:
        options = {"controls": [_control()]}
        prepared = []
        for size in (1, megabytes):
            scan = make_scan(folder / f"scan-{size}.pdf", size)
            ready = folder / f"ready-{size}.pdf"
            await tools.run_stage("controls", options, (scan,), {}, ready)
            prepared.append(ready)
        sign = {"as": "employer", "field": "here", "seal": str(ROOT / "pipelines" / "seals" / "company.png")}
        await tools.run_stage("sign", sign, (prepared[0],), {}, folder / "small.pdf")
        with Watch() as watch:
            started = time.perf_counter()
            await tools.run_stage("sign", sign, (prepared[1],), {}, folder / "big.pdf")
            seconds = time.perf_counter() - started
    table = Table("", "figure", title=f"{prepared[1].stat().st_size / 1e6:.0f} MB scan, signed B-T")
    table.add_row("seconds", f"{seconds:.2f}")
    table.add_row("growth of the worker, MiB", f"{watch.own:.1f}")
    table.add_row("largest limited child above its parent, MiB", f"{watch.child:.1f}")
    Console().print(table, f"{os.cpu_count()} cores · {platform.platform()} · {time.strftime('%Y-%m-%d')}")


def _control() -> dict[str, object]:
    import tomllib

    return tomllib.loads(_FIELD)


def make_scan(path: Path, megabytes: int) -> Path:
    """Pages of incompressible JPEG-sized streams, 250 kB each."""
    with pikepdf.new() as pdf:
        for _ in range(max(1, megabytes * 4)):
            page = pdf.add_blank_page(page_size=(595.276, 841.89))
            picture = pikepdf.Stream(pdf, os.urandom(250_000))
            picture.stream_dict = pikepdf.Dictionary(
                Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=500, Height=500,
                ColorSpace=pikepdf.Name.DeviceGray, BitsPerComponent=8,
            )  # fmt: skip
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=picture))
            page.Contents = pikepdf.Stream(pdf, b"q 595 0 0 842 0 0 cm /Im0 Do Q")
        pdf.save(path, compress_streams=False)
    return path


class Watch:
    """Samples resident memory of this process and of its descendants' private pages, in MiB."""

    def __enter__(self) -> Watch:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.own = self.child = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(0.005):
            self.own = max(self.own, (self._process.memory_info().rss - self._before) / 2**20)
            for child in self._process.children(recursive=True):
                try:
                    self.child = max(self.child, child.memory_full_info().uss / 2**20)
                except psutil.Error:
                    continue


if __name__ == "__main__":
    raise SystemExit(main())
