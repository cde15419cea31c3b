"""The assembled engine: what it refuses to start with, what it gives, what it leaves to others."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from uuid import uuid4

import msgspec
import pikepdf
import pytest

from engine import assembly
from engine.assembly import SERVICES, open_engine, open_tools, trusted_roots
from engine.errors import Conflict, Misuse, Rejected
from engine.pipeline.runner import initial_facts
from engine.records import key_standing
from engine.settings import Authority, Issuing, Settings, Trust
from engine.trust.demo import ensure_demo
from tests.pipeline.toys import pipeline
from tests.trust.paper import draw_paper, make_key, valid_signatures
from tests.trust.soft_hsm import SoftHsm


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    return Settings(home=home, database_url=database_url)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(612, 792))
        pdf.save(path)
    return path


async def refusal(settings: Settings) -> Misuse:
    with pytest.raises(Misuse) as caught:
        async with open_engine(settings):
            pass
    return caught.value


async def test_production_does_not_start_without_keys_of_its_own(database_url: str, tmp_path: Path) -> None:
    settings = Settings(environment="production", home=tmp_path, database_url=database_url)
    assert (await refusal(settings)).code == "trust.demo_in_production"
    assert not (tmp_path / "demo-pki").exists(), "nothing is made"


@pytest.mark.parametrize("named", ["keys", "anchors", "timestamp_authorities"])
async def test_production_needs_every_part_of_trust(database_url: str, tmp_path: Path, named: str) -> None:
    demo = await ensure_demo(tmp_path / "pki", "development")
    whole = Trust(demo.keyring_directory, demo.anchors_directory, (demo.authority,))
    part = msgspec.structs.replace(whole, **{named: Trust().__getattribute__(named)})
    settings = Settings(environment="production", home=tmp_path / "home", database_url=database_url, trust=part)
    assert (await refusal(settings)).code == "trust.demo_in_production"


async def test_production_does_not_start_on_the_folder_of_a_demo_pki(database_url: str, tmp_path: Path) -> None:
    demo = await ensure_demo(tmp_path / "pki", "development")
    root = tmp_path / "anchors" / "root.der"
    root.parent.mkdir()
    root.write_bytes(make_key("ec", "Sample Root", usage="ca").certificate.dump())
    trust = Trust(demo.keyring_directory, root.parent, (Authority(url="http://127.0.0.1:9/"),))
    settings = Settings(environment="production", home=tmp_path / "home", database_url=database_url, trust=trust)
    assert (await refusal(settings)).code == "trust.demo_in_production"


async def test_production_does_not_trust_a_demo_that_settings_name(database_url: str, tmp_path: Path) -> None:
    demo = await ensure_demo(tmp_path / "pki", "development")
    trust = Trust(demo.keyring_directory, demo.anchors_directory, (Authority(url="https://tsa.example/"),))
    settings = Settings(environment="production", home=tmp_path / "home", database_url=database_url, trust=trust)
    assert (await refusal(settings)).code == "trust.demo_in_production"


@pytest.mark.parametrize("plugin", ["stub-face", "console-sms"])
async def test_production_does_not_start_with_a_vendors_stand_in(
    database_url: str, tmp_path: Path, plugin: str
) -> None:
    plugins = ("builtin-stages", "local-storage", plugin)
    settings = Settings(environment="production", home=tmp_path, database_url=database_url, plugins=plugins)
    error = await refusal(settings)
    assert error.code == "provider.development_only" and plugin in error.text.en


async def test_an_unknown_storage_or_plugin_is_named_before_anything_begins(settings: Settings) -> None:
    error = await refusal(msgspec.structs.replace(settings, storage="tape"))
    assert "tape" in error.text.en and "tape" in error.text.zh
    error = await refusal(msgspec.structs.replace(settings, plugins=("builtin-stages", "no-such-plugin")))
    assert "no-such-plugin" in error.text.en


async def test_every_service_a_stage_may_name_is_there(settings: Settings) -> None:
    async with open_tools(settings) as tools:
        assert set(tools.catalogue.services) == set(SERVICES)


async def test_an_unfinished_run_has_no_file_yet(settings: Settings, tmp_path: Path, letter: Path) -> None:
    async with open_engine(settings) as engine:
        digest = await engine.pin(str(pipeline(tmp_path, 'use = "normalize"')))
        run_id = await engine.runner.submit(digest, [("letter.pdf", letter)], initial_facts({}))
        with pytest.raises(Conflict) as caught:
            await engine.export(await engine.get(run_id), tmp_path / "out.pdf")
        assert caught.value.code == "run.unfinished" and not (tmp_path / "out.pdf").exists()
        await engine.export(await engine.carry_out(run_id), tmp_path / "out.pdf")
        with pytest.raises(Rejected):
            await engine.get(uuid4())
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")


async def test_two_engines_carry_out_the_same_run_and_do_it_once(
    settings: Settings, tmp_path: Path, letter: Path
) -> None:
    async with open_engine(settings) as one, open_engine(settings) as two:
        digest = await one.pin(str(pipeline(tmp_path, 'use = "normalize"', 'use = "inspect"')))
        run_ids = [await one.runner.submit(digest, [("letter.pdf", letter)], initial_facts({})) for _ in range(4)]
        runs = await asyncio.gather(*(engine.carry_out(run_id) for run_id in run_ids for engine in (one, two)))
    assert [run.state for run in runs] == ["done"] * 8
    assert all(left == right for left, right in zip(runs[::2], runs[1::2], strict=True))


async def test_roots_to_verify_against_are_those_of_the_settings_else_the_demos(tmp_path: Path) -> None:
    assert trusted_roots(Settings(home=tmp_path / "fresh")) == ()
    demo = await ensure_demo(tmp_path / "demo-pki", "development")
    roots = trusted_roots(Settings(home=tmp_path))
    assert len(roots) == 2 and all("DEMO" in root.subject.human_friendly for root in roots)
    assert trusted_roots(Settings(home=tmp_path, environment="production")) == ()
    named = Settings(home=tmp_path / "fresh", trust=Trust(anchors=demo.anchors_directory))
    assert len(trusted_roots(named)) == 2


def test_the_built_in_pipelines_are_found_from_the_source_tree() -> None:
    names = {
        tomllib.loads(file.read_text("utf-8"))["pipeline"]["name"]
        for folder in assembly.BUILTIN_PIPELINES
        for file in folder.glob("*.toml")
    }
    assert {"labour-contract", "employment-agreement", "paper-archive"} <= names


async def test_a_party_signs_with_a_key_on_a_token_that_settings_name(tmp_path: Path, home: Path) -> None:
    (tmp_path / "hsm").mkdir()
    hsm = SoftHsm(tmp_path / "hsm")
    hsm.make_token("office")
    hsm.make_key("office", "key 1", "ec")
    trust = Trust(tokens=(hsm.table("office", employer="key 1"),), holders={"employer": "Sample key 1"})
    paper = draw_paper(tmp_path / "paper.pdf")
    async with open_tools(Settings(home=home, trust=trust)) as tools:
        options = {"as": "employer", "field": "party-a", "level": "B-B"}
        (signed,), facts = await tools.run_stage("sign", options, (paper,), {}, tmp_path / "signed.pdf")
    assert facts["signature:party-a"]["party"] == "employer"
    assert valid_signatures(signed) == 1


async def test_a_visitor_signs_with_a_key_certified_for_this_signature(tmp_path: Path, home: Path) -> None:
    trust = Trust(one_time=(Issuing("demo-certificates", ("*",)),), holders={"visitor": "示例访客"})
    plugins = (*Settings().plugins, "demo-certificates")
    paper = draw_paper(tmp_path / "paper.pdf")
    async with open_tools(Settings(home=home, trust=trust, plugins=plugins)) as tools:
        options = {"as": "visitor", "field": "party-a", "level": "B-LT"}
        (signed,), facts = await tools.run_stage("sign", options, (paper,), {}, tmp_path / "signed.pdf")
    assert facts["level_achieved"] == "B-LT", "its certificate has a status that can be asked"
    assert valid_signatures(signed) == 1


async def test_a_stage_alone_can_ask_the_records_whether_a_key_is_stopped(settings: Settings) -> None:
    standing, certificate = assembly.RecordedStanding(settings), make_key("ec", "Sample").certificate
    await standing.require("employer", certificate)
    async with assembly.open_records(settings) as database, database.transaction() as connection:
        await key_standing.suspend(connection, "employer", "")
    with pytest.raises(Conflict) as caught:
        await standing.require("employer", certificate)
    assert caught.value.code == "keys.suspended"
