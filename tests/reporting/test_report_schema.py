from __future__ import annotations

import json as stdlib_json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import report_samples as samples
from hypothesis import HealthCheck, given, settings

from cachecheck.reporting import json, schema, table
from cachecheck.reporting.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck import model

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
_PAGE = (_REFERENCE / "report.md").read_text("utf-8")
_VALIDATOR = jsonschema.Draft202012Validator(schema.schema())


def test_published_schema_is_what_the_model_gives() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "cachecheck.reporting.schema"], check=True, capture_output=True
    ).stdout.decode()
    published = (_REFERENCE / "report.schema.json").read_text("utf-8")
    assert published == made == schema.render(), (
        "run: python -m cachecheck.reporting.schema > docs/reference/report.schema.json"
    )


def test_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize("sample", samples.SAMPLES)
def test_reports_satisfy_the_schema(sample: Callable[[], model.Report]) -> None:
    _VALIDATOR.validate(stdlib_json.loads(json.render(sample())))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(samples.plain_reports)
def test_any_report_satisfies_the_schema(report: model.Report) -> None:
    _VALIDATOR.validate(stdlib_json.loads(json.render(report)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "perfect"),
        (("extra",), 1),
        (("findings_left_out",), {"V001": -1}),
        (("findings_left_out",), {"values": 1}),
        (("run", "duration_seconds"), -1),
        (("run", "started_at"), None),
        (("nodes", 0, "workers_expected"), -1),
        (("caches", 0, "agreement", "rate"), 1.5),
        (("caches", 0, "agreement", "interval95"), [0.5]),
        (("caches", 0, "agreement", "interval95"), [0.5, 2]),
        (("findings", 0, "code"), "value-divergence"),
        (("findings", 0, "explained_by"), "the release"),
    ],
)
def test_what_is_wrong_does_not_satisfy_the_schema(path: tuple[Any, ...], value: Any) -> None:
    written = stdlib_json.loads(json.render(samples.locmem()))
    place = written
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not _VALIDATOR.is_valid(written)


def test_a_missing_field_does_not_satisfy_the_schema() -> None:
    written = stdlib_json.loads(json.render(samples.locmem()))
    del written["findings"][0]["is_known"]
    assert not _VALIDATOR.is_valid(written)


def test_every_field_is_described_and_no_other() -> None:
    defined = schema.schema()["$defs"]
    assert {name: set(each["properties"]) for name, each in defined.items()} == {
        name: set(fields) for name, fields in FIELDS.items()
    }


@pytest.mark.parametrize("struct", FIELDS)
def test_page_explains_every_field_in_the_words_of_the_schema(struct: str) -> None:
    section = _PAGE.split(f"### {struct}:")[1].split("###")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", section, re.MULTILINE)
    assert dict(rows) == FIELDS[struct]


def test_example_on_the_page_is_a_real_report_as_json_and_as_table() -> None:
    written = re.findall(r"```json\n(.*?)```", _PAGE, re.DOTALL)[0]
    drawn = re.findall(r"```text\n(.*?)```", _PAGE, re.DOTALL)[0]
    example = json.parse(written)
    assert json.render(example) == written
    assert table.render(example) == drawn
    _VALIDATOR.validate(stdlib_json.loads(written))
