"""``manage.py cachecheck``: what this very process sees of its caches.

A management command often runs with other settings than the web workers do; this shows with which.
"""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.management.base import BaseCommand

from cachecheck.agent import builders, describe
from cachecheck.agent import conf as settings
from cachecheck.agent.relay.starting import why_off
from cachecheck.agent.worker import count_siblings, this_worker
from cachecheck.model import Built, CacheDescription, Member, Value, Versions, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.management.base import CommandParser

    from cachecheck.agent.conf import Conf

Row = tuple[str, str]


class Sight(Value, frozen=True, kw_only=True):
    """What a process sees; ``shut_by`` says why its probe endpoint answers 404, if it does.

    ``relay_off`` says why processes here do not hand probes on to each other, None where they can.
    ``siblings`` counts the processes under the same parent that look like this one, itself
    included; None where the system does not say.
    """

    worker: Worker
    siblings: int | None
    node: str | None
    application: str
    release: str | None
    versions: Versions
    is_open: bool
    shut_by: tuple[str, ...]
    relay_off: str | None
    caches: tuple[CacheDescription, ...]
    builders: tuple[Built, ...]


class Command(BaseCommand):
    """Show what this process sees of its caches, without reading an entry."""

    help = "Shows what this very process sees of its caches, in the words of cachecheck."
    requires_system_checks = ()  # what they would complain of is what this shows

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--format``."""
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, and write it down."""
        seen = look(settings.load())
        self.stdout.write(_json(seen) if options["format"] == "json" else _text(seen))


def look(conf: Conf) -> Sight:
    """Look at this process and at each alias that may be probed."""
    return Sight(
        worker=this_worker("command"),
        siblings=count_siblings(),
        node=conf.node,
        application=conf.application,
        release=conf.release,
        versions=describe.versions(),
        is_open=conf.is_open,
        shut_by=tuple(_shut_by(conf)),
        relay_off=why_off(conf) if conf.is_open else "the endpoint is shut",
        caches=describe.describe_caches(conf, (f"cachecheck:probe:{token_hex(16)}:0",)),
        builders=builders.call(conf, token_hex(16)),
    )


def _shut_by(conf: Conf) -> Iterator[str]:
    if not conf.is_enabled:
        yield "switched off by ENABLED"
    yield from (f"CACHECHECK[{one.setting!r}] {one.message}" for one in conf.problems)
    if conf.keyring is None and not conf.problems:
        yield f"no secret: set {settings.SECRET_VARIABLE} or CACHECHECK['SECRET']"


# --- as text -------------------------------------------------------------------------------


def _json(seen: Sight) -> str:
    return msgspec.json.format(msgspec.json.encode(seen), indent=2).decode()


def _text(seen: Sight) -> str:
    blocks = [_process(seen), *(_cache(cache) for cache in seen.caches)]
    if seen.builders:
        blocks.append(("key builder", f"{one.name}: {_built(one)}") for one in seen.builders)
    return "\n".join(_aligned(block) for block in blocks)


def _aligned(rows: Iterable[Row]) -> str:
    return "".join(f"{name:<12}  {_plain(text)}\n" for name, text in rows)


def _process(seen: Sight) -> Iterator[Row]:
    worker, versions = seen.worker, seen.versions
    started = datetime.fromtimestamp(worker.started_at, UTC)
    siblings = "unknown" if seen.siblings is None else str(seen.siblings)
    clients = (f"{name} {version}" for name, version in versions.clients)
    yield "process", f"{worker.host}:{worker.pid}, since {started:%Y-%m-%d %H:%M:%SZ}"
    yield "role", worker.role
    yield "siblings", f"{siblings} (processes of this kind under one parent)"
    yield "node", seen.node or "not named"
    yield "application", seen.application
    yield "release", seen.release or "not set"
    yield "python", versions.python
    yield "django", versions.django
    yield "cachecheck", versions.agent
    yield "clients", ", ".join(clients) or "none"
    yield from (("endpoint", f"shut: {reason}") for reason in seen.shut_by)
    if seen.is_open:
        yield "endpoint", "open"
    yield "relay", "on" if seen.relay_off is None else f"off: {seen.relay_off}"


def _cache(cache: CacheDescription) -> Iterator[Row]:
    identity, namespace = cache.identity, cache.namespace
    yield "cache", cache.alias
    yield "backend", f"{cache.backend} ({cache.kind})"
    yield "scope", f"{cache.scope}, declared: {cache.declared_scope or 'undeclared'}"
    yield "store", ": ".join(filter(None, (identity.grade, identity.reason or identity.address)))
    yield "prefix", repr(namespace.prefix)
    yield "version", namespace.version
    yield "stored key", namespace.form or f"{namespace.stored_probe} for a probe key"
    yield "timeout", _timeout(cache.timeout)
    yield from (("replica", _member(member)) for member in cache.members[1:])
    yield from (("cannot", reason) for reason in cache.capabilities.reasons)


def _member(member: Member) -> str:
    if member.failure is not None:
        return f"{member.address}: {member.failure}"
    follows = f", follows {member.follows}" if member.follows else ""
    return f"{member.address}: {member.role or 'its role is not told'}{follows}"


def _built(built: Built) -> str:
    match built.outcome:
        case "made":
            return built.key or "''"
        case "unsteady":
            return "another key at every call"
        case "failed" | "uncalled":
            return f"no key: {built.detail}"


def _timeout(seconds: float | None) -> str:
    if seconds is None:
        return "never expires"
    return f"{seconds:g} s" if seconds > 0 else "expires at once"


def _plain(text: str) -> str:
    """Escape what could control the terminal."""
    return text if text.isprintable() else ascii(text)
