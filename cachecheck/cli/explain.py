"""``cachecheck explain``: what a finding means, how it is detected, what to change."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from cachecheck.cli.output import terminal_width
from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from cachecheck.rules.catalogue import Kind


def explain(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="Such as N001; without one, all are listed."),
    ] = None,
) -> None:
    """Say what a finding means, how it is detected, and what to change."""
    from cachecheck.rules.catalogue import CATALOGUE  # noqa: PLC0415  --help stays quick

    if code is None:
        for kind in CATALOGUE.values():
            sys.stdout.write(f"{kind.code}  {kind.severity:<8} {kind.name}\n")
        return
    found = CATALOGUE.get(code.strip().upper())
    if found is None:
        raise UsageError(f"no finding has the code {code!r}: `cachecheck explain` lists all")
    sys.stdout.write(_page(found, terminal_width()))


def _page(kind: Kind, width: int) -> str:
    parts = (
        (None, kind.meaning),
        ("How it is detected", kind.detection),
        ("Not to be confused with", kind.not_confused_with),
        ("What to change", kind.remedy),
    )
    head = f"{kind.code} {kind.name} ({kind.severity})\n\n"
    return head + "\n".join(_part(title, text, width) for title, text in parts)


def _part(title: str | None, text: str, width: int) -> str:
    indent = "  " if title else ""
    body = textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
    return f"{title}\n{body}\n" if title else f"{body}\n"
