"""What a store that is read directly takes over from the nodes of its fleet. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.model import Namespace
    from cachecheck.rules.observations import ObservedNode
    from cachecheck.stores.direct import StoreSpec

_SAY_WHICH = "say which is meant: ?prefix=PREFIX, with &version=N where it is not 1, or ?form=FORM"


def adopt(spec: StoreSpec, nodes: Sequence[ObservedNode]) -> StoreSpec:
    """Give a store the namespace and the application of the nodes that have its cache.

    What was said of the store itself stands. Raises ``UsageError`` where the nodes have several
    namespaces, or applications, that could be meant. Where no node has the cache the store stays
    as it is: without a form all of it is read, by the names under which it is stored.
    """
    seen = _seen(spec, nodes)
    if not seen:
        return spec
    form = _form(spec, [namespace for _, namespace in seen]) if spec.form is None else spec.form
    having = {application for application, namespace in seen if namespace.form == form}
    applications = sorted(having or {application for application, _ in seen})
    if len(applications) > 1:
        raise UsageError(
            f"{spec.cache} is a cache of several applications ({', '.join(applications)}): "
            "say which is meant with ?application=NAME"
        )
    return msgspec.structs.replace(spec, form=form, application=applications[0])


def _seen(spec: StoreSpec, nodes: Sequence[ObservedNode]) -> list[tuple[str, Namespace]]:
    """Give the namespaces of this cache, with their applications, for backends of its kind."""
    return [
        (worker.application, cache.namespace)
        for node in nodes
        for worker in node.workers
        for cache in worker.caches
        if (cache.alias, cache.kind) == (spec.cache, kind_of_cache(spec))
        and spec.application in {"", worker.application}
    ]


def _form(spec: StoreSpec, namespaces: Sequence[Namespace]) -> str:
    forms = {namespace.form for namespace in namespaces}
    form = forms.pop()
    if forms:
        raise UsageError(
            f"the nodes have {len(forms) + 1} namespaces for {spec.cache}: {_SAY_WHICH}"
        )
    if form is None:
        raise UsageError(
            f"the stored keys of {spec.cache} do not show what the nodes call them, so none can be "
            "looked up here: name keys with --key on the nodes alone"
        )
    return form


def kind_of_cache(spec: StoreSpec) -> str:
    """Say of which kind a cache is that has this store behind it."""
    return "memcached" if spec.kind == "memcached" else "redis"
