"""The commented configuration: one text in two places, whose comments tell the code's defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cachecheck.cli.init import template
from cachecheck.coordinator import config
from cachecheck.coordinator.fleet import Transport
from cachecheck.coordinator.options import DEFAULT_SAMPLE, Options

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "configs" / "cachecheck.toml").read_text("utf-8")
REFERENCE = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")

_RENAMED = {"cache": "caches", "key": "keys"}
_TABLES = {
    "Top level": config.Config,
    "A fleet: `[fleets.NAME]`": config.FleetTable,
    "A node: `[[fleets.NAME.nodes]]`": config.NodeTable,
    "Defaults: `[defaults]`": config.DefaultsTable,
}


def uncommented() -> str:
    """Give the configuration with all that is commented out taken in."""
    return re.sub(r'^# (?=\[|[a-zA-Z_-]+ = [\["0-9t])', "", TEXT, flags=re.MULTILINE)


def code_default(name: str) -> Any:
    return DEFAULT_SAMPLE if name == "sample" else getattr(Options(), _RENAMED.get(name, name))


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_init_writes_the_file_in_configs() -> None:
    assert template() == TEXT


def test_file_is_accepted_as_it_is() -> None:
    loaded = config.parse(TEXT, "cachecheck.toml")
    assert list(loaded.fleets) == ["production"]
    assert loaded.defaults == config.DefaultsTable()


def test_file_is_accepted_with_every_comment_taken_in() -> None:
    loaded = config.parse(uncommented(), "cachecheck.toml")
    assert list(loaded.fleets) == ["production", "staging"]
    for fleet in loaded.fleets.values():
        assert config.nodes_of(fleet, Transport())


def test_file_names_every_key_there_is() -> None:
    raw = tomllib.loads(uncommented())
    assert raw.keys() == set(config.Config.__struct_fields__)
    assert raw["defaults"].keys() == set(config.DefaultsTable.__struct_fields__)
    assert raw["fleets"]["production"].keys() == set(config.FleetTable.__struct_fields__)
    told = [set(node) for node in raw["fleets"]["staging"]["nodes"]]
    assert set.union(*told) == set(config.NodeTable.__struct_fields__)


@pytest.mark.parametrize("name", config.DefaultsTable.__struct_fields__)
def test_commented_defaults_are_those_of_the_code(name: str) -> None:
    told = tomllib.loads(uncommented())["defaults"][name]
    if name == "rate":
        assert code_default(name) is None
    else:
        assert told == plain(code_default(name))


def test_commented_redact_is_that_of_the_code() -> None:
    assert tomllib.loads(uncommented())["redact"] == list(config.Config().redact)


@pytest.mark.parametrize("heading", _TABLES)
def test_reference_has_every_key_and_no_other(heading: str) -> None:
    section = REFERENCE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(told) == sorted(_TABLES[heading].__struct_fields__)


def test_defaults_in_the_reference_are_those_of_the_code() -> None:
    section = REFERENCE.partition("## Defaults: `[defaults]`\n")[2]
    told = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)`", section, re.MULTILINE))
    assert told.keys() == {*config.DefaultsTable.__struct_fields__} - {"rate"}
    for name, text in told.items():
        assert tomllib.loads(f"it = {text}")["it"] == plain(code_default(name)), name


def test_redact_in_the_reference_is_that_of_the_code() -> None:
    (told,) = re.findall(r"^\| `redact` \| `([^`]+)`", REFERENCE, re.MULTILINE)
    assert tomllib.loads(f"it = {told}")["it"] == list(config.Config().redact)
