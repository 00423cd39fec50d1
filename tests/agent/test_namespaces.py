from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.agent.namespaces import observe, recover
from cachecheck.model import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


@pytest.fixture(name="observed")
def _observed(make_cache: Callable[..., Any]) -> Callable[..., Namespace]:
    def observed(probe_key: str = "probe", **params: Any) -> Namespace:
        return observe(make_cache(LOCMEM, "namespaces", **params), probe_key)

    return observed


def per_tenant(key: str, key_prefix: str, version: int) -> str:
    return f"tenant-7.{key_prefix}:{version}:{key}"


def hashed(key: str, key_prefix: str, version: int) -> str:
    return hashlib.sha256(f"{key_prefix}:{version}:{key}".encode()).hexdigest()


def around(key: str, key_prefix: str, version: int) -> str:
    return f"<{key}@{key_prefix}/{version}>"


def twice(key: str, *_namespace: object) -> str:
    return f"{key}/{key}"


def test_prefix_version_and_form_are_seen(observed: Callable[..., Namespace]) -> None:
    assert observed(KEY_PREFIX="shop", VERSION=2) == Namespace(
        prefix="shop",
        version="2",
        stored_probe="shop:2:probe",
        form="shop:2:{key}",
        is_reversible=True,
    )


def test_prefix_that_the_key_function_computes_is_seen(
    observed: Callable[..., Namespace],
) -> None:
    assert observed(KEY_PREFIX="shop", KEY_FUNCTION=per_tenant).prefix == "tenant-7.shop"


def test_prefix_of_another_form_is_the_one_that_is_set(
    observed: Callable[..., Namespace],
) -> None:
    namespace = observed(KEY_PREFIX="shop", KEY_FUNCTION=around)
    assert (namespace.prefix, namespace.form) == ("shop", "<{key}@shop/1>")
    assert recover("<user:1@shop/1>", namespace) == "user:1"


@pytest.mark.parametrize("key_function", [hashed, twice])
def test_key_that_cannot_be_found_in_what_is_stored_is_not_recovered(
    observed: Callable[..., Namespace], key_function: Callable[..., str]
) -> None:
    namespace = observed(KEY_FUNCTION=key_function)
    assert (namespace.form, namespace.is_reversible) == (None, False)
    assert recover(namespace.stored_probe, namespace) is None


@pytest.mark.parametrize("stored", ["blog:1:a", "shop:2:a", "shop:1:", "", "a"])
def test_keys_of_other_namespaces_are_outside(
    observed: Callable[..., Namespace], stored: str
) -> None:
    assert recover(stored, observed(KEY_PREFIX="shop")) is None


@given(key=st.text(min_size=1), prefix=st.text(max_size=5), version=st.integers(0, 99))
def test_every_logical_key_is_recovered_from_what_is_stored(
    key: str, prefix: str, version: int
) -> None:
    form = f"{prefix}:{version}:{{key}}"
    namespace = Namespace(
        prefix=prefix, version=str(version), stored_probe="", form=form, is_reversible=True
    )
    assert prefix.count("{key}") or recover(f"{prefix}:{version}:{key}", namespace) == key
