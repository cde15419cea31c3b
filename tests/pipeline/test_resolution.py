import hashlib
from pathlib import Path

import pytest

from engine.assembly import SERVICES
from engine.errors import Misuse
from engine.pdf.seals.design import SealDesign, ValueOf
from engine.pipeline.definition import load_definition
from engine.pipeline.resolution import Catalogue, build_stage, option_names, resolve, with_resources
from engine.stages.cosign import Cosign
from engine.stages.sign import Sign
from engine.vendors.protocols import Storage
from tests.pipeline.toys import CATALOGUE, STAGES, Ink, Nib, Shout, pipeline


def refusal(folder: Path, *stages: str) -> Misuse:
    with pytest.raises(Misuse) as refused:
        resolve(with_resources(load_definition(pipeline(folder, *stages)), CATALOGUE), CATALOGUE, {})
    return refused.value


def test_options_become_fields_and_services_are_injected(tmp_path: Path) -> None:
    read = load_definition(pipeline(tmp_path, 'use = "shout"\nmark = "?"\nnibs = [{width = 2.0}]'))
    (shout,) = resolve(read, CATALOGUE, {})
    assert isinstance(shout, Shout)
    assert (shout.mark, shout.nibs) == ("?", (Nib(2.0),))
    assert shout.ink is CATALOGUE.services[Ink]


def test_a_trailing_underscore_is_only_python(tmp_path: Path) -> None:
    (seal,) = resolve(load_definition(pipeline(tmp_path, 'use = "seal"\nas = "employer"')), CATALOGUE, {})
    assert seal.as_ == "employer"  # type: ignore[attr-defined]  # the toy has it


@pytest.mark.parametrize(
    ("stage", "code", "named"),
    [
        ('use = "shuot"', "pipeline.unknown_stage", "shout"),
        ('use = "shout"\nmakr = "!"', "pipeline.unknown_option", "mark"),
        ('use = "shout"\nink = "red"', "pipeline.unknown_option", "ink"),
        ('use = "shout"\nmark = 3', "pipeline.bad_option", "mark"),
        ('use = "shout"\nnibs = [{widht = 2.0}]', "pipeline.bad_option", "widht"),
        ('use = "seal"', "pipeline.missing_option", "as"),
        ('use = "shout"\npaper = "none.png"', "pipeline.resource", "none.png"),
        ('use = "shout"\npaper = "../toy.toml"', "pipeline.resource", "../toy.toml"),
        ('use = "shout"\npaper = "/etc/passwd"', "pipeline.resource", "/etc/passwd"),
    ],
)
def test_a_wrong_stage_is_refused_with_file_stage_and_key(tmp_path: Path, stage: str, code: str, named: str) -> None:
    error = refusal(tmp_path, 'use = "shout"', stage)
    assert error.code == code
    for language in ("zh", "en"):
        assert "toy.toml" in error.say(language)
        assert named in error.say(language)
        assert "2" in error.say(language), "the number of the stage"


def test_nothing_rewrites_after_a_signature(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'use = "seal"\nas = "a"', 'use = "wait"\nevent = "x"', 'use = "shout"')
    assert error.code == "pipeline.rewrites_after_signature"
    assert "stage 3 (shout)" in error.say("en")


def test_files_named_by_options_are_pinned_by_content(tmp_path: Path) -> None:
    (tmp_path / "seal.png").write_bytes(b"picture")
    read = with_resources(load_definition(pipeline(tmp_path, 'use = "shout"\npaper = "seal.png"')), CATALOGUE)
    assert read.resources == {"seal.png": hashlib.sha256(b"picture").hexdigest()}
    (shout,) = resolve(read, CATALOGUE, {"seal.png": tmp_path / "elsewhere.png"})
    assert shout.paper == tmp_path / "elsewhere.png"  # type: ignore[attr-defined]  # the toy has it


def test_a_field_typed_with_a_vendor_protocol_names_its_provider(tmp_path: Path) -> None:
    from tests.pipeline.vendor_stage import Store

    asked: list[tuple[type, str]] = []

    def provide(protocol: type, name: str) -> object:
        asked.append((protocol, name))
        return "the provider"

    catalogue = Catalogue({**STAGES, "store": Store}, {}, frozenset({Storage}), provide)
    (stage,) = resolve(load_definition(pipeline(tmp_path, 'use = "store"\nto = "local"')), catalogue, {})
    assert asked == [(Storage, "local")]
    assert stage.to == "the provider"  # type: ignore[attr-defined]  # the toy has it


def test_option_names_leave_out_services() -> None:
    assert option_names(Shout, CATALOGUE) == ["mark", "nibs", "paper"]


def test_a_seal_is_a_file_or_a_table_wherever_parties_sign() -> None:
    catalogue = Catalogue({}, dict.fromkeys(SERVICES))
    drawn = {"as": "a", "field": "甲方", "seal": {"kind": "company", "name": {"value": "单位名称"}}}
    picture = {"as": "b", "field": "乙方", "seal": "b.png"}
    stage = build_stage(Cosign, {"signers": [drawn, picture]}, catalogue, {"b.png": Path("/kept/b.png")}, place="test")
    assert isinstance(stage, Cosign)
    assert [party.seal for party in stage.signers] == [
        SealDesign(kind="company", name=ValueOf("单位名称")),
        Path("/kept/b.png"),
    ]
    for wrong in ({"kind": "company"}, {"kind": "company", "name": "x", "size": 99}, 5):
        with pytest.raises(Misuse) as refusal:
            build_stage(Sign, {"seal": wrong}, catalogue, {}, place="test")
        assert refusal.value.code == "pipeline.bad_option" and "seal" in refusal.value.text.en
