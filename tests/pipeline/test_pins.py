import shutil
from pathlib import Path

import pytest

from engine.errors import Defect, Misuse
from engine.pipeline.definition import load_definition
from engine.pipeline.pins import Pins
from engine.records.database import Database
from plugins.storage.local import LocalStorage
from tests.pipeline.toys import CATALOGUE, Shout, pipeline


@pytest.fixture
def pins(database: Database, storage: LocalStorage, tmp_path: Path) -> Pins:
    return Pins(database, storage, CATALOGUE, tmp_path / "resources")


async def test_a_file_named_by_an_option_outlives_its_folder(
    pins: Pins, database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "seal.png").write_bytes(b"picture")
    digest = await pins.pin(load_definition(pipeline(folder, 'use = "shout"\npaper = "seal.png"')))
    shutil.rmtree(folder)
    elsewhere = Pins(database, storage, CATALOGUE, tmp_path / "other-resources")
    (stage,) = await elsewhere.stages(digest)
    assert isinstance(stage, Shout) and stage.paper is not None
    assert stage.paper.read_bytes() == b"picture"


async def test_options_name_contents_not_paths(pins: Pins, tmp_path: Path) -> None:
    (tmp_path / "seal.png").write_bytes(b"picture")
    file = pipeline(tmp_path, 'use = "shout"\nmark = "seal"\npaper = "seal.png"')
    digest = await pins.pin(load_definition(file))
    await pins.stages(digest)
    options = pins.options(digest, 0)
    assert options["mark"] == "seal"
    assert len(options["paper"]) == 64


async def test_another_content_under_the_same_name_is_another_pipeline(pins: Pins, tmp_path: Path) -> None:
    digests = set()
    for content in (b"old picture", b"new picture"):
        (tmp_path / "seal.png").write_bytes(content)
        digests.add(await pins.pin(load_definition(pipeline(tmp_path, 'use = "shout"\npaper = "seal.png"'))))
    assert len(digests) == 2


async def test_pinning_twice_changes_nothing(pins: Pins, tmp_path: Path) -> None:
    file = pipeline(tmp_path, 'use = "shout"')
    assert await pins.pin(load_definition(file)) == await pins.pin(load_definition(file))


async def test_a_pipeline_nobody_pinned_is_a_fault_in_words(pins: Pins) -> None:
    with pytest.raises(Defect, match="00000000"):
        await pins.stages("00" * 32)


async def test_an_installation_that_lacks_a_stage_says_which(
    pins: Pins, database: Database, storage: LocalStorage, tmp_path: Path
) -> None:
    digest = await pins.pin(load_definition(pipeline(tmp_path, 'use = "shout"', 'use = "seal"\nas = "a"')))
    import dataclasses

    poorer = dataclasses.replace(CATALOGUE, stages={"shout": Shout})
    with pytest.raises(Misuse, match="seal"):
        await Pins(database, storage, poorer, tmp_path / "r").stages(digest)
