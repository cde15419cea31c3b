from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from engine.trust.increments import append_revision, open_appended
from tests.trust.paper import draw_paper

steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 120), st.integers(0, 60)),
        st.tuples(st.just("write"), st.integers(0, 60), st.binary(min_size=1, max_size=40)),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.binary(max_size=60), steps=steps)
def test_source_and_tail_read_and_write_like_one_file(
    tmp_path: Path, source: bytes, steps: list[tuple[str, int, int | bytes]]
) -> None:
    first, second = tmp_path / "source", tmp_path / "tail"
    first.write_bytes(source)
    model = io.BytesIO(source)
    with open_appended(first, second) as stream:
        for _, place, what in steps:
            if isinstance(what, int):
                for file in (stream, model):
                    file.seek(place)
                assert stream.read(what) == model.read(what)
            else:
                for file in (stream, model):
                    file.seek(len(source) + place)
                    file.write(what)
        assert stream.seek(0, io.SEEK_END) == model.seek(0, io.SEEK_END)
    assert first.read_bytes() == source
    assert source + second.read_bytes() == model.getvalue()


def test_the_source_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"sacred")
    with pytest.raises(OSError, match="never written"), open_appended(tmp_path / "source", tmp_path / "tail") as stream:
        stream.seek(2)
        stream.write(b"x")
        stream.flush()
    assert (tmp_path / "source").read_bytes() == b"sacred"


@pytest.mark.parametrize("streams", [False, True], ids=["table", "stream"])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_revision_follows_every_kind_of_file(tmp_path: Path, streams: bool, ending: bytes) -> None:
    source, tail = tmp_path / "source.pdf", tmp_path / "tail"
    with pikepdf.open(draw_paper(tmp_path / "paper.pdf")) as paper:
        mode = pikepdf.ObjectStreamMode.generate if streams else pikepdf.ObjectStreamMode.disable
        paper.save(source, object_stream_mode=mode)
    source.write_bytes(source.read_bytes().rstrip() + ending)
    with open_appended(source, tail) as stream:
        writer = IncrementalPdfFileWriter(stream, strict=False)
        writer.root["/Note"] = writer.add_object(generic.TextStringObject("later"))
        writer.update_root()
        append_revision(writer)
    (tmp_path / "whole.pdf").write_bytes(source.read_bytes() + tail.read_bytes())
    subprocess.run(["qpdf", "--check", tmp_path / "whole.pdf"], capture_output=True, check=True)
    assert (b"/XRef" in tail.read_bytes()) is streams
