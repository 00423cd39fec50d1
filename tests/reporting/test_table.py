from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import report_samples as samples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cachecheck import model
from cachecheck.escaping import clean
from cachecheck.reporting import words
from cachecheck.reporting.table import render

if TYPE_CHECKING:
    from collections.abc import Callable

_MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _cells(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _replaced(report: model.Report, **changes: Any) -> model.Report:
    return msgspec.structs.replace(report, **changes)


# --- whatever a node says ------------------------------------------------------------------------


@_MANY
@given(
    report=samples.hostile_reports,
    width=st.integers(40, 160),
    max_examples=st.integers(0, 4),
    is_verbose=st.booleans(),
)
def test_any_report_fits_the_width_and_nothing_in_it_controls_the_terminal(
    *, report: model.Report, width: int, max_examples: int, is_verbose: bool
) -> None:
    text = render(report, width=width, max_examples=max_examples, is_verbose=is_verbose)
    lines = text.split("\n")
    assert lines[-1] == ""
    assert all(line.isprintable() for line in lines)
    assert max(map(_cells, lines)) <= width
    text.encode()


@given(samples.HOSTILE)
@example("\x1b]0;owned\x07\x1b[2J\x9b31m")
@example("\u202egnp.exe")
def test_cleaned_text_is_printable_and_cleaning_again_changes_nothing(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)


def test_escape_sequences_in_a_node_name_are_shown_not_obeyed() -> None:
    rogue = samples.node("web\x1b[2J")
    assert r"web\x1b[2J" in render(samples.report((rogue,)))


def test_a_key_with_a_line_break_cannot_forge_a_line() -> None:
    forged = samples.finding(subject="a\nCONSISTENT  no findings")
    text = render(samples.report(samples.WEB, (forged,), verdict="divergent"))
    assert not [line for line in text.splitlines() if line.startswith("CONSISTENT")]


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    assert clean("größe: 語 naïve C:\\path") == "größe: 語 naïve C:\\path"


# --- the verdict ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "first"),
    [
        (
            samples.healthy,
            "CONSISTENT  no findings · 3 of 3 nodes answered, 9 of 9 workers heard · 1.2 s",
        ),
        (
            samples.locmem,
            "DIVERGENT  2 errors, 1 info · 3 of 3 nodes answered, 9 of 9 workers heard · 1.2 s",
        ),
        (
            samples.node_down,
            "UNDECIDED  1 error · 3 of 4 nodes answered, 9 of 9 workers heard · 1.2 s",
        ),
    ],
)
def test_first_line_says_all_that_matters(sample: Callable[[], model.Report], first: str) -> None:
    assert render(sample(), width=90).splitlines()[0] == first


def test_first_line_is_shorter_where_there_is_less_room() -> None:
    first = render(samples.locmem(), width=80).splitlines()[0]
    assert first == "DIVERGENT  2 errors, 1 info · 3/3 nodes, 9/9 workers · 1.2 s"


def test_an_unknown_number_of_workers_is_said() -> None:
    unsure = samples.node("web-1", workers_expected=None)
    first, *rest = render(samples.report((unsure,)), width=100).splitlines()
    assert "1 of 1 node answered, 3 workers of an unknown number" in first
    assert any("3/?" in line for line in rest)


def test_stores_read_directly_have_no_workers() -> None:
    store = samples.node("cache-1", (), url="redis://cache-1:6379/0", workers_expected=None)
    text = render(samples.report((store,)))
    assert "1 of 1 node answered · 1.2 s" in text
    assert re.search(r"cache-1 +answered +- ", text)


def test_no_node_at_all_is_no_failure_of_rendering() -> None:
    assert render(samples.report((), caches=())).startswith(
        "CONSISTENT  no findings · 0 of 0 nodes"
    )


# --- findings ------------------------------------------------------------------------------------


def test_errors_come_first_and_known_findings_last_and_do_not_count() -> None:
    findings = (
        samples.finding("H003", name="hits-not-counted", severity="info"),
        samples.finding("B001", name="process-local-cache", is_known=True, evidence={"x": 1}),
        samples.finding("T001", name="expiry-drift", severity="warning"),
        samples.finding("V001"),
    )
    text = render(samples.report(samples.WEB, findings, verdict="divergent"))
    assert "1 error, 1 warning, 1 info, 1 known" in text
    heads = re.findall(r"^(ERROR|WARNING|INFO|KNOWN) +(\w+)", text, re.MULTILINE)
    assert heads == [
        ("ERROR", "V001"),
        ("WARNING", "T001"),
        ("INFO", "H003"),
        ("KNOWN", "B001"),
    ]
    assert "B001 process-local-cache · 1 finding in the baseline" in text


def test_a_run_with_known_findings_alone_says_that_none_is_new() -> None:
    known = samples.finding(is_known=True)
    assert "CONSISTENT  no new findings, 1 known" in render(samples.report(samples.WEB, (known,)))


def test_a_finding_names_whole_nodes_evidence_and_remedy() -> None:
    text = render(samples.locmem())
    assert "A  web-1 (3 workers), web-2 (3 workers), web-3:4211, web-3:4212 · present" in text
    assert "B  web-3:4213 · present · 308 B · expires in 3 min 20 s" in text
    assert "differs at: .email · looked: 4 · persisted: 10.1 s" in text
    assert "Fix: Find what writes this key in one worker only" in text


def test_values_that_prefixes_have_are_quoted_so_that_an_empty_one_shows() -> None:
    groups = (
        model.Group(label="A", views=("web-1:4211",), value="shop"),
        model.Group(label="B", views=("web-2:4211",), value=""),
    )
    text = render(samples.report(samples.WEB, (samples.finding("N001", groups=groups),)))
    assert 'A  web-1:4211 · "shop"' in text
    assert 'B  web-2:4211 · ""' in text


def test_no_expiry_beside_one_is_said() -> None:
    groups = (
        model.Group(label="A", views=("web-1:4211",), state="present"),
        model.Group(
            label="B",
            views=("web-2:4211",),
            state="present",
            expires_at=samples.STARTED_EPOCH - 2,
        ),
    )
    text = render(samples.report(samples.WEB, (samples.finding("T002", groups=groups),)))
    assert "web-1:4211 · present · never expires" in text
    assert "web-2:4211 · present · expired 2.0 s ago" in text


def test_nine_local_caches_are_one_line_not_nine() -> None:
    assert "each alone: all 3 nodes (9 workers)" in render(samples.locmem())


def test_one_node_of_sixty_is_named_by_exception() -> None:
    text = render(samples.sixty_nodes())
    assert "A  all nodes heard but web-17 (174 workers)" in text
    assert "B  web-17 (3 workers)" in text


def test_many_names_and_groups_are_counted_unless_all_is_wanted() -> None:
    groups = tuple(
        model.Group(label=str(index), views=(f"n{index}:1", f"n{index}:2"), bytes=index)
        for index in range(8)
    )
    many = samples.finding(groups=(*groups, model.Group(label="z", views=("a", "b"))))
    report = samples.report(samples.WEB, (many,))
    assert "and 5 more groups (10 views)" in render(report)
    assert "and 5 more groups" not in render(report, is_verbose=True)
    views = tuple(f"cache-{index}" for index in range(20))
    alone = samples.finding(groups=(model.Group(label="A", views=views),))
    text = render(samples.report(samples.WEB, (alone,)))
    assert "A  cache-0, cache-1, cache-2, cache-3 and 16 more" in text


def test_two_hundred_alike_findings_are_one_example_and_names() -> None:
    text = render(samples.many_values())
    assert "V001 value-divergence · 200 findings" in text
    assert "the same for user:2:profile, user:3:profile, user:4:profile and 196 more" in text
    assert len(text.splitlines()) < 30


def test_findings_with_other_outliers_are_not_called_the_same() -> None:
    findings = tuple(
        samples.finding(subject=view, groups=(model.Group(label="A", views=(view,)),))
        for view in ("web-1:4211", "web-2:4211")
    )
    text = render(samples.report(samples.WEB, findings))
    assert "the same for" not in text
    assert "A  web-2:4211" in text


def test_findings_that_say_different_things_give_the_first_few_and_count_the_rest() -> None:
    findings = tuple(
        samples.finding(subject=f"key-{index}", message=f"statement {index}") for index in range(20)
    )
    text = render(samples.report(samples.WEB, findings))
    assert re.findall(r"statement \d+", text) == ["statement 0", "statement 1", "statement 2"]
    assert "and 17 more" in text
    assert text.count("Fix: ") == 1
    assert "and 20 more" in render(samples.report(samples.WEB, findings), max_examples=0)


def test_different_remedies_of_one_code_stand_with_their_findings() -> None:
    findings = (
        samples.finding("F002", subject="web-1", message="no", remedy="Mount the agent."),
        samples.finding("F002", subject="web-2", message="late", remedy="Set the clock."),
    )
    text = render(samples.report(samples.WEB, findings))
    assert text.index("Mount the agent.") < text.index("web-2") < text.index("Set the clock.")


def test_the_same_remedy_is_said_once_over_severities() -> None:
    findings = (samples.finding(), samples.finding(severity="info", subject="other"))
    assert render(samples.report(samples.WEB, findings)).count("Fix: ") == 1


def test_what_was_left_out_is_said() -> None:
    report = _replaced(samples.many_values(), findings_left_out={"V001": 4000})
    text = render(report)
    assert "200 errors, 4,000 left out" in text
    assert "Left out by --max-findings: 4,000 V001." in text


def test_explained_findings_say_by_what() -> None:
    explained = samples.finding(severity="info", explained_by="F006")
    assert "explained by F006" in render(samples.report(samples.WEB, (explained,)))
    much = msgspec.structs.replace(explained, evidence={"pairs": ["web-1:11 → web-2:12"] * 20})
    assert "explained by F006" in render(samples.report(samples.WEB, (much,)))


def test_long_keys_are_cut_in_the_middle_and_shown_whole_where_all_is_wanted() -> None:
    key = "start-" + "x" * 300 + "-end"
    report = samples.report(samples.WEB, (samples.finding(subject=key),))
    text = render(report)
    assert "start-xx" in text
    assert "x-end" in text
    assert "x" * 80 not in text
    verbose = render(report, is_verbose=True)
    assert key in "".join(line.strip() for line in verbose.splitlines())


def test_evidence_of_any_shape_is_short() -> None:
    evidence = {
        "sizes": list(range(9)),
        "per_node": {"web-1": 1.5},
        "is_named": True,
        "cause": None,
        "stored_bytes": 2048,
        "seen_at": samples.STARTED_EPOCH,
    }
    text = render(samples.report(samples.WEB, (samples.finding(evidence=evidence),)), width=200)
    assert (
        "sizes: 0, 1, 2, 3, 4 and 4 more · per node: web-1=1.5 · is named: yes · cause: none"
        " · stored: 2.0 KiB · seen at: 2026-01-01 00:00:00Z"
    ) in text


# --- coverage ------------------------------------------------------------------------------------


def test_what_was_not_seen_stands_before_coverage() -> None:
    text = render(samples.node_down())
    place = text.index("Not seen: web-4 did not answer, so none of its caches was compared.")
    assert text.index("F001") < place < text.index("round trip")


def test_many_sentences_of_what_was_not_seen_are_counted() -> None:
    report = samples.report(samples.WEB, undecided=tuple(f"web-{index}." for index in range(40)))
    assert render(report).count("Not seen: ") == 6
    assert "Not seen: and 35 more" in render(report)
    assert render(report, is_verbose=True).count("Not seen: ") == 40


def test_a_node_that_is_down_says_why_in_the_table() -> None:
    assert re.search(
        r"web-4 +unreachable +- +- +- +connection refused, 3 tries", render(samples.node_down())
    )


def test_of_many_nodes_those_amiss_are_shown_and_the_others_summed_up() -> None:
    text = render(samples.sixty_nodes())
    assert re.search(r"^web-60 +unreachable", text, re.MULTILINE)
    assert re.search(r"^59 more +answered +177/177 +≤ 1.2 ms +≤ 12 ms", text, re.MULTILINE)
    assert (
        len(re.findall(r"^web-\d\d ", render(samples.sixty_nodes(), is_verbose=True), re.MULTILINE))
        == 60
    )


def test_many_nodes_without_fault_are_one_row() -> None:
    nodes = tuple(samples.node(f"web-{index}") for index in range(30))
    assert re.search(r"^30 nodes +answered +90/90", render(samples.report(nodes)), re.MULTILINE)


def _cache_report(**changes: Any) -> str:
    return render(samples.report(samples.WEB, caches=(samples.cache(samples.WEB, **changes),)))


def _coverage(**changes: Any) -> model.CoverageRow:
    usual = samples.cache(samples.WEB).coverage
    return msgspec.structs.replace(usual, **changes)


def test_no_divergence_in_a_sample_bounds_it_and_is_never_nothing() -> None:
    text = " ".join(_cache_report().split())
    assert "below 0.6 % with 95 % confidence (500 keys)" in text
    assert "up to 718 of 120,331 could differ unseen" in text
    assert " 0 %" not in text


def test_divergence_in_a_sample_has_its_interval() -> None:
    assert "99.6 % (98.6–99.9 %)" in _cache_report(agreeing=498, diverging=2)  # noqa: RUF001 - a range


def test_where_every_key_was_compared_nothing_is_estimated() -> None:
    text = _cache_report(coverage=_coverage(keys_known=500))
    assert "no difference in any of 500 keys" in text
    assert "confidence" not in text


def test_an_unknown_number_of_keys_has_a_bound_and_no_count_of_the_unseen() -> None:
    text = _cache_report(coverage=_coverage(keys_known=None))
    assert "500 of ?" in text
    assert "unseen" not in text


def test_a_narrow_table_cuts_names_before_numbers() -> None:
    usual = samples.cache(samples.WEB, agreeing=498, diverging=2)
    stores = (*usual.stores, samples.store((), id="s2", kind="memcached-behind-a-long-name"))
    cache = msgspec.structs.replace(usual, alias="sessions-of-the-shop", stores=stores)
    row = render(samples.report(samples.WEB, caches=(cache,))).splitlines()[-3]
    assert row.endswith("9/9    500 of 120,331  99.6 % (98.6–99.9 %)")  # noqa: RUF001 - a range


def test_named_keys_say_nothing_of_others() -> None:
    text = _cache_report(coverage=_coverage(mode="named", keys_compared=500, keys_known=None))
    assert "500 named" in text
    assert "named keys only; of other keys this says nothing" in text


def test_where_nothing_was_compared_it_says_so() -> None:
    text = _cache_report(agreeing=0, coverage=_coverage(mode="none", keys_compared=0))
    assert "default: no key was compared." in text


def test_what_limits_the_coverage_is_said() -> None:
    usual = samples.cache(samples.WEB)
    store = msgspec.structs.replace(
        usual.stores[0], scanned=200_000, is_scan_complete=False, foreign=1203, withheld=14
    )
    agreement = msgspec.structs.replace(usual.agreement, unread=3, flapping=1)
    text = " ".join(
        _cache_report(
            stores=(store,), agreement=agreement, coverage=_coverage(notes=("LRU was touched.",))
        ).split()
    )
    assert "default: 3 keys could not be read and 1 key changed at every look; not" in text
    assert "default: sampled from the first 200,000 keys of its store; the rest was not" in text
    assert "not compared: 1,203 of other namespaces and 14 withheld by the nodes." in text
    assert "default: LRU was touched." in text


def test_namespaces_and_hit_ratios_are_for_those_who_ask() -> None:
    assert "hit ratio" not in render(samples.healthy())
    text = render(samples.healthy(), is_verbose=True)
    assert 'namespaces: prefix "shop" version 1 (9 views).' in text
    assert "hit ratio of web-1: 91.2 % (90.6–91.7 %) of 10,000 requests" in text  # noqa: RUF001 - a range


@pytest.mark.parametrize("sample", samples.SAMPLES)
def test_a_report_is_short_enough_for_a_mail(sample: Callable[[], model.Report]) -> None:
    assert len(render(sample()).splitlines()) <= 40


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.00001, "0.1 ms"), (0.0034, "3.4 ms"), (0.00999, "10 ms"), (0.9996, "1.0 s"),
        (59.96, "1 min"), (312, "5 min 12 s"), (3600, "1 h"), (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"), (-600, "-10 min"), (float("nan"), "unknown"), (1e300, "unknown"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.996, "99.6 %"), (0.5, "50.0 %"), (0, "0 %"), (1, "100 %"), (0.99996, "over 99.99 %"),
        (0.00001, "under 0.01 %"), (0.9997, "99.97 %"), (0.05, "5.0 %"),
    ],
)  # fmt: skip
def test_shares_are_never_rounded_to_all_or_nothing(share: float, said: str) -> None:
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.00597, "0.6 %"), (0.0302, "3.1 %"), (0.997, "100 %"), (0.45, "45 %")]
)
def test_bounds_are_rounded_upwards(share: float, said: str) -> None:
    assert words.percent_bound(share) == said


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [(312, "312 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (1 << 60, "1.05e+06 TiB")],
)
def test_sizes_in_words(bytes_: int, said: str) -> None:
    assert words.size(bytes_) == said


def test_times_that_are_none_are_unknown() -> None:
    assert words.clock_time(1e300) == "unknown"
    assert words.epoch("yesterday") is None
    assert words.epoch("2026-01-01T00:00:00") == samples.STARTED_EPOCH
