"""Decompress what is stored without being blown up by it."""

from __future__ import annotations

from typing import Protocol

from cachecheck.errors import InertTooLarge, InertUndecodable

MAX_INFLATED_BYTES = 16 << 20


class Decompressor(Protocol):
    """What zlib, lzma and their like have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed data was reached."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Decompress to at most ``max_length`` bytes."""
        ...


def inflate(decompressor: Decompressor, data: bytes) -> bytes:
    """Decompress to at most ``MAX_INFLATED_BYTES``.

    Raises ``InertTooLarge`` beyond, ``InertUndecodable`` where data is missing, and the
    decompressor's own error where it is no compressed data at all.
    """
    inflated = decompressor.decompress(data, MAX_INFLATED_BYTES + 1)
    if len(inflated) > MAX_INFLATED_BYTES:
        raise InertTooLarge(f"more than {MAX_INFLATED_BYTES} bytes when decompressed")
    if not decompressor.eof:
        raise InertUndecodable("the compressed data is cut off")
    return inflated
