"""The configuration file: fleets and defaults, in TOML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cachecheck.coordinator.fleet import Node, Transport, demand_distinct, parse_node
from cachecheck.errors import ConfigError, UsageError
from cachecheck.model import Value

_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_LAST_IN_PATH = re.compile(r"`\$.*\.(\w+)[^`.]*`$")


class NodeTable(Value, frozen=True, kw_only=True):
    """``[[fleets.NAME.nodes]]``: a node with what differs from the fleet's settings."""

    url: str
    name: str | None = None
    host_header: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    client_cert: str | None = None
    secret_file: str | None = None


class FleetTable(Value, frozen=True, kw_only=True):
    """``[fleets.NAME]``: a fleet, and how its nodes are reached."""

    nodes: tuple[str | NodeTable, ...] = ()
    secret_file: str | None = None
    keyid: str | None = None
    host_header: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    client_cert: str | None = None


class DefaultsTable(Value, frozen=True, kw_only=True):
    """``[defaults]``: what the options of the command line are where they are not given."""

    cache: tuple[str, ...] | None = None
    key: tuple[str, ...] | None = None
    match: str | None = None
    sample: int | None = None
    max_scan: int | None = None
    ttl_tolerance: float | None = None
    settle: float | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    max_findings: int | None = None
    fail_on: str | None = None
    timeout: float | None = None
    deadline: float | None = None
    concurrency: int | None = None
    rate: float | None = None
    rollout_grace: float | None = None
    require_coverage: float | None = None


_Table = TypeVar("_Table", NodeTable, FleetTable)


class Config(Value, frozen=True, kw_only=True):
    """A whole configuration file; ``redact`` lists key patterns that reports show as digests."""

    fleets: dict[str, FleetTable] = {}
    defaults: DefaultsTable = DefaultsTable()
    redact: tuple[str, ...] = ("django.contrib.sessions.*",)


def load(path: Path) -> Config:
    """Read a configuration; raises ``ConfigError`` with file and line.

    Files that it names are looked for beside it, unless their paths are absolute.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "is not UTF-8 text"
        raise ConfigError(f"cannot be read: {reason}", path=str(path)) from exc
    return _anchored(parse(text, str(path)), path.parent)


def _anchored(config: Config, folder: Path) -> Config:
    fleets = {
        name: _beside(folder, fleet, nodes=tuple(_anchored_node(folder, n) for n in fleet.nodes))
        for name, fleet in config.fleets.items()
    }
    return msgspec.structs.replace(config, fleets=fleets)


def _anchored_node(folder: Path, node: str | NodeTable) -> str | NodeTable:
    return node if isinstance(node, str) else _beside(folder, node)


def _beside(folder: Path, table: _Table, **changed: Any) -> _Table:
    files = {
        name: str(folder / Path(named).expanduser())
        for name in ("secret_file", "ca_file", "client_cert")
        if (named := getattr(table, name)) is not None
    }
    return msgspec.structs.replace(table, **files, **changed)


def parse(text: str, path: str) -> Config:
    """Decode the text of a configuration, strictly."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _syntax_error(str(exc), text, path) from exc
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as exc:
        raise ConfigError(_plain(str(exc)), path=path, line=_line_of(str(exc), text)) from exc


def choose_fleet(config: Config, name: str | None, path: str) -> FleetTable:
    """Choose a fleet by name, or the only one there is."""
    known = ", ".join(sorted(config.fleets)) or "none"
    if name is None:
        if len(config.fleets) != 1:
            raise UsageError(
                f"name a fleet with --fleet, or nodes: {path} has {len(config.fleets)} fleets "
                f"({known})"
            )
        return next(iter(config.fleets.values()))
    if name not in config.fleets:
        raise UsageError(f"no fleet {name!r} in {path}: there are {known}")
    return config.fleets[name]


def nodes_of(fleet: FleetTable, defaults: Transport) -> tuple[tuple[Node, str | None], ...]:
    """Give the nodes of a fleet, each with the secret file of its own, if it has one."""
    tables = tuple(
        NodeTable(url=entry) if isinstance(entry, str) else entry for entry in fleet.nodes
    )
    nodes = tuple(
        parse_node(table.url, _transport(table, fleet, defaults), table.name) for table in tables
    )
    demand_distinct(nodes)
    return tuple((node, table.secret_file) for node, table in zip(nodes, tables, strict=True))


def _transport(table: NodeTable, fleet: FleetTable, defaults: Transport) -> Transport:
    """Combine what the command line, the fleet and the node say; the first of them wins."""
    headers = (*fleet.headers.items(), *table.headers.items(), *defaults.headers)
    return Transport(
        host_header=defaults.host_header or table.host_header or fleet.host_header,
        headers=tuple({name.lower(): value for name, value in headers}.items()),
        ca_file=defaults.ca_file or table.ca_file or fleet.ca_file,
        client_cert=defaults.client_cert or table.client_cert or fleet.client_cert,
    )


def _syntax_error(message: str, text: str, path: str) -> ConfigError:
    found = _LINE.search(message)
    line = int(found[1]) if found else text.count("\n") + 1
    return ConfigError(f"is not TOML: {_LINE.sub('', message).strip()}", path=path, line=line)


def _plain(message: str) -> str:
    return message.replace("Object contains unknown field", "unknown setting").replace(" - at", ",")


def _line_of(message: str, text: str) -> int | None:
    """Find the line that a decoding error is about, by the name that it mentions."""
    named = _UNKNOWN.search(message) or _LAST_IN_PATH.search(message)
    if named is None:
        return None
    name = re.escape(named[1])
    found = re.search(rf"^[^#\n]*?\b{name}\b[\"']?\s*(=|\]|\.)", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else None
