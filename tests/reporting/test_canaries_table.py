"""Canaries as text: a matrix of few nodes, the worst pairs of many, and no line too wide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import report_samples as samples

from cachecheck import model
from cachecheck.reporting import table


def canary(names: tuple[str, ...], **changed: Any) -> model.CanaryRow:
    propagation = tuple(
        model.PropagationRow(
            writer=writer,
            reader=reader,
            tried=9,
            seen=9 if reader != names[-1] else 0,
            median_seconds=0.0 if reader != names[-1] else None,
            max_seconds=(0.0 if reader == writer else 0.412) if reader != names[-1] else None,
        )
        for writer in names
        for reader in names
    )
    fields: dict[str, Any] = {
        "application": "shop",
        "views": len(names),
        "pairs": len(names) * (len(names) - 1),
        "pairs_tried": len(names) * (len(names) - 1),
        "first_look_seconds": 0.05,
        "steps": (
            model.CanaryStepRow(
                step="set", tried=9, failed=2, of="pairs", median_seconds=0.0, max_seconds=0.412
            ),
            model.CanaryStepRow(step="incr", tried=1, failed=0, of="views"),
        ),
        "propagation": propagation,
    }
    return model.CanaryRow(**fields | changed)


def drawn(row: model.CanaryRow, mode: str = "none", width: int = 80) -> str:
    report = samples.locmem()
    first = report.caches[0]
    coverage = msgspec.structs.replace(first.coverage, mode=mode, notes=("a note of it",))
    changed = msgspec.structs.replace(first, canaries=(row,), coverage=coverage)
    return table.render(msgspec.structs.replace(report, caches=(changed,)), width=width)


def test_few_nodes_are_a_matrix_of_who_saw_whom_after_how_long() -> None:
    text = drawn(canary(("web-1", "web-2", "web-3")))
    assert "written on  on web-1  on web-2  on web-3" in text
    assert "web-1                at once   412 ms    never" in text
    assert "set    9 pairs   7 of 9        at once     412 ms" in text
    assert "incr   1 view    all           -           -" in text
    assert "(at once: at the first look, 50 ms after the write)" in text


def test_of_many_nodes_the_worst_pairs_are_named_and_the_others_counted() -> None:
    text = drawn(canary(tuple(f"web-{number}" for number in range(9))))
    assert "web-0                web-8    never" in text
    assert "and 71 pairs of nodes more" in text


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("nodes", [3, 9])
def test_no_line_is_wider_than_the_page(width: int, nodes: int) -> None:
    names = tuple(f"a-rather-long-name-of-a-node-{number}" for number in range(nodes))
    assert max(map(len, drawn(canary(names), width=width).splitlines())) <= width


def test_a_cache_of_which_no_key_was_to_be_compared_has_no_row_of_keys() -> None:
    row = canary(("web-1", "web-2"))
    assert "keys compared" not in drawn(row)
    assert "a note of it" in drawn(row)
    assert "keys compared" in drawn(row, mode="sample")


def test_a_canary_that_went_through_nobody_says_so() -> None:
    row = canary(("web-1",), views=0, steps=(), propagation=(), first_look_seconds=None)
    assert "a canary through 0 views" in drawn(row)
