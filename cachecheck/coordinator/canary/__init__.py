"""Canaries: what a cache does, tried through every view of it by writing to keys of our own."""

from __future__ import annotations

from cachecheck.coordinator.canary.outing import let_out

__all__ = ["let_out"]
