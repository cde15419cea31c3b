from pathlib import Path

import pytest

from engine.pdf.inspection import Verdict, inspect
from tests.pdf.raw_documents import one_page, stream


def _codes(tmp_path: Path, content: bytes) -> dict[str, tuple[str, int]]:
    (tmp_path / "a.pdf").write_bytes(content)
    return {item.code: (item.place, item.count) for item in inspect(tmp_path / "a.pdf").findings}


def test_a_plain_page_has_no_findings(tmp_path: Path) -> None:
    assert _codes(tmp_path, one_page()) == {}


def test_findings_name_their_first_place_and_how_many_there_are(tmp_path: Path) -> None:
    link = b"<</Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(x)>>>>"
    found = _codes(tmp_path, one_page(page=b"/Annots[" + link * 3 + b"]"))
    assert found == {"action.jump": ("page 1", 3), "action.link": ("page 1", 3)}


def test_a_script_at_the_end_of_a_chain_is_found(tmp_path: Path) -> None:
    chain = b"<</S/GoTo/D[3 0 R/Fit]/Next[<</S/Named/N/NextPage/Next<</S/JavaScript/JS 5 0 R>>>>]>>"
    found = _codes(tmp_path, one_page(catalog=b"/OpenAction" + chain, more=(stream(b"app.alert(1)"),)))
    assert found["action.script"] == ("catalog", 2)


def test_what_nothing_refers_to_is_found_too(tmp_path: Path) -> None:
    found = _codes(tmp_path, one_page(more=(b"<</S/JavaScript/JS(later)>>",)))
    assert found["action.script"][0] == "object 5"


def test_a_name_chosen_by_the_producer_is_no_action(tmp_path: Path) -> None:
    form = stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    assert _codes(tmp_path, one_page(page=b"/Resources<</XObject<</JS 5 0 R/EF 5 0 R>>>>", more=(form,))) == {}


def test_a_structure_element_that_is_called_like_an_action_is_none(tmp_path: Path) -> None:
    tree = b"/StructTreeRoot<</Type/StructTreeRoot/K<</S/Sound/P 1 0 R/K 0>>>>"
    assert _codes(tmp_path, one_page(catalog=tree)) == {}


def test_content_in_another_file_is_found(tmp_path: Path) -> None:
    found = _codes(tmp_path, one_page(page=b"/Contents 5 0 R", more=(stream(b"", b"/F(/etc/passwd)"),)))
    assert set(found) == {"files.external"}


@pytest.mark.parametrize(("catalog", "verdict"), [(b"/Collection<<>>", Verdict.REFUSE), (b"/AA<<>>", Verdict.REWRITE)])
def test_the_verdict_says_what_becomes_of_the_document(tmp_path: Path, catalog: bytes, verdict: Verdict) -> None:
    (tmp_path / "a.pdf").write_bytes(one_page(catalog=catalog))
    report = inspect(tmp_path / "a.pdf")
    assert [item.verdict for item in report.findings] == [verdict]
    assert report.to_facts()[0]["verdict"] == verdict.value
