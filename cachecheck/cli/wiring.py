"""From words on the command line, files and the environment to targets and options."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.coordinator import config as configuration
from cachecheck.coordinator.fleet import (
    AnyNode,
    AnyTarget,
    StoreNode,
    Target,
    Transport,
    parse_nodes,
)
from cachecheck.coordinator.options import Options, demand_sensible
from cachecheck.errors import UsageError
from cachecheck.model import Value
from cachecheck.reporting.json import parse
from cachecheck.rules.selection import unknown_codes
from cachecheck.signing import MIN_SECRET_BYTES, Keyring, secret_from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.model import Report

SECRET_VARIABLE = "CACHECHECK_SECRET"  # noqa: S105  the name of a variable
STORE_PASSWORD_VARIABLE = "CACHECHECK_STORE_PASSWORD"  # noqa: S105  the name of a variable
CONFIG_NAME = "cachecheck.toml"


class Who(Value, frozen=True, kw_only=True):
    """What the command line says of which nodes to ask, and how."""

    words: tuple[str, ...] = ()
    config_file: str | None = None
    fleet: str | None = None
    secret_file: str | None = None
    keyid: str | None = None
    transport: Transport = Transport()


class Setup(Value, frozen=True, kw_only=True):
    """What a run needs: whom to ask, and the options in force."""

    targets: tuple[AnyTarget, ...]
    options: Options


def set_up(who: Who, given: dict[str, Any]) -> Setup:
    """Combine command line, configuration and environment; the first of them wins.

    ``given`` holds options by name, None where the command line does not say. Raises
    ``UsageError`` for all that cannot be meant.
    """
    path = _config_path(who)
    config = configuration.load(path) if path else configuration.Config()
    options = _options(given, config)
    targets = _targets(who, config, path)
    if not any(isinstance(target, Target) for target in targets):
        _demand_nothing_of_nodes(options)
    _demand_usable_certificates(targets)
    return Setup(targets=targets, options=options)


def _demand_nothing_of_nodes(options: Options) -> None:
    """Refuse what only Django nodes can do, where none is named."""
    if options.canary:
        raise UsageError(
            "a canary writes through Django nodes that have the agent, and never to stores that "
            "are read directly: name a node, such as web-1:8000"
        )
    if options.window is not None:
        raise UsageError(
            "--window compares what Django nodes that have the agent count, and stores that are "
            "read directly count for all of their clients: name a node, such as web-1:8000"
        )


def without_canary(setup: Setup) -> Setup:
    """Give a setup in which nothing is written."""
    return msgspec.structs.replace(
        setup, options=msgspec.structs.replace(setup.options, canary=False)
    )


def split_codes(words: Iterable[str] | None) -> tuple[str, ...] | None:
    """Split comma-separated codes, and refuse those that fit none in the catalogue."""
    if words is None:
        return None
    codes = tuple(code.strip().upper() for word in words for code in word.split(",") if code)
    unknown = unknown_codes(codes)
    if unknown:
        raise UsageError(
            f"no finding has the code {', '.join(unknown)}: `cachecheck explain` lists all"
        )
    return codes


def named_keys(keys: Sequence[str] | None, keys_from: Path | None) -> tuple[str, ...] | None:
    """Put the keys named on the command line and in a file together; None: none were named."""
    if keys is None and keys_from is None:
        return None
    lines = _read(keys_from, "keys").splitlines() if keys_from else []
    return tuple(dict.fromkeys([*(keys or ()), *(line for line in lines if line)]))


def transport_of(
    host_header: str | None,
    headers: Sequence[str] | None,
    ca_file: str | None,
    client_cert: str | None,
) -> Transport:
    """Take the options that say how nodes are reached."""
    return Transport(
        host_header=host_header,
        headers=tuple(pair for word in headers or () for pair in _headers(word)),
        ca_file=ca_file,
        client_cert=client_cert,
    )


def load_baseline(path: Path | None) -> Report | None:
    """Read an earlier JSON report."""
    if path is None:
        return None
    try:
        baseline = parse(_read(path, "the baseline"))
    except UsageError as exc:
        raise UsageError(f"{path} cannot be the baseline: {exc}") from exc
    if baseline.findings_left_out:
        raise UsageError(
            f"{path} cannot be the baseline: it leaves findings out; save one with a larger "
            "--max-findings"
        )
    return baseline


def _headers(word: str) -> Iterable[tuple[str, str]]:
    lines = _read(Path(word[1:]), "headers").splitlines() if word.startswith("@") else [word]
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or any(char.isspace() for char in name.strip()):
            shown = "a line of that file" if word.startswith("@") else repr(word)
            raise UsageError(f"--header takes 'NAME: VALUE' or @FILE, not {shown}")
        yield name.strip(), value.strip()


def _config_path(who: Who) -> Path | None:
    """Find the configuration; where nodes are named it need not exist."""
    if who.config_file is not None:
        return Path(who.config_file)
    found = next((path for path in _default_paths() if path.is_file()), None)
    if found is None and who.fleet is not None:
        raise UsageError(f"--fleet {who.fleet}: no configuration; `cachecheck init` writes one")
    return found


def _default_paths() -> tuple[Path, ...]:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return (Path(CONFIG_NAME), Path(base) / "cachecheck" / CONFIG_NAME)


def _targets(who: Who, config: configuration.Config, path: Path | None) -> tuple[AnyTarget, ...]:
    if who.words and who.fleet:
        raise UsageError("give either nodes or --fleet, not both")
    if who.words or path is None:
        nodes = parse_nodes(who.words, who.transport)
        found = tuple((node, _password_file(node)) for node in nodes)
        return _equipped(found, who, configuration.FleetTable())
    fleet = configuration.choose_fleet(config, who.fleet, str(path))
    return _equipped(configuration.nodes_of(fleet, who.transport), who, fleet)


def _password_file(node: AnyNode) -> str | None:
    return node.spec.password_file if isinstance(node, StoreNode) else None


def _equipped(
    found: Sequence[tuple[AnyNode, str | None]], who: Who, fleet: configuration.FleetTable
) -> tuple[AnyTarget, ...]:
    """Give each node the secret that its probes are signed with, each store its password."""
    keyid = who.keyid or fleet.keyid
    keyrings: dict[str | None, Keyring] = {}
    targets: list[AnyTarget] = []
    for node, own in found:
        if isinstance(node, StoreNode):
            targets.append(_with_password(node, own))
            continue
        if own not in keyrings:
            keyrings[own] = _keyring(who.secret_file or own or fleet.secret_file, keyid)
        targets.append(Target(node=node, keyring=keyrings[own]))
    return tuple(targets)


def _with_password(node: StoreNode, file: str | None) -> StoreNode:
    """Give a store its password; memcached has none."""
    if file is not None:
        text = _read(Path(file), f"the password of {node.name}")
    else:
        text = os.environ.get(STORE_PASSWORD_VARIABLE, "")
    if not text.strip() or node.spec.kind == "memcached":
        return node
    from cachecheck.stores.direct import with_password  # noqa: PLC0415  --help stays quick

    return StoreNode(spec=with_password(node.spec, text))


def _demand_usable_certificates(targets: Iterable[AnyTarget]) -> None:
    files = {_certificates(target) for target in targets} - {(None, None)}
    if not files:
        return
    from cachecheck.coordinator.tls import tls_context  # noqa: PLC0415  ssl takes its time

    for ca_file, client_cert in files:
        tls_context(ca_file, client_cert)


def _certificates(target: AnyTarget) -> tuple[str | None, str | None]:
    of = target.spec if isinstance(target, StoreNode) else target.node.transport
    return (of.ca_file, of.client_cert)


def _keyring(secret_file: str | None, keyid: str | None) -> Keyring:
    if secret_file is not None:
        text = _read(Path(secret_file), "the secret")
    else:
        text = os.environ.get(SECRET_VARIABLE, "")
    if not text.strip():
        raise UsageError(
            f"no secret: set {SECRET_VARIABLE}, or name a file with --secret-file; it is the one "
            f"that the nodes have in CACHECHECK['SECRET'], of {MIN_SECRET_BYTES} bytes or more"
        )
    return Keyring((secret_from_text(text, keyid or "default"),))


def _options(given: dict[str, Any], config: configuration.Config) -> Options:
    defaults = msgspec.structs.asdict(config.defaults)
    for name in ("select", "ignore"):
        defaults[name] = split_codes(defaults[name])
    renamed = {"cache": "caches", "key": "keys"}
    values = {renamed.get(name, name): value for name, value in defaults.items()}
    values |= {name: value for name, value in given.items() if value is not None}
    chosen = {name: value for name, value in values.items() if value is not None}
    try:
        options = msgspec.convert(chosen | {"redact": config.redact}, Options)
    except msgspec.ValidationError as exc:
        raise UsageError(f"the options do not fit: {exc}") from exc
    return demand_sensible(options)


def _read(path: Path, what: str) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read {what} from {path}: {reason}") from exc
