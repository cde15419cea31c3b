"""Appends a revision to a PDF without copying it; cross-references stay tables or streams as the source has them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, cast

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers.pdf_byterange import PdfSignedData

from engine.trust.embedding import Hole

_BUFFER = 1 << 16


class Appended(io.RawIOBase):
    """A source file followed by a tail file, read as one; only the tail can be written."""

    def __init__(self, source: Path, tail: Path) -> None:
        self._source = source.open("rb", buffering=0)
        self._tail = tail.open("w+b", buffering=0)
        self.source_size = os.fstat(self._source.fileno()).st_size
        self._position = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self.source_size + os.fstat(self._tail.fileno()).st_size
        if offset < 0:
            raise OSError("a position before the start of the file")
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedRandom passes a memoryview
        beyond = self._position - self.source_size
        if beyond < 0:
            count = os.preadv(self._source.fileno(), [buffer], self._position)
        else:
            count = os.preadv(self._tail.fileno(), [buffer], beyond)
        self._position += count
        return count

    def write(self, data: bytes) -> int:  # type: ignore[override]  # as readinto
        beyond = self._position - self.source_size
        if beyond < 0:
            raise OSError("the source is never written")
        count = os.pwrite(self._tail.fileno(), data, beyond)
        self._position += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._source.close()
            self._tail.close()
        super().close()


def open_appended(source: Path, tail: Path) -> IO[bytes]:
    """Open ``source`` for reading with everything written going to the new file ``tail``."""
    return cast(IO[bytes], io.BufferedRandom(Appended(source, tail), _BUFFER))


def append_revision(writer: IncrementalPdfFileWriter) -> None:
    """Write the changed objects behind the file the writer was opened on.

    Metadata stays as it is: XMP and Info of a PDF/A file must keep telling the same.
    """
    stream = writer.prev.stream
    end = stream.seek(0, os.SEEK_END)
    stream.seek(end - 1)
    last = stream.read(1)
    stream.seek(end)
    if last not in b"\r\n":
        stream.write(b"\n")  # "12 0 obj" glued to "%%EOF" would be part of the comment
    writer._write_updated_section(stream)
    stream.flush()


def append_container(writer: IncrementalPdfFileWriter, container: PdfSignedData) -> Hole:
    """Write a revision whose changed objects include ``container``, a signature or timestamp dictionary.

    Its ByteRange is completed; gives the place of its Contents.
    """
    stream = writer.prev.stream
    writer.digest_aware_write = True
    append_revision(writer)
    size = stream.seek(0, os.SEEK_END)
    start, stop = container.contents.offsets
    container.byte_range.fill_offsets(stream, start, stop, size)
    stream.flush()
    return Hole(start, stop)
