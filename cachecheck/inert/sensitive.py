"""Names in a value that must not be shown, unless a site chooses its own."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Final

SENSITIVE_NAMES: Final = (
    "*auth*",
    "*card*",
    "*cookie*",
    "*credential*",
    "*csrf*",
    "*cvv*",
    "*iban*",
    "*key",
    "*keys",
    "*passphrase*",
    "*passwd*",
    "*password*",
    "*pin",
    "*private*",
    "*pwd*",
    "*salt*",
    "*secret*",
    "*session*",
    "*ssn*",
    "*token*",
)
"""Patterns of names, as in a shell, in lower case."""


_SENSITIVE: Final = re.compile("|".join(map(translate, SENSITIVE_NAMES)), re.IGNORECASE)


def is_sensitive(name: str) -> bool:
    """Whether a name is one of ``SENSITIVE_NAMES``."""
    return _SENSITIVE.match(name) is not None
