"""Sum up one page of a store within the view's own namespace: the answer to ``survey``."""

from __future__ import annotations

import re
from contextlib import closing
from fnmatch import translate
from typing import TYPE_CHECKING

from cachecheck.digest import key_digest
from cachecheck.model import MAX_KEY_CHARS, Key
from cachecheck.survey import SampledKey, Summary, ceiling, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Namespace
    from cachecheck.stores.base import Pace, Page
    from cachecheck.wire import Survey

PROBE_KEY = "cachecheck:probe:namespace"
_KEYS_BETWEEN_PACES = 50
_SURROGATE = re.compile("[\ud800-\udfff]")


def survey(backend: Backend, request: Survey, conf: Conf, pace: Pace) -> tuple[Summary, str | None]:
    """Scan from the request's cursor until the budget is spent; give the sum and the next cursor.

    Raises ``StoreError`` where the store cannot be listed.
    """
    classify = _Classifier(backend, request, conf)
    summary, cursor = Summary(), request.cursor
    with closing(backend.store()) as store:
        while True:
            page = store.scan(cursor, pace)
            summary = merge((summary, classify.page(page, pace)), request.sample)
            cursor = page.cursor
            if cursor is None or not pace():
                return summary, cursor


class _Classifier:
    """Sorts stored keys into entries, foreign, withheld and unmatched ones."""

    def __init__(self, backend: Backend, request: Survey, conf: Conf) -> None:
        self._request = request
        self._seed = bytes.fromhex(request.seed)
        self._conf = conf
        self._matches = _matcher(request.match)
        self._name = _namer(backend, backend.namespace(PROBE_KEY))
        self._below = request.below

    def page(self, page: Page, pace: Pace) -> Summary:
        kinds = {"entries": 0, "foreign": page.foreign, "withheld": 0, "unmatched": 0}
        sampled: list[SampledKey] = []
        for number, stored in enumerate(page.keys, 1):
            key = self._name(stored)
            kind = self._kind(key, stored)
            kinds[kind] += 1
            if kind == "entries" and key is not None:
                sampled.extend(self._sampled(key))
            if number % _KEYS_BETWEEN_PACES == 0:
                pace()  # a page that was listed is summed up whole
        summary = Summary(scanned=len(page.keys) + page.foreign, sample=tuple(sampled), **kinds)
        return self._trimmed(summary)

    def _kind(self, key: Key | None, stored: str) -> str:
        if key is None or not _can_be_told(key.name):
            return "foreign"
        if self._conf.withholds(key) or self._conf.withheld.match(stored):
            return "withheld"
        return "entries" if self._matches(key.name) else "unmatched"

    def _sampled(self, key: Key) -> Iterator[SampledKey]:
        digest = key_digest(self._seed, key.name)
        if self._below is None or digest < self._below:
            yield SampledKey(digest=digest, key=key)

    def _trimmed(self, summary: Summary) -> Summary:
        trimmed = merge((summary,), self._request.sample)
        lowest = ceiling(trimmed, self._request.sample)
        if lowest is not None:
            self._below = lowest
        return trimmed


def _can_be_told(name: str) -> bool:
    """Whether a name fits into a message; no Django application makes keys that do not."""
    return 0 < len(name) <= MAX_KEY_CHARS and not _SURROGATE.search(name)


def _matcher(glob: str) -> Callable[[str], object]:
    return (lambda _name: True) if glob == "*" else re.compile(translate(glob)).match


def _namer(backend: Backend, namespace: Namespace) -> Callable[[str], Key | None]:
    naming = backend.naming
    if naming == "stored" and namespace.is_reversible:
        return lambda stored: _logical(backend.logical_key(stored, namespace))
    return lambda stored: Key(name=stored, naming=naming)


def _logical(name: str | None) -> Key | None:
    return None if name is None else Key(name=name, naming="logical")
