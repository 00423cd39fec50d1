"""A finding's evidence in a few words: ``persisted: 10.1 s``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachecheck.escaping import clean
from cachecheck.reporting.layout import Page, cut
from cachecheck.reporting.words import clock_time, count, duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_ITEMS = 5
_MOST_VALUE = 120
_UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_seconds", duration),
    ("_bytes", size),
    ("_at", clock_time),
)


def evidence_words(evidence: Mapping[str, Any], page: Page) -> list[str]:
    """Give each item as ``name: value``, with numbers in the unit that the name carries."""
    return [_item(name, value, page) for name, value in evidence.items()]


def _item(name: str, value: object, page: Page) -> str:
    label, words = name, ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        label, words = _measured(name, value)
    shown = cut(clean(words or _words(value, page)), page.most(_MOST_VALUE))
    return f"{label.replace('_', ' ')}: {shown}"


def _measured(name: str, value: float) -> tuple[str, str]:
    for suffix, said in _UNITS:
        if name.endswith(suffix):
            return name if suffix == "_at" else name.removesuffix(suffix), said(value)
    return name, ""


def _words(value: object, page: Page) -> str:
    match value:
        case None | bool():
            return {None: "none", True: "yes", False: "no"}[value]
        case int() | float():
            return count(value) if isinstance(value, int) else f"{value:.4g}"
        case dict():
            return _joined([f"{key}={_words(each, page)}" for key, each in value.items()], page)
        case list() | tuple():
            return _joined([_words(each, page) for each in value], page)
        case _:
            return str(value)


def _joined(parts: list[str], page: Page) -> str:
    most = page.most(_MOST_ITEMS)
    shown = ", ".join(parts[:most])
    return f"{shown} and {count(len(parts) - most)} more" if len(parts) > most else shown
