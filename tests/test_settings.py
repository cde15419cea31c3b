from pathlib import Path

import pytest

from engine.errors import Misuse
from engine.settings import Settings, load_settings


def test_nothing_said_means_an_embedded_development_installation() -> None:
    settings = load_settings(environ={})
    assert settings == Settings()
    assert (settings.environment, settings.database_url) == ("development", None)


def test_a_file_is_read_and_variables_win(tmp_path: Path) -> None:
    file = tmp_path / "sealflow.toml"
    file.write_text(
        'environment = "production"\nhome = "/srv/a"\n[work]\nlease = 12.0\n'
        '[[trust.timestamp_authorities]]\nurl = "http://127.0.0.1:1/tsa"\n',
        "utf-8",
    )
    environ = {"SEALFLOW_CONFIG": str(file), "SEALFLOW_HOME": "/srv/b", "SEALFLOW_BROKER": "amqp://127.0.0.1"}
    settings = load_settings(environ=environ)
    assert settings.environment == "production"
    assert settings.home == Path("/srv/b")
    assert (settings.work.lease, settings.work.broker) == (12.0, "amqp://127.0.0.1")
    assert settings.trust.timestamp_authorities[0].url == "http://127.0.0.1:1/tsa"


def test_the_database_variable_names_a_server_of_ones_own() -> None:
    assert load_settings(environ={"DATABASE_URL": "postgresql:///x"}).database_url == "postgresql:///x"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hoem = '/srv'", "hoem"),
        ("[work]\nleese = 1.0", "leese"),
        ("[work]\nlease = 'long'", "lease"),
        ("environment = 'staging'", "staging"),
        ("home = 3", "home"),
        ("home = ", "Invalid value"),
    ],
)
def test_a_wrong_setting_is_refused_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "sealflow.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(Misuse) as refused:
        load_settings(file, environ={})
    for language in ("zh", "en"):
        assert "sealflow.toml" in refused.value.say(language)
        assert named in refused.value.say(language)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml", environ={})
