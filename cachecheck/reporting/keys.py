"""Single keys as text: a row for each group of views that agree, and where their values differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.findings import expiry
from cachecheck.reporting.layout import NARROWEST, Page, paragraph
from cachecheck.reporting.views import who
from cachecheck.reporting.words import duration, epoch, listed, plural, size

if TYPE_CHECKING:
    from cachecheck.model import Finding, HeldRow, KeyRow, Report

_MOST_NAMES = 6
_MOST_PATHS = 10
_MOST_GROUPS = 12
_VALUE_LINES = 60

_JUDGEMENTS = {
    "healed": "all views agree",
    "divergent": "values differ",
    "unknown-structure": "bytes differ, and whether values do is not known",
    "missing": "present on some views, missing on others",
    "encoding": "one value in several encodings",
    "persistence-drift": "never expires on some views, expires on others",
    "expiry-drift": "expiries differ",
    "flapping": "written all the time, so looking cannot decide",
    "unread": "could not be read through all views",
    "kept": "kept from comparing by the nodes",
    "closed": "came, went or expired while being looked at",
    "open": "the deadline passed before it was settled",
}


def render(
    report: Report,
    beside: tuple[str, ...] = (),
    *,
    width: int = 80,
    is_verbose: bool = False,
    shows_values: bool = False,
) -> str:
    """Lay out the keys of a report, no line wider than ``width``; then what was not seen.

    ``beside`` are codes of findings that are not about the keys, and may explain what is.
    """
    page = Page(width=max(width, NARROWEST), is_verbose=is_verbose)
    blocks = [_block(key, report, page, shows_values=shows_values) for key in report.keys]
    blocks = blocks or [paragraph("no cache was there in which the key could be looked for", page)]
    blocks.append(_ending(report, beside, page))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _block(key: KeyRow, report: Report, page: Page, *, shows_values: bool) -> list[str]:
    found = [one for one in report.findings if (one.cache, one.subject) == (key.cache, key.key)]
    lines = paragraph(f"{key.key} · {key.cache} of {key.application}", page)
    lines += paragraph(_judged(key, found), page)
    for group in key.held[: page.most(_MOST_GROUPS)]:
        lines += ["", *_held(group, report, page, shows_values=shows_values)]
    more = len(key.held) - page.most(_MOST_GROUPS)
    lines += ["", f"  and {plural(more, 'more group')}"] if more > 0 else []
    for one in found:
        lines += _where(one, page)
    return lines


def _judged(key: KeyRow, found: list[Finding]) -> str:
    """Say what was judged; that all agree that there is nothing is worth to be said as that."""
    said = _JUDGEMENTS.get(key.judgement, key.judgement)
    if key.judgement == "healed" and all(group.state == "missing" for group in key.held):
        said = "in none of the views"
    elif key.judgement == "healed" and any(one.code == "V004" for one in found):
        said = "one value, which not all views can read"
    codes = listed(sorted({one.code for one in found})) if found else ""
    return f"{said} ({codes})" if codes else said


def _held(group: HeldRow, report: Report, page: Page, *, shows_values: bool) -> list[str]:
    names = who(group.views, report.nodes, most=page.most(_MOST_NAMES))
    lines = paragraph(names or "nobody", page, indent=2, lead=f"{group.label}  ")
    now = epoch(report.run.started_at)
    facts = [fact for fact in (*_entry(group, now), *_origin(group)) if fact]
    lines += paragraph(" · ".join(facts), page, indent=5)
    if group.unreadable:
        lacking = f"cannot be read there: {listed(list(group.unreadable))}"
        lines += paragraph(lacking, page, indent=5)
    if shows_values and group.state == "present":
        lines += _value(group, page)
    return lines


def _entry(group: HeldRow, now: float | None) -> list[str]:
    if group.state != "present":
        return [group.state if group.detail is None else f"{group.state}: {group.detail}"]
    facts = [
        f"{group.kind or 'bytes'} #{group.digest}",
        size(group.bytes or 0),
        "never expires" if group.expires_at is None else expiry(group.expires_at, now),
    ]
    if group.age_seconds is not None:
        facts.append(f"set {duration(group.age_seconds)} ago, if with the default timeout")
    return facts


def _origin(group: HeldRow) -> list[str]:
    facts = []
    if group.codec is not None and group.codec != "pickle":
        facts.append(group.codec)
    if group.written_by is not None:
        facts.append(f"written by {group.written_by}")
    if group.structure_unknown is not None:
        facts.append(f"structure unknown: {group.structure_unknown}")
    if group.releases:
        facts.append(f"release {listed(list(group.releases))}")
    return facts


def _value(group: HeldRow, page: Page) -> list[str]:
    if group.shown is not None:
        return paragraph(group.shown, page, indent=5, most_lines=_VALUE_LINES)
    why = "its structure cannot be told"
    if group.structure_unknown is None:
        why = "the node does not allow it: CACHECHECK['ALLOW_VALUES']"
    return paragraph(f"value not shown: {why}", page, indent=5)


def _where(one: Finding, page: Page) -> list[str]:
    """Show where values differ, and how, then what to do."""
    paths = one.evidence.get("differs_at", [])
    how = one.evidence.get("differs_how", {})
    told = [f"{path} ({how[path]})" if path in how else path for path in paths]
    lines = []
    if told:
        most = page.most(_MOST_PATHS)
        left_out = one.evidence.get("differs_at_left_out", 0) + max(0, len(told) - most)
        more = f" and {left_out} more" if left_out else ""
        text = f"{', '.join(told[:most])}{more}"
        lines += ["", *paragraph(text, page, indent=2, lead="differs at: ", most_lines=12)]
    if one.severity != "info":
        lines += ["", *paragraph(one.remedy, page, indent=2, lead="Fix: ", most_lines=12)]
    return lines


def _ending(report: Report, beside: tuple[str, ...], page: Page) -> list[str]:
    lines = [
        line
        for sentence in report.undecided
        for line in paragraph(sentence, page, lead="Not seen: ")
    ]
    if beside:
        lines += paragraph(f"beside the key: {listed(beside)}; cachecheck check says more", page)
    return lines
