"""Which findings are wanted (``--select``, ``--ignore``), and in which order they stand.

A pattern is a code (``N001``), the start of one (``N``, ``B0``) or ``ALL``; as with ruff, the
longest pattern that fits a code decides, and of two equally long ones the ignoring one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings

FAMILIES = "FBNVTHC"
_ALL = "ALL"
_NO_FIT = -1


def select(findings: Findings, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Findings:
    """Keep the findings that are selected and not ignored; an empty ``select`` means all."""
    wanted = tuple(select) or (_ALL,)
    unwanted = tuple(ignore)
    return tuple(one for one in findings if is_selected(one.code, wanted, unwanted))


def is_selected(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """Say whether the longest pattern that fits the code is one that selects."""
    return _best_fit(code, select) > _best_fit(code, ignore)


def unknown_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Give the patterns that fit no code in the catalogue."""
    return tuple(
        pattern for pattern in codes if all(_fit(code, pattern) == _NO_FIT for code in CATALOGUE)
    )


def ordered(findings: Iterable[Finding]) -> Findings:
    """Put families in the order in which they are checked, codes within; else keep the order."""
    return tuple(sorted(findings, key=lambda one: (FAMILIES.find(one.code[0]), one.code)))


def _best_fit(code: str, patterns: tuple[str, ...]) -> int:
    return max((_fit(code, pattern) for pattern in patterns), default=_NO_FIT)


def _fit(code: str, pattern: str) -> int:
    if pattern == _ALL:
        return 0
    return len(pattern) if pattern and code.startswith(pattern) else _NO_FIT
