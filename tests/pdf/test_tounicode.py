import pikepdf
import pytest
from pikepdf import Dictionary, Name

from engine.pdf import tounicode
from engine.pdf.tounicode import character, read_cmap, unify_radicals, write_cmap


def _map(body: bytes) -> tuple[pikepdf.Pdf, pikepdf.Object]:
    pdf = pikepdf.Pdf.new()
    cmap = pdf.make_stream(body)
    pdf.Root[Name.Font] = pdf.make_indirect(Dictionary(ToUnicode=cmap))
    return pdf, cmap


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("⽂⼯", "文工"),
        ("⻓⻔⻚⻅", "长门页见"),
        ("文工", "文工"),
        ("ABC①，", "ABC①，"),
        ("\uf900", "\u8c48"),
        ("", ""),
    ],
)
def test_radicals_become_the_characters_people_type(given: str, meant: str) -> None:
    assert character(given) == meant


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"1 beginbfchar <01> <2F42> endbfchar", {1: "文"}),
        (b"1 beginbfrange <0001> <0003> <2F41> endbfrange", {1: "攴", 2: "文", 3: "斗"}),
        (b"1 beginbfrange <01> <02> [<2F42> <0041>] endbfrange", {1: "文", 2: "A"}),
        (b"2 beginbfchar <01> <00660069> <02> <2FD5>endbfchar", {1: "fi", 2: "龠"}),
    ],
)
def test_maps_of_every_form_are_corrected(body: bytes, texts: dict[int, str]) -> None:
    pdf, cmap = _map(body)
    assert unify_radicals(pdf) == 1
    assert read_cmap(cmap) == texts


def test_a_map_without_radicals_keeps_its_bytes() -> None:
    body = b"1 beginbfchar <01> <6587> endbfchar"
    pdf, cmap = _map(body)
    assert unify_radicals(pdf) == 0
    assert cmap.read_bytes() == body


def test_a_written_map_is_read_back_in_blocks_of_a_hundred() -> None:
    texts = {code.to_bytes(2, "big"): chr(0x4E00 + code) for code in range(250)}
    written = write_cmap(texts)
    _, cmap = _map(written)
    assert read_cmap(cmap) == {int.from_bytes(code, "big"): text for code, text in texts.items()}
    assert written.count(b"beginbfchar") == 3


def test_every_radical_of_the_table_is_one_and_none_of_its_characters_is() -> None:
    assert all(0x2E80 <= ord(radical) <= 0x2EF3 for radical in tounicode._SUPPLEMENT)
    assert all(ord(word) > 0x4E00 for word in tounicode._SUPPLEMENT.values())
