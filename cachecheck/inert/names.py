"""The names of globals, made equal over protocols."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Final

from cachecheck.inert.nodes import Global

FIRST_WITH_NEW_NAMES: Final = 3
"""Pickles of lower protocols use Python 2's names of modules; see ``Unpickler.find_class``."""

GLOBAL_OPERATIONS: Final = 16
"""What a global counts as: picklers write each once, and a few bytes can make many large ones."""


def find_global(module: str, name: str, protocol: int) -> Global:
    """Give the global that a pickle of this protocol means, importing nothing."""
    if protocol < FIRST_WITH_NEW_NAMES:
        if (module, name) in NAME_MAPPING:
            module, name = NAME_MAPPING[module, name]
        else:
            module = IMPORT_MAPPING.get(module, module)
    return Global(module, name)
