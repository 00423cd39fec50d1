r"""The report as JSON, ``cachecheck.report/1``, and back.

Written in ASCII: any other character is a ``\u`` escape, so that a key which some node made up
cannot control the terminal that shows it.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from cachecheck.errors import UsageError
from cachecheck.model import Report

_SCHEMA = "cachecheck.report/1"


def render(report: Report) -> str:
    """Write the report: indented, every field present, the same text for the same report.

    Numbers that JSON does not have (infinite, not a number) become null.
    """
    built = _finite(msgspec.to_builtins(report, str_keys=True, order="deterministic"))
    return json.dumps(built, indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {name: _finite(each) for name, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case _:
            return value


def parse(text: str) -> Report:
    """Read a report that `render` wrote, as for ``--baseline``.

    Strict: another schema, an unknown field, a missing or wrongly typed one raises
    `errors.UsageError` that names it. A half-understood baseline would silence the wrong findings,
    and a new one takes a single run.
    """
    found = _decoded(text)
    if found.get("schema") != _SCHEMA:
        theirs = f"its schema is {found['schema']!r}" if "schema" in found else "it has no schema"
        raise UsageError(f"not a report that this version can read: {theirs}, not {_SCHEMA!r}")
    try:
        return msgspec.convert(found, Report)
    except msgspec.ValidationError as exc:
        raise UsageError(
            f"not a report that this version can read: {exc}. Write a new one with"
            " cachecheck check --save FILE.json"
        ) from exc


def _decoded(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as exc:
        raise UsageError(f"not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}") from exc
    except (RecursionError, ValueError) as exc:
        raise UsageError("not a report: nested too deeply, or a number too long to read") from exc
    if not isinstance(found, dict):
        raise UsageError("not a report: a JSON object was expected")
    return found
