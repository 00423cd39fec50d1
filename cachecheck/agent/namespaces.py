"""Namespaces: the rule from logical to stored keys, observed on what ``make_key`` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Namespace
from cachecheck.stores.namespaces import KEY, logical_key

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache


def observe(cache: BaseCache, probe_key: str) -> Namespace:
    """Observe the namespace of a backend with a probe key that occurs nowhere else.

    The prefix is the observed one: a key function may compute it, from a tenant say, and then it
    differs from ``KEY_PREFIX``. Where the probe key stands in the stored key exactly once, logical
    keys can be recovered; where it does not (a key function that hashes), they cannot.
    """
    made = str(cache.make_key(probe_key))
    version = str(cache.version)
    is_reversible = made.count(probe_key) == 1
    return Namespace(
        prefix=_observed_prefix(made, f":{version}:{probe_key}", str(cache.key_prefix)),
        version=version,
        stored_probe=made,
        form=made.replace(probe_key, KEY) if is_reversible else None,
        is_reversible=is_reversible,
        is_computed=made != f"{cache.key_prefix}:{version}:{probe_key}",
    )


def recover(stored: str, namespace: Namespace) -> str | None:
    """Recover the logical key; None where the stored key is outside the namespace."""
    return None if namespace.form is None else logical_key(stored, namespace.form)


def _observed_prefix(made: str, default_tail: str, key_prefix: str) -> str:
    return made[: -len(default_tail)] if made.endswith(default_tail) else key_prefix
