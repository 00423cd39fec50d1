"""A process with one way of counting: answers a line "cache operation" with seconds for one call.

    counted_site.py bare|cachecheck|django-prometheus|sentry-sdk REDIS_URL

It stands in a process of its own, since each of these ways changes Django for good.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.cache import caches

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = {"local": 200, "redis": 50}  # at once; past a thousand spans sentry-sdk drops them
MANY = 20
_KEY = "shop:user:17:profile"

Span = AbstractContextManager[Any]


def site(way: str, redis_url: str) -> Callable[[], Span]:
    """Set Django up; give what its calls run in."""
    backends, redis = "django.core.cache.backends", "RedisCache"
    if way == "django-prometheus":
        backends, redis = "django_prometheus.cache.backends", "NativeRedisCache"
    settings.configure(
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
            "local": {"BACKEND": f"{backends}.locmem.LocMemCache", "LOCATION": "bench"},
            "redis": {"BACKEND": f"{backends}.redis.{redis}", "LOCATION": redis_url},
        },
        INSTALLED_APPS=["cachecheck.agent"] if way == "cachecheck" else [],
        SECRET_KEY="of a benchmark",
    )
    span = _sentry() if way == "sentry-sdk" else nullcontext
    django.setup()
    return span


def _sentry() -> Callable[[], Span]:
    import sentry_sdk  # noqa: PLC0415  only where it is measured
    from sentry_sdk.integrations.django import DjangoIntegration  # noqa: PLC0415
    from sentry_sdk.transport import Transport  # noqa: PLC0415

    class Nowhere(Transport):
        def capture_envelope(self, envelope: object) -> None:
            del envelope

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        default_integrations=False,
        integrations=[DjangoIntegration(cache_spans=True)],
    )
    return lambda: sentry_sdk.start_transaction(name="bench")


def operations(cache: Any) -> dict[str, Callable[[], object]]:
    """Give what is measured, on a cache that has the keys."""
    keys = [f"shop:user:{number}:profile" for number in range(MANY)]
    value = {"name": "Anna", "cart": [1, 2, 3]}
    cache.set_many(dict.fromkeys(keys, value), timeout=None)
    return {
        "get": lambda: cache.get(_KEY),
        "miss": lambda: cache.get("shop:user:none:profile"),
        "set": lambda: cache.set(_KEY, value),
        "get_many": lambda: cache.get_many(keys),
    }


def seconds(call: Callable[[], object], calls: int, span: Callable[[], Span]) -> float:
    """Time calls, the transaction around them left out."""
    with span():
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - started) / calls


def main(way: str, redis_url: str) -> None:
    """Answer until the input ends."""
    span = site(way, redis_url)
    known = {alias: operations(caches[alias]) for alias in CALLS}
    for line in sys.stdin:
        alias, name = line.split()
        calls = CALLS[alias] // (5 if name == "get_many" else 1)
        sys.stdout.write(f"{seconds(known[alias][name], calls, span)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
