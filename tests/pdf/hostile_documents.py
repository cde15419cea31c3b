"""Documents made to hang, swell, act or deceive; by name, for tests of what opens foreign files."""

from __future__ import annotations

import zlib

from tests.pdf.raw_documents import document, flate, one_page, stream

_BOMB_SIZE = 600 * 1024 * 1024


def endless() -> dict[str, bytes]:
    """Loops, depth, bombs and noise: each must end soon, as an A4 document or with a reason."""
    deep_array = b"[" * 20_000 + b"]" * 20_000
    deep_kids = [b"<</Type/Pages/Count 1/Kids[%d 0 R]/Parent %d 0 R>>" % (n + 1, n - 1) for n in range(3, 3000)]
    bomb = zlib.compress(b"\0" * _BOMB_SIZE, 9) if not _bombs else _bombs[0]
    _bombs[:] = [bomb]
    nested_bomb = zlib.compress(bomb, 9)
    big_table = b" ".join(b"/K%d %d" % (n, n) for n in range(50_000))
    return {
        "page tree that contains itself": document(
            b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"
        ),
        "page tree whose grandchild is its root": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>",
        ),
        "page that is its own parent": one_page(page=b"/Parent 3 0 R"),
        "page tree that doubles forty times": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            *(b"<</Type/Pages/Count 2/Kids[%d 0 R %d 0 R]>>" % (n, n) for n in range(3, 43)),
            b"<</Type/Page/MediaBox[0 0 10 10]>>",
        ),
        "page tree three thousand deep": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
            *deep_kids,
            b"<</Type/Page/MediaBox[0 0 10 10]/Parent 2999 0 R>>",
        ),
        "count that lies": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 2000000000>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]>>",
        ),
        "array nested twenty thousand times": one_page(page=b"/Resources<</Properties<</A " + deep_array + b">>>>"),
        "form that draws itself": one_page(
            b"/F Do",
            page=b"/Resources<</XObject<</F 5 0 R>>>>",
            more=(stream(b"/F Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"),),
        ),
        "length that refers to itself": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]/Contents 4 0 R>>",
            b"<</Length 4 0 R>>\nstream\nq Q\nendstream",
        ),
        "reference chain in a circle": one_page(page=b"/Resources 5 0 R", more=(b"6 0 R", b"5 0 R")),
        "content that inflates to 600 MB": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]/Contents 4 0 R>>",
            stream(bomb, b"/Filter/FlateDecode"),
        ),
        "content deflated twice": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]/Contents 4 0 R>>",
            stream(nested_bomb, b"/Filter[/FlateDecode/FlateDecode]"),
        ),
        "a thousand filters": one_page(
            page=b"/Contents 5 0 R", more=(stream(b"x", b"/Filter[" + b"/ASCIIHexDecode" * 1000 + b"]"),)
        ),
        "object stream that holds itself": document(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]/Contents 4 0 R>>",
            stream(b"4 0 <<>>", b"/Type/ObjStm/N 1/First 4/Extends 4 0 R"),
        ),
        "cross-reference table that points back at itself": one_page(trailer=b"/Prev 9"),
        "dictionary of fifty thousand keys": one_page(page=b"/Resources<</Properties<<" + big_table + b">>>>"),
        "content that restores a hundred thousand times": one_page(b"Q " * 100_000 + b"0 0 9 9 re f"),
        "content that saves a hundred thousand times": one_page(b"q " * 100_000 + b"0 0 9 9 re f"),
        "form field that is its own parent": one_page(
            page=b"/Annots[5 0 R]",
            catalog=b"/AcroForm<</Fields[5 0 R]>>",
            more=(b"<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]/Parent 5 0 R/Kids[5 0 R]/T(x)>>",),
        ),
        "actions that follow each other in a circle": one_page(
            catalog=b"/OpenAction 5 0 R", more=(b"<</S/Named/N/Print/Next 6 0 R>>", b"<</S/Named/N/Print/Next 5 0 R>>")
        ),
        "bookmarks in a circle": one_page(
            catalog=b"/Outlines 5 0 R",
            more=(b"<</First 6 0 R/Last 6 0 R>>", b"<</Title(x)/Next 6 0 R/First 6 0 R/Parent 5 0 R>>"),
        ),
        "layer expression nested in itself": one_page(
            b"/OC /L BDC 0 0 9 9 re f EMC",
            catalog=b"/OCProperties<</OCGs[5 0 R]/D<</OFF[5 0 R]>>>>",
            page=b"/Resources<</Properties<</L 6 0 R>>>>",
            more=(b"<</Type/OCG/Name(x)>>", b"<</Type/OCMD/VE 7 0 R>>", b"[/Or 7 0 R 7 0 R]"),
        ),
        "map from codes to text of four billion": one_page(
            b"BT /F 9 Tf <0001> Tj ET",
            page=b"/Resources<</Font<</F 5 0 R>>>>",
            more=(
                b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>",
                b"<</Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Ordering(Identity)>>/W[0 4294967295 9]>>",
                stream(b"1 beginbfrange <00000000> <FFFFFFFF> <4E00> endbfrange"),
            ),
        ),
        "annotations in their hundred thousands": one_page(
            page=b"/Annots[" + b"5 0 R " * 100_000 + b"]", more=(b"<</Subtype/Text/Rect[0 0 9 9]>>",)
        ),
    }


_bombs: list[bytes] = []


def malformed() -> dict[str, bytes]:
    """Values of the wrong kind, missing parts and torn files."""
    good = one_page()
    wrong = (b"null", b"true", b"(text)", b"[1 2]", b"/Name", b"99999999999999999999", b"<</A 1>>", b"999 0 R")
    bad: dict[str, bytes] = {}
    for key in (
        b"/Rotate",
        b"/MediaBox",
        b"/CropBox",
        b"/Resources",
        b"/Contents",
        b"/Annots",
        b"/UserUnit",
        b"/Group",
    ):
        for value in wrong:
            bad[f"{key.decode()} {value[:12].decode()}"] = one_page(page=key + b" " + value)
    for key in (b"/OCProperties", b"/AcroForm", b"/OpenAction", b"/Names", b"/Outlines"):
        for value in wrong:
            bad[f"{key.decode()} {value[:12].decode()}"] = one_page(catalog=key + b" " + value)
    annotation = (b"/AP<</N 4 0 R>>", b"/AP 4 0 R", b"/AP<</N<</A 4 0 R>>>>/AS/A", b"/FT/Tx/V(x)/DA(/F . Tf)", b"/F(x)")
    for extra in annotation:
        for rect in (b"[0 0 0 0]", b"[9 9 1 1]", b"[1 2]", b"(x)", b"[1e30 0 -1e30 9]"):
            body = b"<</Subtype/Widget/Rect%s%s>>" % (rect, extra)
            bad[f"widget {rect.decode()} {extra.decode()}"] = one_page(page=b"/Annots[5 0 R]", more=(body,))
    for cut in (9, 40, 120, len(good) // 2, len(good) - 40):
        bad[f"cut at {cut}"] = good[:cut]
    bad["no pages"] = document(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
    bad["no catalog"] = document(b"<</Type/Nothing>>")
    bad["header only"] = b"%PDF-1.7\n"
    bad["content cut in a string"] = one_page(b"BT (never closed")
    bad["broken flate"] = one_page(page=b"/Contents 5 0 R", more=(stream(b"no zlib", b"/Filter/FlateDecode"),))
    bad["unknown filter"] = one_page(page=b"/Contents 5 0 R", more=(stream(b"q Q", b"/Filter/Secret"),))
    bad["names in GBK"] = one_page(page=b"/Resources<</Font<</#ba#da 5 0 R>>>>", more=(b"<</Type/#ba/Subtype/#da>>",))
    bad["garbage operators"] = one_page(b"\xff\xfe\xba 1 2 \xba\xda cm >> ] } q")
    bad["inflated noise"] = one_page(page=b"/Contents 5 0 R", more=(flate(bytes(range(256)) * 100),))
    return bad
