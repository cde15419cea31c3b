from pathlib import Path

import pikepdf
import pytest

from engine.pdf import declaration
from engine.pdf.conformance import Verdict, check_conformance
from engine.pdf.normalization import normalize
from tests.pdf.raw_documents import one_page


@pytest.mark.parametrize("title", ["劳动合同 <1> & “2”", "x" * 400, " \x00\ufffe\n ", "𠮷"])
def test_metadata_and_information_tell_the_same_title(tmp_path: Path, title: str) -> None:
    encoded = b"<" + ("\ufeff" + title).encode("utf-16-be").hex().encode() + b">"
    (tmp_path / "a.pdf").write_bytes(one_page(more=(b"<</Title%s/Producer(X)>>" % encoded,), trailer=b"/Info 5 0 R"))
    normalize(tmp_path / "a.pdf", tmp_path / "b.pdf")
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        told = pdf.open_metadata().get("dc:title")
        assert told == (str(pdf.docinfo["/Title"]) if "/Title" in pdf.docinfo else None)
        assert set(pdf.docinfo.keys()) <= {"/Title"}
        assert pdf.open_metadata().pdfa_status == "2B"
    assert check_conformance(tmp_path / "b.pdf").verdict is Verdict.PASS


def test_a_withdrawn_claim_leaves_everything_else(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(one_page(more=(b"<</Title(Lease)>>",), trailer=b"/Info 5 0 R"))
    normalize(tmp_path / "a.pdf", tmp_path / "b.pdf")
    declaration.withdraw(tmp_path / "b.pdf")
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        assert (pdf.open_metadata().pdfa_status, pdf.open_metadata()["dc:title"]) == ("", "Lease")
        assert len(pdf.Root.OutputIntents) == 1
    assert {one.clause for one in check_conformance(tmp_path / "b.pdf").violations} == {"6.6.4"}
