"""The JSON Schema (draft 2020-12) of ``cachecheck.report/1``, made from the model.

``python -m cachecheck.reporting.schema`` writes the text that ``docs/reference/report.schema.json``
must hold.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

import msgspec

from cachecheck.model import Report
from cachecheck.reporting.fields import FIELDS

_CODE = {"pattern": "^[A-Z][0-9]{3}$"}
_SHARE = {"minimum": 0, "maximum": 1}
_NARROWER: dict[str, dict[str, Any]] = {
    "code": _CODE,
    "explained_by": _CODE,
    "started_at": {"format": "date-time"},
    "since": {"format": "date-time"},
    "duration_seconds": {"minimum": 0},
    "rtt_seconds": {"minimum": 0},
    "first_look_seconds": {"minimum": 0},
    "median_seconds": {"minimum": 0},
    "max_seconds": {"minimum": 0},
    "rate": _SHARE,
    "ratio": _SHARE,
    "share": _SHARE,
    "share_of_bytes": _SHARE,
    "share_lasting": _SHARE,
    "findings_left_out": {"propertyNames": _CODE},
}


def schema() -> dict[str, Any]:
    """Describe what `reporting.json.render` writes: every field present, no other allowed."""
    made = msgspec.json.schema(Report)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cachecheck.report/1",
        "$ref": made["$ref"],
        "$defs": {name: _struct(name, made["$defs"][name]) for name in sorted(made["$defs"])},
    }


def render() -> str:
    """Give the schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _struct(name: str, made: dict[str, Any]) -> dict[str, Any]:
    properties = {
        field: {"description": FIELDS[name][field], **_narrowed(field, kind)}
        for field, kind in made["properties"].items()
    }
    described = inspect.cleandoc(made["description"]).replace("``", "")
    return {
        **made,
        "description": described,
        "properties": properties,
        "required": list(properties),
    }


def _narrowed(field: str, kind: dict[str, Any]) -> dict[str, Any]:
    """Add what the types of the model do not say; a default says nothing where all is written."""
    kind = {name: value for name, value in kind.items() if name != "default"}
    if "anyOf" in kind:
        return {"anyOf": [_narrowed(field, each) for each in kind["anyOf"]]}
    if kind.get("type") == "integer":
        return {**kind, "minimum": 0}
    if kind.get("type") == "null":
        return kind
    if field == "interval95":
        return {**kind, "prefixItems": [{**each, **_SHARE} for each in kind["prefixItems"]]}
    return {**kind, **_nonnegative_values(kind), **_NARROWER.get(field, {})}


def _nonnegative_values(kind: dict[str, Any]) -> dict[str, Any]:
    values = kind.get("additionalProperties")
    is_counts = isinstance(values, dict) and values.get("type") == "integer"
    return {"additionalProperties": {"type": "integer", "minimum": 0}} if is_counts else {}


if __name__ == "__main__":
    sys.stdout.write(render())
