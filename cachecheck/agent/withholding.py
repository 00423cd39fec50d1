"""Which keys never leave this node, by whatever name they are asked for or listed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cachecheck.model import Key
from cachecheck.stores.namespaces import KEY

if TYPE_CHECKING:
    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Namespace

PROBE_KEY = "cachecheck:probe:namespace"


class Withholding:
    """``WITHHOLD`` as it applies to one cache.

    Patterns name logical keys. Where a stored key shows its logical one, that is judged. Where it
    cannot, as a digest or the name of a file cannot, the name may leave: it tells no logical key.
    """

    def __init__(self, backend: Backend, conf: Conf) -> None:
        self._backend = backend
        self._conf = conf

    @cached_property
    def namespace(self) -> Namespace:
        """Observe the rule from logical to stored keys, once."""
        return self._backend.namespace(PROBE_KEY)

    def hides(self, key: Key, stored: str | None = None) -> bool:
        """Say whether a key must not leave, by its own name or by what it is ``stored`` as."""
        if self._conf.withholds(key):
            return True
        if key.naming == "logical":
            return self._is_withheld_stored(stored)
        logical = self._backend.logical_key(key.name, self.namespace)
        return logical is not None and self._conf.withholds(Key(name=logical))

    def _is_withheld_stored(self, stored: str | None) -> bool:
        if stored is None:
            return False
        if self._is_all_in_namespace:
            return self._conf.withholds(Key(name=stored, naming="stored"))
        return self._conf.withheld.match(stored) is not None

    @cached_property
    def _is_all_in_namespace(self) -> bool:
        """Whether keys have no prefix, so that those of others in the store look like ours."""
        return (self.namespace.form or "").startswith(KEY)
