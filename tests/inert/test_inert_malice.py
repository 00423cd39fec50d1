from __future__ import annotations

import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from inert_malice import DENSE, HARMLESS, MALFORMED, OUTSIDE, PROTO, RUNS_CODE, TOO_LARGE
from inert_values import digest

from cachecheck.errors import InertTooLarge, InertUnreadable
from cachecheck.inert import Limits, TreeWanted, structural_digest
from cachecheck.inert.sensitive import is_sensitive

AUDIT_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from inert_malice import HARMLESS, MALFORMED, OUTSIDE, RUNS_CODE, TOO_LARGE
from cachecheck.errors import InertError
from cachecheck.inert import structural_digest
corpus = RUNS_CODE | OUTSIDE | MALFORMED | TOO_LARGE | HARMLESS
list(corpus), "x".encode("utf-8", "surrogatepass"), b"x".decode("raw-unicode-escape")
modules = set(sys.modules)
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
for payload in corpus.values():
    try:
        structural_digest(payload, seed=b"")
    except InertError:
        pass
happened = set(events) - {"builtins.id"}  # the machine's own, see Machine.state
sys.stdout.write(repr((sorted(happened), sorted(set(sys.modules) - modules))))
"""


def test_nothing_of_the_corpus_is_run_imported_or_opened() -> None:
    found = subprocess.run(
        [sys.executable, "-c", AUDIT_SCRIPT, str(Path(__file__).parent)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout == "([], [])"
    assert found.stderr == ""


@pytest.mark.parametrize("name", RUNS_CODE)
def test_calls_are_told_as_structure(name: str) -> None:
    assert structural_digest(RUNS_CODE[name], seed=b"").globals


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_reaches_outside_the_payload_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(InertUnreadable, match=r"outside the payload|of Python 2"):
        structural_digest(OUTSIDE[name], seed=b"")


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_payloads_are_unreadable(name: str) -> None:
    with pytest.raises(InertUnreadable):
        structural_digest(MALFORMED[name], seed=b"")


@pytest.mark.parametrize("name", TOO_LARGE)
def test_bombs_are_too_large(name: str) -> None:
    with pytest.raises(InertTooLarge):
        structural_digest(TOO_LARGE[name], seed=b"")


@pytest.mark.parametrize("name", HARMLESS)
def test_what_would_hurt_a_loader_is_read_within_few_operations(name: str) -> None:
    assert digest(HARMLESS[name]) == digest(HARMLESS[name])
    structural_digest(HARMLESS[name], seed=b"", limits=Limits(max_operations=110_000))


@pytest.mark.parametrize("name", [*MALFORMED, *TOO_LARGE, *HARMLESS])
def test_memory_stays_in_proportion_to_the_payload(name: str) -> None:
    payload = (MALFORMED | TOO_LARGE | HARMLESS)[name]
    tracemalloc.start()
    try:
        structural_digest(payload, seed=b"")
    except (InertTooLarge, InertUnreadable):
        pass
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 450 * len(payload) + 1_000_000


@pytest.mark.parametrize("name", [*DENSE, *(name for name in TOO_LARGE if "as deep" in name)])
def test_no_value_takes_more_than_fifty_megabytes(name: str) -> None:
    tracemalloc.start()
    try:
        with suppress(InertTooLarge):
            structural_digest((DENSE | TOO_LARGE)[name], seed=b"")
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 50_000_000


@pytest.mark.parametrize(
    "payload",
    [
        PROTO + b"(" + b"\x8c\x01a" * 390_000 + b"l.",
        PROTO + b"ca\nb\n)R(" + b"J\1\1\1\1" * 380_000 + b"e.",
    ],
    ids=["a list", "an object"],
)
def test_neither_do_its_tree_and_its_text(payload: bytes) -> None:
    wanted = TreeWanted(is_withheld=is_sensitive)
    tracemalloc.start()
    try:
        structural_digest(payload, seed=b"", tree=wanted, showing=is_sensitive)
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 50_000_000


def test_reasons_are_short_phrases() -> None:
    for payload in (OUTSIDE | MALFORMED | TOO_LARGE).values():
        with pytest.raises((InertTooLarge, InertUnreadable)) as caught:
            structural_digest(payload, seed=b"")
        assert 0 < len(caught.value.reason) < 80
        assert caught.value.reason.isprintable()


def test_equal_keys_in_another_order_are_another_value() -> None:
    assert digest(b"\x80\x04}(K\x01NK\x01\x88u.") != digest(b"\x80\x04}(K\x01\x88K\x01Nu.")


def test_a_list_that_grows_after_it_became_a_set_leaves_the_set_alone() -> None:
    grown = b"(cbuiltins\nset\n(K\x01l\x94\x85Rh\0K\x02at."
    before = b"(cbuiltins\nset\n(K\x01K\x02l\x94\x85Rh\0t."
    assert digest(grown) != digest(before)
