"""Reads a pickle without executing it, and says whether two of them hold the same value.

Loading a pickle runs what its author wrote into it, and a cache is writable by whoever reaches
it. So the opcodes are followed by a machine of our own that imports nothing, calls nothing, and
never turns a container of the pickle into a Python container that hashes its members::

    bytes ──► reading, steps ──► nodes ──► folding ──► digesting ──► Structure
              (the machine)      (what     (spellings  (sorted,
                                 it holds) of one      cycles,
                                           value)      keyed)
"""

from __future__ import annotations

from cachecheck.inert.limits import Limits
from cachecheck.inert.structure import Structure, TreeWanted, structural_digest

__all__ = ["Limits", "Structure", "TreeWanted", "structural_digest"]
