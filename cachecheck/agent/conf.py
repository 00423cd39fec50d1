"""The settings of the agent, ``settings.CACHECHECK``: read when needed, validated, fail-closed."""

from __future__ import annotations

import os
import socket
from fnmatch import translate
from itertools import islice
from re import IGNORECASE, Pattern
from re import compile as compile_pattern
from re import error as PatternError  # noqa: N812  its name from Python 3.13 on
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from django.conf import settings

from cachecheck.agent.setting_values import (
    Builder,
    Truth,
    builder_of,
    is_bool,
    is_name,
    is_positive,
    is_switch_or_folder,
    is_text,
    is_texts,
    truth_of,
)
from cachecheck.errors import UsageError
from cachecheck.inert.sensitive import SENSITIVE_NAMES
from cachecheck.model import Scope
from cachecheck.signing import Keyring, secret_from_text
from cachecheck.wire import MAX_ANSWER_BYTES, MAX_BODY_BYTES, MAX_BUILDERS, MAX_KEYS, MAX_TRUTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cachecheck.model import Key

SECRET_VARIABLE = "CACHECHECK_SECRET"  # noqa: S105  the name of a variable
ENABLED_VARIABLE = "CACHECHECK_ENABLED"
RELEASE_VARIABLE = "CACHECHECK_RELEASE"
TRUTHS_PER_MINUTE = 600
SESSION_KEYS = ("django.contrib.sessions.*",)

_HAS_SOCKETS = hasattr(socket, "AF_UNIX")

_SIGNS = 32  # a bound on the work for one key; prefixes have fewer
_SIGN = compile_pattern(r"[\W_]")

MOST = {
    "BUDGET_MS": 10_000,
    "MAX_BODY": 64 << 20,
    "MAX_KEYS": 100_000,
    "MAX_ANSWER": 64 << 20,
    "MAX_AGE": 86_400,
    "EXPECTED_WORKERS": 100_000,
    "TRUTHS_PER_MINUTE": 100_000,
    "VALUE_MS": 10_000,
}
"""The largest value of each setting that is a number."""

KNOWN = frozenset(
    {
        "ALLOW_CANARY",
        "ALLOW_VALUES",
        "APPLICATION",
        "BUDGET_MS",
        "CACHES",
        "COUNT_HITS",
        "ENABLED",
        "EXPECTED_WORKERS",
        "KEY_BUILDERS",
        "MAX_AGE",
        "MAX_ANSWER",
        "MAX_BODY",
        "MAX_KEYS",
        "NODE",
        "RELAY",
        "RELEASE",
        "SCOPES",
        "SECRET",
        "TRUTH",
        "TRUTHS_PER_MINUTE",
        "VALUE_MS",
        "WITHHOLD",
        "WITHHOLD_NAMES",
    }
)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that cannot be used, and what would be right; without its value.

    ``is_unsafe`` marks what could work but must not: a secret that is too short.
    """

    setting: str
    message: str
    is_unsafe: bool = False


class Conf(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force. ``keyring`` None: no usable secret, so the endpoint is shut.

    ``relay_folder`` is where workers meet; None: in the system's folder for temporary files.
    """

    keyring: Keyring | None
    is_enabled: bool
    node: str | None
    application: str
    caches: tuple[str, ...]
    scopes: dict[str, Scope]
    withheld: Pattern[str]
    builders: tuple[Builder, ...]
    truths: tuple[Truth, ...]
    truths_per_minute: int
    withheld_names: Pattern[str]
    release: str | None
    expected_workers: int | None
    counts_hits: bool
    allows_canary: bool
    allows_values: bool
    relays: bool
    relay_folder: str | None
    budget_seconds: float
    value_seconds: float
    max_body_bytes: int
    max_keys: int
    max_answer_bytes: int
    max_age_seconds: int
    problems: tuple[Problem, ...]

    @property
    def is_open(self) -> bool:
        """Whether the endpoint may answer at all."""
        return self.is_enabled and self.keyring is not None and not self.problems

    def withholds(self, key: Key) -> bool:
        """Whether a key must not leave this node.

        One that is named as it is stored must not if what follows a sign in it (a colon, a slash,
        …) is withheld: what stands before may be the prefix and version of another namespace.
        """
        names = (key.name,) if key.naming == "logical" else _ends(key.name)
        return any(self.withheld.match(name) for name in names)

    def withholds_name(self, name: str) -> bool:
        """Whether the name of a place in a value must not leave this node."""
        return self.withheld_names.match(name) is not None

    def withholds_head(self, stored: str, length: int) -> bool:
        """Whether what is withheld of a stored key begins within the first ``length`` signs."""
        return any(self.withheld.match(name) for name in _ends(stored, length))


def load() -> Conf:
    """Read the settings as they are now; what is wrong with them stands in ``problems``."""
    raw = getattr(settings, "CACHECHECK", {})
    return _Reader(raw if isinstance(raw, dict) else {}, is_dict=isinstance(raw, dict)).conf()


class _Reader:
    """Reads one settings dict, collecting problems instead of stopping at the first."""

    def __init__(self, raw: Mapping[str, Any], *, is_dict: bool) -> None:
        self._raw = raw
        self._problems: list[Problem] = []
        if not is_dict:
            self._problem("CACHECHECK", "must be a dictionary")

    def conf(self) -> Conf:
        relay = self._get("RELAY", _HAS_SOCKETS, is_switch_or_folder, "True, False or a folder")
        values = {
            "keyring": self._keyring(),
            "is_enabled": self._enabled(),
            "node": self._get("NODE", None, is_name, "a printable ASCII name or None"),
            "application": self._get("APPLICATION", _root_package(), is_text, "a name"),
            "caches": self._caches(),
            "scopes": self._scopes(),
            "builders": self._builders(),
            "withheld": self._patterns("WITHHOLD", SESSION_KEYS),
            "withheld_names": self._patterns("WITHHOLD_NAMES", SENSITIVE_NAMES, IGNORECASE),
            "truths": self._truths(),
            "truths_per_minute": self._positive("TRUTHS_PER_MINUTE", TRUTHS_PER_MINUTE),
            "release": self._get("RELEASE", os.environ.get(RELEASE_VARIABLE), is_text, "a text"),
            "expected_workers": self._positive("EXPECTED_WORKERS", None),
            "counts_hits": self._get("COUNT_HITS", default=True, is_good=is_bool, wanted="a bool"),
            "allows_canary": self._allowed("ALLOW_CANARY"),
            "allows_values": self._allowed("ALLOW_VALUES"),
            "relays": bool(relay),
            "relay_folder": relay if isinstance(relay, str) else None,
            "budget_seconds": self._positive("BUDGET_MS", 50) / 1000,
            "value_seconds": self._positive("VALUE_MS", 200) / 1000,
            "max_body_bytes": self._positive("MAX_BODY", MAX_BODY_BYTES),
            "max_keys": self._positive("MAX_KEYS", MAX_KEYS),
            "max_answer_bytes": self._positive("MAX_ANSWER", MAX_ANSWER_BYTES),
            "max_age_seconds": self._positive("MAX_AGE", 60),
        }
        return Conf(**values, problems=tuple(self._problems))

    def _problem(self, setting: str, message: str, *, is_unsafe: bool = False) -> None:
        problem = Problem(setting=setting, message=message, is_unsafe=is_unsafe)
        self._problems.append(problem)

    def _get(self, name: str, default: Any, is_good: Callable[[Any], bool], wanted: str) -> Any:
        value = self._raw.get(name)
        value = default if value is None else value
        if value is None or is_good(value):
            return value
        self._problem(name, f"must be {wanted}")
        return default

    def _positive(self, name: str, default: int | None) -> Any:
        most = MOST[name]
        wanted = f"a positive whole number, at most {most:,}"
        return self._get(name, default, lambda value: is_positive(value, most), wanted)

    def _enabled(self) -> bool:
        words = {"1": True, "true": True, "yes": True, "on": True, "": True}
        words |= {"0": False, "false": False, "no": False, "off": False}
        default = words.get(os.environ.get(ENABLED_VARIABLE, "").strip().lower())
        if default is None:
            self._problem("ENABLED", f"{ENABLED_VARIABLE} must be one of 1, 0, true, false")
        return bool(self._get("ENABLED", bool(default), is_bool, "True or False"))

    def _allowed(self, name: str) -> bool:
        return bool(self._get(name, default=False, is_good=is_bool, wanted="True or False"))

    def _keyring(self) -> Keyring | None:
        secret = self._raw.get("SECRET", os.environ.get(SECRET_VARIABLE)) or ()
        pairs = [("default", secret)] if isinstance(secret, str) else secret
        try:
            secrets = tuple(secret_from_text(text, keyid) for keyid, text in pairs)
            return Keyring(secrets) if secrets else None
        except UsageError as exc:
            self._problem("SECRET", f"cannot be used: {exc}", is_unsafe=True)
        except (TypeError, ValueError, AttributeError):
            self._problem("SECRET", "must be a text or a list of (keyid, secret) pairs")
        return None

    def _caches(self) -> tuple[str, ...]:
        known = tuple(settings.CACHES)
        chosen = self._raw.get("CACHES")
        if chosen is None:
            return known
        if not is_texts(chosen) or not set(chosen) <= set(known):
            self._problem("CACHES", f"must be a list of aliases out of {', '.join(known)}")
            return ()
        return tuple(chosen)

    def _scopes(self) -> dict[str, Scope]:
        scopes = self._raw.get("SCOPES", {})
        good = get_args(Scope)
        if isinstance(scopes, dict) and all(scope in good for scope in scopes.values()):
            unknown = sorted(map(repr, set(scopes) - set(settings.CACHES)))
            if unknown:
                self._problem(
                    "SCOPES", f"names caches that are not in CACHES: {', '.join(unknown)}"
                )
            return dict(scopes)
        self._problem("SCOPES", f"must map aliases to one of {', '.join(good)}")
        return {}

    def _builders(self) -> tuple[Builder, ...]:
        named = self._raw.get("KEY_BUILDERS") or {}
        try:
            if len(named) <= MAX_BUILDERS:
                return tuple(builder_of(name, told) for name, told in named.items())
        except (TypeError, ValueError, AttributeError):
            pass
        self._problem(
            "KEY_BUILDERS",
            f"must map at most {MAX_BUILDERS} names to dotted paths, or to pairs of such a path "
            "and a list of arguments",
        )
        return ()

    def _truths(self) -> tuple[Truth, ...]:
        named = self._raw.get("TRUTH") or {}
        try:
            if len(named) <= MAX_TRUTHS:
                return tuple(truth_of(glob, path) for glob, path in named.items())
        except (TypeError, ValueError, AttributeError, PatternError):
            pass
        self._problem("TRUTH", f"must map at most {MAX_TRUTHS} key patterns to dotted paths")
        return ()

    def _patterns(self, name: str, default: tuple[str, ...], flags: int = 0) -> Pattern[str]:
        patterns = self._raw.get(name, default)
        if not is_texts(patterns):
            self._problem(name, "must be a list of patterns such as 'user:*'")
            patterns = ("*",)
        try:
            return compile_pattern("|".join(map(translate, patterns)) or r"(?!)", flags)
        except (PatternError, OverflowError, RecursionError):
            self._problem(name, "holds a pattern that cannot be used")
            return compile_pattern("")  # which matches everything


def _ends(stored: str, before: int | None = None) -> Iterator[str]:
    """Give a stored key, and what follows each of its first signs, if it begins ``before``."""
    yield stored
    limit = len(stored) if before is None else before - 1
    for sign in islice(_SIGN.finditer(stored, 0, limit), _SIGNS):
        yield stored[sign.end() :]


def _root_package() -> str:
    return str(getattr(settings, "ROOT_URLCONF", "")).partition(".")[0] or "unknown"
