from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache.backends.base import BaseCache

from cachecheck.agent.backends.dummy import DummyBackend
from cachecheck.agent.backends.unsupported import UnsupportedBackend
from cachecheck.errors import InertUnreadable, StoreUnsupported
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.backends.base import Backend


class HomeMade(BaseCache):
    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)


@pytest.fixture(name="dummy")
def _dummy(make_cache: Callable[..., Any]) -> DummyBackend:
    return DummyBackend("default", make_cache("django.core.cache.backends.dummy.DummyCache", ""))


@pytest.fixture(name="unsupported")
def _unsupported() -> UnsupportedBackend:
    params = {"KEY_PREFIX": "shop", "VERSION": 3, "TIMEOUT": 60, "OPTIONS": {"MAX_ENTRIES": 9}}
    return UnsupportedBackend("default", HomeMade("", params))


@pytest.fixture(name="backend", params=["dummy", "unsupported"])
def _backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue(request.param)
    return found


def test_neither_is_listed_or_read_and_never_answers_missing(backend: Backend) -> None:
    store = backend.store()
    capabilities = store.capabilities()
    assert not capabilities.can_scan
    assert not capabilities.can_read
    assert capabilities.reasons
    with pytest.raises(StoreUnsupported):
        store.scan(None, lambda: True)
    with pytest.raises(StoreUnsupported):
        next(store.read(["a"], lambda: True))
    with pytest.raises(InertUnreadable):
        backend.payload(Stored(value=b"", expires_at=None))
    store.close()


def test_dummy_has_no_store_at_all(dummy: DummyBackend) -> None:
    assert (dummy.kind, dummy.scope, dummy.store().identity().grade) == ("dummy", "none", "none")


def test_unknown_store_is_neither_the_same_as_another_nor_a_different_one(
    unsupported: UnsupportedBackend,
) -> None:
    identity = unsupported.store().identity()
    assert (identity.grade, identity.token) == ("unobserved", None)
    assert identity.reason == "this backend is not known to cachecheck"


def test_settings_and_namespace_of_an_unknown_backend_are_still_compared(
    unsupported: UnsupportedBackend,
) -> None:
    assert dict(unsupported.settings()) == {
        "backend": f"{__name__}.HomeMade",
        "default_timeout": "60",
        "key_prefix": "shop",
        "version": "3",
        "max_entries": "9",
        "cull_frequency": "3",
    }
    assert unsupported.namespace("probe").stored_probe == "shop:3:probe"
