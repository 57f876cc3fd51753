"""README tells the truth: commands, settings, fields, defaults, calls and the example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.__main__ import cli
from daemon.commands.demo import REQUEST
from daemon.settings import Settings, variable
from daemon.web.doors import DOORS
from deployhook.settings import VARIABLES
from render import spec
from render.request import Output

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| (?P<names>`[^|]+) \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)


def section(start: str, end: str) -> str:
    """The part of the README between two lines."""
    return README.split(start, 1)[1].split(end, 1)[0]


def rows(text: str) -> dict[str, str]:
    """First and second column of the tables in a text."""
    return {match["names"].strip("`"): match["default"] for match in ROW.finditer(text)}


SECTIONS: dict[type[BaseModel], str] = {
    spec.Video: section("**`video`**", "**`audio`**"),
    spec.Audio: section("**`audio`**", "**`text_overlays`**"),
    spec.TextOverlay: section("**`text_overlays`**", "**`logo`**"),
    spec.Logo: section("**`logo`**", "**`output`**"),
    Output: section("**`output`**", "**At the top level**"),
}


def written(field: FieldInfo) -> str:
    return json.dumps(field.default)


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_every_field_and_its_default(model: type[BaseModel]) -> None:
    listed = rows(SECTIONS[model])
    assert set(listed) == set(model.model_fields)
    for name, field in model.model_fields.items():
        assert re.match(rf"`{re.escape(written(field))}`(,|$)", listed[name].strip()), name


def test_signature_fields_and_their_defaults() -> None:
    text = SECTIONS[spec.TextOverlay]
    only_texts = {
        match["names"].strip("`") for match in ROW.finditer(text) if "Not for the signature" in match["meaning"]
    }
    assert set(rows(text)) - only_texts == set(spec.Signature.model_fields)
    for name, field in spec.Signature.model_fields.items():
        default = rows(text)[name]
        own = re.search(r"signature `(.+)`", default)
        assert (own.group(1) if own else default.strip().strip("`")) == written(field), name


def test_top_level_fields() -> None:
    blocks = {name for name in spec.TemplateSpec.model_fields if f"**`{name}`**" in README}
    listed = rows(section("**At the top level**", "## The answers"))
    assert blocks | set(listed) == set(spec.TemplateSpec.model_fields)


@pytest.mark.parametrize(
    ("name", "model"),
    [("fit", spec.Fit), ("stroke", spec.StrokeSpec), ("shadow", spec.ShadowSpec), ("box", spec.BoxSpec)],
)
def test_inner_objects_are_written_with_their_defaults(name: str, model: type[BaseModel]) -> None:
    line = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    example = re.search(r"`(\{.+\})`", line)
    assert example
    assert json.loads(example.group(1)) == {key: field.default for key, field in model.model_fields.items()}


def test_the_whole_request_is_the_founding_one_and_valid() -> None:
    example = json.loads(section("```json\n", "```"))
    assert example == REQUEST
    spec.parse_template(example)


def test_every_setting() -> None:
    listed = set(rows(section("## Settings", "## How it is built")))
    assert listed == {variable(name) for name in Settings.model_fields}


def test_settings_in_the_example_file_exist() -> None:
    names = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert names
    of_the_hook = {f"VIX_HOOK_{name.upper()}" for name in VARIABLES}
    of_deploys = set(re.findall(r"^  (VIX_[A-Z_]+)  ", (ROOT / "deploy.sh").read_text(), re.MULTILINE))
    assert len(of_deploys) > 5
    assert set(names) <= {variable(name) for name in Settings.model_fields} | of_the_hook | of_deploys


def test_every_setting_of_the_hook() -> None:
    listed = {name for names in rows(section("## A push deploys it", "## Settings")) for name in names.split("`, `")}
    assert {name for name in listed if name.startswith("VIX_")} == {f"VIX_HOOK_{name.upper()}" for name in VARIABLES}


def test_every_command_and_option() -> None:
    table = section("## Commands", "## Settings")
    for name, command in cli.commands.items():
        assert f"./vix {name}" in table, name
        inner = command.commands if isinstance(command, click.Group) else {}
        assert all(part in table for part in inner), name
        for option in (
            opt
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
            for opt in parameter.opts
        ):
            assert option in table or option == "--out", option
    named = set(re.findall(r"`\./vix ([a-z]+)", README))
    assert named == set(cli.commands) | {"test", "bench", "faults", "add", "hook", "prepare"}


def test_every_call() -> None:
    table = section("## The answers", "## Settings")
    for door in DOORS:
        path = door.path.replace("{name}", "{job_id}.mp4")
        if path != "/":
            assert f"{door.method} {path}" in table, path


def test_the_fonts_that_ship_are_named() -> None:
    from fonts_cache import FontCache

    names: Any = FontCache(Path("/nonexistent"), system=()).families()
    line = next(line for line in README.splitlines() if line.startswith("| `font` |"))
    for name in re.findall(r"[A-Z][A-Za-z ]+", line.split("ships (")[1].split(")")[0]):
        assert name in names


def test_files_that_are_named_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
