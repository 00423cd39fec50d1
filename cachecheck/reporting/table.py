"""The report for people: verdict, findings, what was not seen, coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.caches import table_of_caches
from cachecheck.reporting.canaries import is_only_canaries, tables_of_canaries
from cachecheck.reporting.findings import blocks
from cachecheck.reporting.layout import NARROWEST, Page, cells, paragraph
from cachecheck.reporting.nodes import heard, heard_briefly, table_of_nodes
from cachecheck.reporting.words import count, duration, plural

if TYPE_CHECKING:
    from cachecheck.model import CacheRow, Report

_SEVERITIES = ("error", "warning", "info")
_MOST_SENTENCES = 5


def render(
    report: Report, *, width: int = 80, max_examples: int = 3, is_verbose: bool = False
) -> str:
    """Lay the report out as text, no line wider than ``width`` (at least 40) terminal cells.

    ``max_examples`` findings of one code are shown, the rest counted; ``is_verbose`` cuts nothing
    else. Text that nodes supplied is escaped, so that it cannot control a terminal.
    """
    page = Page(
        width=max(width, NARROWEST), max_examples=max(max_examples, 0), is_verbose=is_verbose
    )
    sections = (
        _verdict(report, page),
        *blocks(report, page),
        _undecided(report, page),
        table_of_nodes(report.nodes, page),
        table_of_caches(_compared(report), page),
        *tables_of_canaries(report.caches, page),
        _footer(report, page),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _compared(report: Report) -> tuple[CacheRow, ...]:
    """Give the caches that have a row among those that were compared."""
    return tuple(cache for cache in report.caches if not is_only_canaries(cache))


def _verdict(report: Report, page: Page) -> list[str]:
    lead = f"{report.verdict.upper()}  "
    took = duration(report.run.duration_seconds)
    facts = (_tally(report), heard(report.nodes), took)
    line = " · ".join(facts)
    if cells(lead + line) > page.width:
        line = " · ".join((facts[0], heard_briefly(report.nodes), took))
    return paragraph(line, page, lead=lead)


def _tally(report: Report) -> str:
    new = [finding for finding in report.findings if not finding.is_known]
    numbers = [(sum(each.severity == name for each in new), name) for name in _SEVERITIES]
    parts = [plural(number, name) for number, name in numbers if number]
    known = len(report.findings) - len(new)
    if not parts:
        parts = ["no new findings" if known else "no findings"]
    if known:
        parts.append(f"{count(known)} known")
    left_out = sum(report.findings_left_out.values())
    if left_out:
        parts.append(f"{count(left_out)} left out")
    return ", ".join(parts)


def _undecided(report: Report, page: Page) -> list[str]:
    most = page.most(_MOST_SENTENCES)
    lines = [
        line
        for sentence in report.undecided[:most]
        for line in paragraph(sentence, page, lead="Not seen: ")
    ]
    more = len(report.undecided) - most
    return [*lines, f"Not seen: and {count(more)} more"] if more > 0 else lines


def _footer(report: Report, page: Page) -> list[str]:
    run = report.run
    lines = paragraph(f"cachecheck {run.version} · run {run.id} · {run.started_at}", page)
    if report.findings:
        code = report.findings[0].code
        lines += paragraph(f"What a code means: cachecheck explain {code}", page)
    return lines
