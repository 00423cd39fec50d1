"""Reads a value without executing it, and says whether two of them are the same, and where not.

Loading a pickle runs what its author wrote into it, and a cache is writable by whoever reaches
it. So the opcodes are followed by a machine of our own that imports nothing, calls nothing, and
never turns a container of the pickle into a Python container that hashes its members::

    bytes ──► reading, steps ──► nodes ──► folding ──► digesting ──► Structure
              (the machine)      (what     (spellings  (sorted,         │
              jsontext, msgpack  it holds) of one      cycles,          ▼
                                           value)      keyed)        outline, its tree

JSON and MessagePack are read into the same nodes, each by a small reader that counts what it makes.
"""

from __future__ import annotations

from cachecheck.inert.codecs import Encoded
from cachecheck.inert.limits import Limits
from cachecheck.inert.structure import Structure, TreeWanted, structural_digest

__all__ = ["Encoded", "Limits", "Structure", "TreeWanted", "structural_digest"]
