"""Call the site's own key builders: whoever builds other keys reads and deletes other entries.

``KEY_FUNCTION`` is observed on every cache; keys that code builds before that are seen only where
the site names what builds them. What is called here is the site's, so it may raise anything, take
long, and give anything.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Any, Literal

from cachecheck.agent.loading import loaded
from cachecheck.digest import SEED_BYTES, key_digest
from cachecheck.model import Built, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.conf import Conf
    from cachecheck.agent.setting_values import Builder

log = logging.getLogger("cachecheck.agent")

MAX_SECONDS = 1.0
MAX_SHOWN_CHARS = 250


def call(conf: Conf, run: str, clock: Callable[[], float] = time.monotonic) -> tuple[Built, ...]:
    """Call each builder twice, as long as ``MAX_SECONDS`` are not over.

    One that was begun is waited for. Keys that ``WITHHOLD`` names, and long ones, are given as
    digests under ``run``, which are equal where the keys are.
    """
    started_at = clock()
    return tuple(
        _called(builder, conf, run)
        if clock() - started_at < MAX_SECONDS
        else Built(
            name=builder.name,
            outcome="uncalled",
            detail=f"those before it took {clock() - started_at:.1f} s",
        )
        for builder in conf.builders
    )


def load(builder: Builder) -> Callable[..., Any]:
    """Import a builder; raises whatever the import of the site's module does."""
    return loaded(builder.path)


def _called(builder: Builder, conf: Conf, run: str) -> Built:
    try:
        build = load(builder)
        results = [build(*builder.arguments) for _ in range(2)]
    except (Exception, SystemExit) as exc:  # noqa: BLE001  the boundary to code of the site's own
        log.warning("key builder %s raised %s", builder.name, type(exc).__name__)
        return Built(name=builder.name, outcome="failed", detail=type(exc).__name__)
    if not all(isinstance(result, str) for result in results):
        kinds = " and ".join(dict.fromkeys(type(result).__name__ for result in results))
        return Built(name=builder.name, outcome="failed", detail=f"it gave {kinds}, not str")
    first, second = (str.__str__(result) for result in results)
    outcome: Literal["made", "unsteady"] = "made" if first == second else "unsteady"
    return Built(name=builder.name, outcome=outcome, key=_sent(first, conf, run))


def _sent(key: str, conf: Conf, run: str) -> str:
    """Give the key as it may leave the node."""
    is_plain = len(key) <= MAX_SHOWN_CHARS and key.isprintable()
    if is_plain and not conf.withholds(Key(name=key)):
        return key
    seed = hashlib.blake2b(run.encode(), digest_size=SEED_BYTES).digest()
    return f"digest:{key_digest(seed, key)}"
