"""What is planted in the demo, and whether a report has it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Value

if TYPE_CHECKING:
    from cachecheck.model import Finding, Report

STALE_KEY = "price:42"
DRIFTED_KEY = "rates:eur"
STALE_NODE = "web-1"
DRIFTED_NODE = "web-2"
RENAMED_NODE = "web-3"
DOWN_NODE = "web-4"


class Fault(Value, frozen=True, kw_only=True):
    """A planted fault, and the finding that it should become.

    ``deviants`` counts the views outside the largest group, all of them on ``node``; None where
    the finding is not about views that differ.
    """

    words: str
    code: str
    cache: str | None = None
    subject: str | None = None
    node: str | None = None
    deviants: int | None = None


def planted(workers: int) -> tuple[Fault, ...]:
    """List what is planted, where each node has this many workers."""
    return (
        Fault(
            words=f"each of {3 * workers} workers has a LocMemCache of its own",
            code="B001",
            cache="default",
        ),
        Fault(
            words=f"one worker of {STALE_NODE} kept an old {STALE_KEY}",
            code="V001",
            cache="default",
            subject=STALE_KEY,
            node=STALE_NODE,
            deviants=1,
        ),
        Fault(
            words=f"{DRIFTED_NODE} keeps {DRIFTED_KEY} an hour longer",
            code="T001",
            cache="default",
            subject=DRIFTED_KEY,
            node=DRIFTED_NODE,
            deviants=workers,
        ),
        Fault(
            words=f"{RENAMED_NODE} has another KEY_PREFIX for pages",
            code="N001",
            cache="pages",
            node=RENAMED_NODE,
            deviants=workers,
        ),
        Fault(words=f"{DOWN_NODE} is down", code="F001", subject=DOWN_NODE),
    )


def found_as(fault: Fault, report: Report) -> Finding | None:
    """Give the finding that says of this fault what and where it is; None: it was not found."""
    return next((finding for finding in report.findings if _fits(fault, finding)), None)


def _fits(fault: Fault, finding: Finding) -> bool:
    return (
        finding.code == fault.code
        and finding.severity != "info"
        and fault.cache in {None, finding.cache}
        and fault.subject in {None, finding.subject}
        and (fault.deviants is None or _blames(fault, finding))
    )


def _blames(fault: Fault, finding: Finding) -> bool:
    others = sorted(finding.groups, key=lambda group: -len(group.views))[1:]
    views = [view for group in others for view in group.views]
    return len(views) == fault.deviants and all(view.startswith(f"{fault.node}:") for view in views)
