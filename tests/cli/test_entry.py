import io
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import structlog

from engine.cli import entry, logs
from engine.cli.entry import main

Sealflow = Callable[..., tuple[int, str, str]]


def test_help_names_every_command_within_80_columns(sealflow: Sealflow) -> None:
    status, out, _ = sealflow("--help")
    assert status == 0
    for command in entry._COMMANDS:
        assert f"\n  {command} " in out
    assert max(map(len, out.splitlines())) <= 80


def test_help_speaks_chinese_in_a_chinese_locale() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from engine.cli import main; main(['--help'])"],
        env={"LC_ALL": "zh_CN.UTF-8", "PYTHONPATH": ".", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "让文件走完一个流程" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing-like-it"],
        ["run"],
        ["run", "labour-contract", "/nowhere.docx", "-o", "x.pdf"],
        ["status", "not-an-id"],
        ["run", "--wrong"],
    ],
)
def test_wrong_usage_is_64_and_one_sentence(sealflow: Sealflow, arguments: list[str]) -> None:
    status, out, err = sealflow(*arguments)
    assert status == 64
    assert out == ""
    assert "usage" in err and "--help" in err
    assert "Traceback" not in err


def test_a_fault_of_ours_is_70_with_words_and_trace(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(entry.sealflow, "main", break_down)
    assert main([]) == 70
    err = capfd.readouterr().err
    assert "boom" in err and ("unharmed" in err or "均未受影响" in err)


def test_an_interrupted_command_is_130_and_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry.sealflow, "main", interrupt)
    assert main([]) == 130
    err = capfd.readouterr().err
    assert "resume" in err and "Traceback" not in err


def test_wrong_usage_is_json_when_asked_for(sealflow: Sealflow) -> None:
    status, out, err = sealflow("run", "--json")
    assert (status, err) == (64, "") and json.loads(out)["error"]["code"] == "usage"


def test_colours_stay_away_when_nobody_watches(sealflow: Sealflow) -> None:
    _, out, err = sealflow("pipelines")
    assert "\x1b" not in out + err


def test_version_is_told(sealflow: Sealflow) -> None:
    status, out, _ = sealflow("--version")
    assert status == 0 and out.startswith("sealflow, version ")


def test_warnings_follow_standard_error_when_it_is_replaced(
    sealflow: Sealflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sealflow("pipelines")[0] == 0
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    structlog.get_logger("any").warning("heard")
    assert "heard" in elsewhere.getvalue()


@pytest.mark.parametrize("tell", [logs.tell_people, logs.tell_operators])
def test_a_logged_fault_shows_no_variables(tell: Callable[[], None], capfd: pytest.CaptureFixture[str]) -> None:
    tell()
    secret = "".join(("open", " ", "sesame"))
    try:
        _ = len(secret) // 0
    except ZeroDivisionError:
        structlog.get_logger("any").exception("broke down")
    err = capfd.readouterr().err
    assert "broke down" in err and "ZeroDivisionError" in err and secret not in err
