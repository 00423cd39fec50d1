"""Findings as blocks of text: one block per code and severity, the remedy once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.escaping import clean
from cachecheck.reporting.evidence import evidence_words
from cachecheck.reporting.layout import Page, cut, paragraph
from cachecheck.reporting.views import who
from cachecheck.reporting.words import clock_time, count, duration, epoch, plural, size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachecheck.model import Finding, Group, Report

_RANK = {"error": 0, "warning": 1, "info": 2}
_MOST_GROUPS = 4
_MOST_NAMES = 4
_MOST_TEXT = 200
_MOST_NAME = 40
_REMEDY_LINES = 12

Batch = list["Finding"]


def blocks(report: Report, page: Page) -> list[list[str]]:
    """Lay out all findings: new ones by severity, then the baseline's, then what was left out."""
    batches = _batches(report.findings)
    said: set[str] = set()
    made = []
    for batch in batches:
        remedies = {finding.remedy for finding in batch} - said
        made.append(_block(batch, remedies, report, page))
        said |= remedies
    return [*made, _left_out(report, page)]


def _batches(findings: Iterable[Finding]) -> list[Batch]:
    grouped: dict[tuple[bool, int, str], Batch] = {}
    for finding in findings:
        grouped.setdefault(_place(finding), []).append(finding)
    return [grouped[place] for place in sorted(grouped, key=lambda place: place[:2])]


def _place(finding: Finding) -> tuple[bool, int, str]:
    return finding.is_known, _RANK[finding.severity], finding.code


def _block(batch: Batch, remedies: set[str], report: Report, page: Page) -> list[str]:
    lines = _heading(batch, page)
    if batch[0].is_known:
        return lines + _known(batch, page)
    if len(batch) == 1:
        lines += _body(batch[0], report, page, indent=2)
        return lines + _remedies(remedies, page, indent=2)
    return lines + _examples(batch, remedies, report, page)


def _examples(batch: Batch, remedies: set[str], report: Report, page: Page) -> list[str]:
    """Lay out the first few, alike ones together; each with its remedy where they have several."""
    alike = _alike(batch)
    has_several = len(remedies) > 1
    lines = []
    for example, *others in alike[: page.max_examples]:
        lines += paragraph(_target(example, page), page, indent=2)
        lines += _body(example, report, page, indent=4)
        lines += _same(others, page)
        if has_several:
            lines += _remedies(remedies & {example.remedy}, page, indent=4)
            remedies = remedies - {example.remedy}
    lines += _more(sum(map(len, alike[page.max_examples :])), page)
    return lines if has_several else lines + _remedies(remedies, page, indent=2)


def _alike(batch: Batch) -> list[Batch]:
    """Put findings that say the same of other keys together, the largest such part first."""
    parts: dict[tuple[object, ...], Batch] = {}
    for finding in batch:
        sides = tuple((group.views, group.state) for group in finding.groups)
        same = (finding.cache, finding.message, finding.remedy, sides)
        parts.setdefault(same, []).append(finding)
    return sorted(parts.values(), key=len, reverse=True)


def _same(others: Batch, page: Page) -> list[str]:
    if not others:
        return []
    shown = [finding.subject or finding.name for finding in others[: page.max_examples]]
    more = len(others) - len(shown)
    text = ", ".join(cut(clean(subject), _MOST_NAME) for subject in shown)
    text += f" and {count(more)} more" if more else ""
    return paragraph(text, page, indent=4, lead="the same for ")


def _heading(batch: Batch, page: Page) -> list[str]:
    first = batch[0]
    number = plural(len(batch), "finding")
    named = f"{first.code} {first.name}"
    if first.is_known:
        return paragraph(f"{named} · {number} in the baseline", page, lead="KNOWN    ")
    what = number if len(batch) > 1 else _target(first, page)
    text = f"{named} · {what}" if what else named
    return paragraph(text, page, lead=f"{first.severity.upper():<9}")


def _target(finding: Finding, page: Page) -> str:
    subject = cut(clean(finding.subject or ""), page.most(_MOST_TEXT))
    return " · ".join(part for part in (finding.cache, subject) if part)


def _known(batch: Batch, page: Page) -> list[str]:
    lines = []
    for finding in batch[: page.max_examples]:
        target = _target(finding, page)
        text = f"{target}: {finding.message}" if target else finding.message
        lines += paragraph(text, page, indent=2, most_lines=2)
    return lines + _more(len(batch) - page.max_examples, page)


def _body(finding: Finding, report: Report, page: Page, *, indent: int) -> list[str]:
    lines = paragraph(finding.message, page, indent=indent)
    lines += _groups(finding, report, page, indent=indent + 2)
    cause = [f"explained by {finding.explained_by}"] if finding.explained_by else []
    facts = [*cause, *evidence_words(finding.evidence, page)]  # of many the last are left out
    if facts:
        lines += paragraph(" · ".join(facts), page, indent=indent, most_lines=3)
    return lines


def _groups(finding: Finding, report: Report, page: Page, *, indent: int) -> list[str]:
    groups = finding.groups
    if _are_bare(groups):
        names = who(
            tuple(group.views[0] for group in groups), report.nodes, most=page.most(_MOST_NAMES)
        )
        return paragraph(names, page, indent=indent, lead="each alone: ")
    most = page.most(_MOST_GROUPS)
    shown = groups if len(groups) <= most + 1 else groups[:most]
    started = epoch(report.run.started_at)
    has_expiry = any(group.expires_at is not None for group in groups)
    lines = []
    for group in shown:
        names = who(group.views, report.nodes, most=page.most(_MOST_NAMES))
        facts = [names, *_group_facts(group, started, page, has_expiry=has_expiry)]
        text = " · ".join(fact for fact in facts if fact)
        lines += paragraph(text, page, indent=indent, lead=f"{group.label}  ", most_lines=4)
    return lines + _more_groups(groups[len(shown) :], page, indent=indent)


def _are_bare(groups: tuple[Group, ...]) -> bool:
    """Tell many groups of one view each, of which nothing but that is known."""
    return len(groups) > _MOST_GROUPS and all(
        len(group.views) == 1
        and (group.value, group.state, group.bytes, group.expires_at) == (None,) * 4
        for group in groups
    )


def _group_facts(group: Group, started: float | None, page: Page, *, has_expiry: bool) -> list[str]:
    facts = []
    if group.value is not None:
        facts.append(f'"{cut(clean(group.value), page.most(_MOST_TEXT))}"')
    if group.state:
        facts.append(group.state)
    if group.bytes is not None:
        facts.append(size(group.bytes))
    if group.expires_at is not None:
        facts.append(expiry(group.expires_at, started))
    elif has_expiry and group.state == "present":
        facts.append("never expires")
    return facts


def expiry(expires_at: float, started: float | None) -> str:
    """Say when an entry expires, seen from the start of the run."""
    if started is None:
        return f"expires {clock_time(expires_at)}"
    left = expires_at - started
    return f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago"


def _more_groups(groups: tuple[Group, ...], page: Page, *, indent: int) -> list[str]:
    if not groups:
        return []
    views = sum(len(group.views) for group in groups)
    text = f"and {plural(len(groups), 'more group')} ({plural(views, 'view')})"
    return paragraph(text, page, indent=indent)


def _more(more: int, page: Page) -> list[str]:
    return paragraph(f"and {count(more)} more", page, indent=2) if more > 0 else []


def _remedies(remedies: set[str], page: Page, *, indent: int) -> list[str]:
    return [
        line
        for remedy in sorted(remedies)
        if remedy
        for line in paragraph(remedy, page, indent=indent, lead="Fix: ", most_lines=_REMEDY_LINES)
    ]


def _left_out(report: Report, page: Page) -> list[str]:
    cuts = [f"{count(number)} {code}" for code, number in sorted(report.findings_left_out.items())]
    if not cuts:
        return []
    return paragraph(f"Left out by --max-findings: {', '.join(cuts)}.", page)
