"""Sum up one page of a store within the view's own namespace: the answer to ``survey``."""

from __future__ import annotations

import heapq
import re
from contextlib import closing
from fnmatch import translate
from typing import TYPE_CHECKING

from cachecheck.agent.withholding import Withholding
from cachecheck.digest import key_digest
from cachecheck.model import MAX_KEY_CHARS, Key
from cachecheck.survey import SampledKey, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Namespace, Naming
    from cachecheck.stores.base import Pace, Page
    from cachecheck.wire import Survey

_KEYS_BETWEEN_PACES = 50
_KEYS_IN_BUCKET = 50
_DIGESTS = 1 << 128
_SURROGATE = re.compile("[\ud800-\udfff]")


def survey(backend: Backend, request: Survey, conf: Conf, pace: Pace) -> tuple[Summary, str | None]:
    """Scan from the request's cursor until the budget is spent; give the sum and the next cursor.

    Keys that ``WITHHOLD`` names are counted and not listed. Names that are digests, as those of
    files are, are listed: their logical keys, which ``WITHHOLD`` is about, are not known here.
    Raises ``StoreError`` where the store cannot be listed.
    """
    classify = _Classifier(backend, request, conf)
    cursor = request.cursor
    with closing(backend.store()) as store:
        while True:
            page = store.scan(cursor, pace)
            classify.add(page, pace)
            cursor = page.cursor
            if cursor is None or not pace():
                return classify.summary(pace), cursor


class _Classifier:
    """Sorts stored keys into entries, foreign, withheld and unmatched ones, and samples them."""

    def __init__(self, backend: Backend, request: Survey, conf: Conf) -> None:
        self._seed = bytes.fromhex(request.seed)
        self._matches = _matcher(request.match)
        self._withholding = Withholding(backend, conf)
        self._name = _namer(backend, self._withholding.namespace)
        self._sample = _Sample(request.sample, request.below, self._naming(backend))
        self._counts = {"entries": 0, "foreign": 0, "withheld": 0, "unmatched": 0}

    def add(self, page: Page, pace: Pace) -> None:
        """Sum up a page that was listed, whole."""
        self._counts["foreign"] += page.foreign
        for number, stored in enumerate(page.keys, 1):
            key = self._name(stored)
            kind = self._kind(key, stored)
            self._counts[kind] += 1
            if kind == "entries" and key is not None:
                self._sample.add(key_digest(self._seed, key.name), key.name)
            if number % _KEYS_BETWEEN_PACES == 0:
                pace()

    def summary(self, pace: Pace) -> Summary:
        """Give the sum of all pages."""
        return Summary(
            scanned=sum(self._counts.values()), sample=self._sample.in_order(pace), **self._counts
        )

    def _naming(self, backend: Backend) -> Naming:
        is_recovered = backend.naming == "stored" and self._withholding.namespace.is_reversible
        return "logical" if is_recovered else backend.naming

    def _kind(self, key: Key | None, stored: str) -> str:
        if key is None or not _can_be_told(key.name):
            return "foreign"
        if self._withholding.hides(key, stored):
            return "withheld"
        return "entries" if self._matches(key.name) else "unmatched"


class _Sample:
    """The ``size`` distinct keys with the smallest digests so far, of those ``below`` a bound.

    A heap with the largest digest on top (negated, as ``heapq`` has the smallest there): a key
    costs one comparison once the sample is full, and no page is ever sorted in one go. Only numbers
    and names are kept, which Python's garbage collector does not walk through.
    """

    def __init__(self, size: int, below: str | None, naming: Naming) -> None:
        self._size = size
        self._below = below
        self._naming = naming
        self._heap: list[int] = []
        self._names: dict[int, str] = {}

    def add(self, digest: str, name: str) -> None:
        """Take a key if it belongs to the sample."""
        if not self._size or (self._below is not None and digest >= self._below):
            return
        number = int(digest, 16)
        if number in self._names:
            return
        self._names[number] = name
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, -number)
        else:
            del self._names[-heapq.heapreplace(self._heap, -number)]
        if len(self._heap) == self._size:
            self._below = f"{-self._heap[0]:032x}"

    def in_order(self, pace: Pace) -> tuple[SampledKey, ...]:
        """Give the sample by digest, once: sorted in buckets, since digests lie evenly."""
        if not self._heap:
            return ()
        buckets: list[list[int]] = [[] for _ in range(1 + len(self._heap) // _KEYS_IN_BUCKET)]
        share = len(buckets) / (1 - self._heap[0])
        for place, negated in enumerate(self._heap, 1):
            buckets[min(int(-negated * share), len(buckets) - 1)].append(-negated)
            if place % _KEYS_BETWEEN_PACES == 0:
                pace()
        return tuple(self._sampled(buckets, pace))

    def _sampled(self, buckets: list[list[int]], pace: Pace) -> Iterator[SampledKey]:
        for bucket in buckets:
            for number in sorted(bucket):
                key = Key(name=self._names.pop(number), naming=self._naming)
                yield SampledKey(digest=f"{number:032x}", key=key)
            pace()


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
