"""The codecs of values: how bytes become nodes, each within bounds and without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from cachecheck.inert.jsontext import read_json
from cachecheck.inert.msgpack import read_msgpack
from cachecheck.inert.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.limits import Meter
    from cachecheck.inert.nodes import Value

Codec = Literal["pickle", "json", "msgpack"]

_Read: TypeAlias = "Callable[[bytes, Meter], tuple[Value, int | None]]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Bytes with the codec that they are to be read by.

    ``packed_by`` names the compression that they were under, which is part of the codec.
    """

    raw: bytes
    codec: Codec = "pickle"
    packed_by: str | None = None

    @property
    def name(self) -> str:
        """The codec in one word: ``pickle``, ``zlib+json``."""
        return self.codec if self.packed_by is None else f"{self.packed_by}+{self.codec}"


def decode(encoded: Encoded, meter: Meter) -> tuple[Value, int | None]:
    """Give the value, and the protocol where it is a pickle.

    Raises InertUnreadable and InertTooLarge.
    """
    meter.check_bytes(len(encoded.raw))
    return _READERS[encoded.codec](encoded.raw, meter)


_READERS: Final[dict[Codec, _Read]] = {
    "pickle": read,
    "json": lambda raw, meter: (read_json(raw, meter), None),
    "msgpack": lambda raw, meter: (read_msgpack(raw, meter), None),
}
