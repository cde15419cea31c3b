import io
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console
from rich.progress import Progress

from engine.cli import console
from engine.errors import Rejected, Unavailable
from engine.language import Text
from engine.records.runs import Run

RUN = Run(
    id=UUID(int=7),
    pipeline="00" * 32,
    label="合同.docx",
    state="waiting",
    cursor=2,
    epoch=1,
    attempts=0,
    waiting_for="confirmed",
    sources=[{"name": "合同.docx", "digest": "11" * 32}],
    head=["22" * 32],
    facts={"values": {"证件号码": "990000199001010025"}, "level_achieved": "B-T", "pages": 3},
    error=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, 1, tzinfo=UTC),
)


def test_what_people_filled_in_is_not_in_a_summary() -> None:
    summary = console.run_summary(RUN)
    assert summary["facts"] == {"level_achieved": "B-T", "pages": 3}
    assert "990000199001010025" not in json.dumps(summary, ensure_ascii=False)


def test_times_are_told_as_in_china_with_their_offset() -> None:
    assert console.local_time(datetime(2026, 1, 1, 17, 0, tzinfo=UTC)) == "2026-01-02 01:00:00 +0800"


def test_an_error_is_told_in_words_or_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    error = Unavailable("tsa.away", zh="时间戳服务不在", en="The authority is [away].", tries=2)
    console.report(error)
    said = capfd.readouterr()
    assert (said.out == "" and "tsa.away" in said.err and "[away]" in said.err) or "时间戳服务不在" in said.err
    console.report(error, as_json=True)
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["facts"] == {"tries": 2}
    assert said.err == ""


def test_the_first_column_of_a_table_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = io.StringIO()
    monkeypatch.setattr(console, "output", Console(file=paper, width=60))
    console.print_table((Text("编号", "Run"), Text("名称", "Label")), [(str(RUN.id), "很长的合同名称" * 10)])
    assert str(RUN.id) in paper.getvalue()
    assert max(map(len, paper.getvalue().splitlines())) <= 60


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff\xfe", b'"text"'])
def test_values_that_are_no_object_are_refused_with_the_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "values.json"
    file.write_bytes(content)
    with pytest.raises(Rejected) as refused:
        console.read_json(file)
    assert refused.value.code == "values.unreadable"
    assert "values.json" in refused.value.say("zh")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"姓名": "张示例"}', "utf-8-sig")
    assert console.read_json(file) == {"姓名": "张示例"}
    assert console.read_json(None) == {}


def test_a_run_is_one_bar_that_names_its_stage() -> None:
    with Progress(console=Console(file=io.StringIO(), force_terminal=True)) as progress:
        bars = console.Bars(progress)
        bars.stage_started(RUN, 2, 7, "fill")
        (task,) = progress.tasks
        assert ("fill" in task.description, task.completed, task.total) == (True, 2, 7)
        bars.stage_progress(RUN, 1, 2)
        assert task.completed == 2.5
        bars.stage_finished(RUN, 2, 7, "fill")
        assert task.completed == 3
        bars.stage_started(RUN, 3, 7, "sign")
        assert len(progress.tasks) == 1
