from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from engine.trust.report import render_html
from engine.trust.verdict import Finding, Integrity, Report, SignatureVerdict, Stamp, Trust

MOMENT = datetime(2030, 5, 6, 20, 0, 0, tzinfo=UTC)


def make_report(integrity: Integrity = Integrity.VALID, trust: Trust = Trust.TRUSTED, **more: object) -> Report:
    signature = SignatureVerdict(
        kind="signature",
        fields=("party-a",),
        integrity=integrity,
        trust=trust,
        level="B-LTA",
        signer="Common Name: 示例 <script>alert(1)</script>, Organization: Sample & Co",
        claimed_at=MOMENT,
        stamps=(Stamp(MOMENT, "Common Name: Sample TSA", trust, "signature"),),
        covered=1234567,
        later_changes=(Finding("later.form", "此后填写了表单。", "A form was filled later."),),
        reason="<img src=x>",
    )
    fields: dict[str, object] = {
        "file": "合同 <1>.pdf",
        "size": 2_000_000,
        "digest": "ab" * 32,
        "integrity": integrity,
        "trust": trust,
        "level": "B-LTA",
        "signatures": (signature,),
        "findings": (),
        "checked_at": MOMENT,
        **more,
    }
    return Report(**fields)  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Collects what a page would load and whether its elements close."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        self.scripts += tag in ("script", "img", "iframe", "link")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_escapes_what_comes_from_the_file() -> None:
    reader = Reader()
    reader.feed(render_html(make_report()))
    assert (reader.loads, reader.scripts, reader.open) == ([], 0, [])


def test_times_are_given_with_their_source_and_the_offset_of_beijing() -> None:
    page = render_html(make_report())
    assert page.count("2030-05-07 04:00:00 +08:00") >= 3
    assert "未经证明" in page and "已证明" in page


def test_an_untrusted_stamp_is_never_called_proven() -> None:
    page = render_html(make_report(trust=Trust.UNTRUSTED))
    signature = page[page.index('<section class="card good">') :] if 'card good">' in page else page
    assert "时间戳机构未获信任" in page
    assert "，已证明" not in signature.partition("<footer>")[0]


@pytest.mark.parametrize("integrity", list(Integrity))
@pytest.mark.parametrize("trust", list(Trust))
def test_only_a_trusted_intact_file_is_shown_as_good(integrity: Integrity, trust: Trust) -> None:
    page = render_html(make_report(integrity, trust))
    tone = re.search(r'<div class="seal (\w+)">', page)
    assert tone is not None
    good = integrity in (Integrity.VALID, Integrity.EXTENDED) and trust is Trust.TRUSTED
    assert (tone[1] == "good") is good


def test_the_digest_and_what_changed_later_are_shown() -> None:
    page = render_html(make_report(Integrity.EXTENDED))
    assert "ab" * 32 in page and "此后填写了表单。" in page and "A form was filled later." in page


def test_the_plain_form_is_json_with_the_proven_time() -> None:
    plain = make_report().to_dict()
    assert plain["integrity"] == "valid"
    assert plain["signatures"][0]["proven_at"] == "2030-05-06T20:00:00Z"
