"""Sort stored keys: entries of this cache, foreign, withheld, and not asked for."""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from django.conf import settings

from cachecheck.agent.withholding import Withholding
from cachecheck.heads import WEIGHED_KEYS, Heads
from cachecheck.model import MAX_KEY_CHARS, Key
from cachecheck.stores.namespaces import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Namespace, Naming
    from cachecheck.stores.base import Pace
    from cachecheck.sums import Buckets

Kind: TypeAlias = Literal["entries", "foreign", "withheld", "unmatched"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_KEYS_BETWEEN_PACES = 500
_SURROGATE = re.compile("[\ud800-\udfff]")


class Sorter:
    """Judges one stored key after another, for one cache and one glob.

    A key that ``WITHHOLD`` names is withheld whatever the glob. A name that cannot be told in a
    message is foreign. ``naming`` says which names are given: the logical ones where they can be
    recovered. ``heads`` are those of what is foreign, but for the namespaces of aliases of this
    process that may not be probed.
    """

    def __init__(self, backend: Backend, glob: str, conf: Conf) -> None:
        self._withholding = Withholding(backend, conf)
        self._matches = _matcher(glob)
        namespace = self._withholding.namespace
        self._key = _namer(backend, namespace)
        is_recovered = backend.naming == "stored" and namespace.is_reversible
        self.naming: Naming = "logical" if is_recovered else backend.naming
        self.shortcut = _shortcut(namespace, glob, conf) if is_recovered else None
        self.heads = Heads(conf.withholds_head)
        self._unprobed = _unprobed_heads(conf) if is_recovered else ()

    def sort(self, stored: str) -> tuple[Kind, str]:
        """Say what a stored key is, and by which name it goes (empty for what is foreign)."""
        key = self._key(stored)
        if key is None:
            if not stored.startswith(self._unprobed):
                self.heads.add(stored)
            return "foreign", ""
        if not _can_be_told(key.name):
            return "foreign", ""
        if self._withholding.hides(key, stored):
            return "withheld", key.name
        if not self._matches(key.name):
            return "unmatched", key.name
        self.heads.add_own(stored)
        return "entries", key.name


class Chooser:
    """Chooses the entries of a walk, as ``stores.base.Choose``; counts what it does not choose.

    ``wanted`` narrows the choice to some buckets. ``pace`` is called for its sleep alone.
    """

    def __init__(self, sorter: Sorter, pace: Pace, *, wanted: Buckets | None = None) -> None:
        self._sorter = sorter
        self._pace = pace
        self._wanted = wanted
        self.counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    def __call__(self, stored: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Give those to be read, with their names."""
        chosen: dict[bytes, bytes] = {}
        for start in range(0, len(stored), _KEYS_BETWEEN_PACES):
            part = stored[start : start + _KEYS_BETWEEN_PACES]
            shortcut = self._sorter.shortcut
            named = self._sorted(part) if shortcut is None else self._quickly(part, shortcut)
            self._keep_own(named)
            wanted = self._wanted
            if wanted is not None:
                named = {key: name for key, name in named.items() if name in wanted}
            chosen |= named
            self._pace()
        return chosen

    def _quickly(self, part: Sequence[bytes], shortcut: Shortcut) -> dict[bytes, bytes]:
        """Take what the shortcut lets through, and sort only the rest, one by one."""
        passes, start = shortcut.passes, shortcut.name_at
        named, rest = {}, []
        for key in part:
            try:
                if passes(key.decode()):
                    named[key] = key[start:]
                else:
                    rest.append(key)
            except UnicodeDecodeError:
                rest.append(key)
        return named | self._sorted(rest) if rest else named

    def _keep_own(self, named: Mapping[bytes, bytes]) -> None:
        for key in islice(named, WEIGHED_KEYS):
            self._sorter.heads.add_own(key.decode())

    def _sorted(self, part: Sequence[bytes]) -> dict[bytes, bytes]:
        named = {}
        for key in part:
            kind, name = self._sorter.sort(key.decode("utf-8", "surrogateescape"))
            if kind == "entries":
                named[key] = name.encode()
            else:
                self.counts[kind] += 1
        return named


class Shortcut:
    """One pattern that only stored keys of entries match, and where their logical names begin.

    It lets through less than ``Sorter`` does, never more: what it does not match is sorted.
    """

    def __init__(self, passes: Callable[[str], object], name_at: int) -> None:
        self.passes = passes
        self.name_at = name_at


def _shortcut(namespace: Namespace, glob: str, conf: Conf) -> Shortcut | None:
    """Make a pattern of prefix, ``WITHHOLD`` and glob; None where names do not end the stored key.

    ``WITHHOLD`` is asked about the stored key and about the logical one, as ``Withholding`` does:
    its patterns end with the end of the text, which both have in common. Without a prefix, what
    follows a sign in the key counts as well, and keys are sorted one by one. Measured: 0.4 µs a
    key, where sorting takes 2.
    """
    head, _, tail = (namespace.form or "").partition(KEY)
    if not head or tail:
        return None
    withheld = f"(?!{conf.withheld.pattern})"
    told = f"(?=.{{1,{MAX_KEY_CHARS}}}\\Z)"
    matching = "" if glob == "*" else translate(glob)
    pattern = f"{withheld}{re.escape(head)}{withheld}{told}{matching}"
    passes = re.compile(pattern, re.DOTALL).match
    return Shortcut(passes, len(head.encode()))


def _unprobed_heads(conf: Conf) -> tuple[str, ...]:
    """Give the heads of what aliases keep that this process has and nobody may ask about."""
    return tuple(
        f"{params.get('KEY_PREFIX', '')}:{params.get('VERSION', 1)}:"
        for alias, params in settings.CACHES.items()
        if alias not in conf.caches
    )


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
