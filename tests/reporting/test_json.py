from __future__ import annotations

import json as stdlib_json
import re
from typing import TYPE_CHECKING, Any

import pytest
import report_samples as samples
from hypothesis import HealthCheck, given, settings

from cachecheck.errors import UsageError
from cachecheck.reporting import json

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck import model

_MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("sample", samples.SAMPLES)
def test_what_is_written_is_read_back_as_the_same_report(
    sample: Callable[[], model.Report],
) -> None:
    report = sample()
    assert json.parse(json.render(report)) == report


@_MANY
@given(samples.plain_reports)
def test_any_report_is_read_back_as_the_same_report(report: model.Report) -> None:
    assert json.parse(json.render(report)) == report


@_MANY
@given(samples.hostile_reports)
def test_nothing_that_a_node_says_reaches_the_terminal_raw(report: model.Report) -> None:
    text = json.render(report)
    assert re.fullmatch(r"[ -~\n]*", text)
    stdlib_json.loads(text)


def test_text_ends_with_one_newline_and_does_not_depend_on_the_order_of_evidence() -> None:
    one = samples.report(samples.WEB, (samples.finding(evidence={"b": 1, "a": {"d": 2, "c": 3}}),))
    other = samples.report(
        samples.WEB, (samples.finding(evidence={"a": {"c": 3, "d": 2}, "b": 1}),)
    )
    assert json.render(one) == json.render(other)
    assert re.search(r"[^\n]\n\Z", json.render(one))


def test_every_field_is_written_even_where_it_has_its_default() -> None:
    written = stdlib_json.loads(json.render(samples.healthy()))
    assert list(written) == [
        "run", "verdict", "nodes", "caches", "findings", "keys", "undecided", "findings_left_out",
        "schema",
    ]  # fmt: skip


def test_numbers_that_json_does_not_have_become_null() -> None:
    evidence = {"ratio": float("nan"), "most": [float("inf")]}
    written = json.render(samples.report(samples.WEB, (samples.finding(evidence=evidence),)))
    assert stdlib_json.loads(written)["findings"][0]["evidence"] == {"ratio": None, "most": [None]}


def _changed(**changes: Any) -> str:
    return stdlib_json.dumps(stdlib_json.loads(json.render(samples.healthy())) | changes)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON: line 1, column 1"),
        ('{"schema": \n oops}', "not JSON: line 2, column 2"),
        ("[]", "a JSON object was expected"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number too long"),
        ("{}", "it has no schema"),
        (_changed(schema="cachecheck.report/2"), "its schema is 'cachecheck.report/2'"),
        (_changed(verdict="perfect"), "verdict"),
        (_changed(nodes=[{"name": "web-1"}]), r"nodes\[0\]|nodes\[\.\.\.\]"),
        (_changed(extra=1), "`extra`"),
    ],
)
def test_what_is_no_such_report_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        json.parse(text)
