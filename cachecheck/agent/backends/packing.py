"""The compressors of django-redis, undone within bounds (django_redis/compressors)."""

from __future__ import annotations

import lzma
import sys
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from cachecheck.agent.backends.inflate import inflate
from cachecheck.errors import InertTooLarge, InertUndecodable, InertUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.backends.inflate import Decompressor

MEMORY_BYTES = 64 << 20
"""What a decompressor may keep of its own; its data decide how much it needs."""

_WINDOW_LOG = 26  # 64 MiB


class Packing(NamedTuple):
    """A compression: its name, and how a decompressor for it is made."""

    name: str
    begin: Callable[[], Decompressor]


def unpack(value: bytes, packing: Packing) -> tuple[bytes, str | None]:
    """Give what was compressed, and the compression's name; None: the value was not compressed.

    A value that cannot be decompressed is taken as it is, as django-redis takes it: short ones are
    stored so. Raises ``InertTooLarge`` past a bound.
    """
    try:
        return inflate(packing.begin(), value), packing.name
    except ImportError as exc:
        raise InertUndecodable(f"no module for {packing.name} is installed here") from exc
    except InertUndecodable:
        return value, None
    except InertTooLarge:
        raise
    except Exception as exc:  # django-redis catches as much of them
        if "memory" in str(exc).lower():
            raise InertTooLarge(f"{packing.name} data that needs much memory") from exc
        return value, None


def packing_of(compressor: str) -> Packing | None:
    """Give the compression of a compressor of django-redis by its dotted name; None: there is none.

    Raises ``InertUnreadable`` for another one.
    """
    if compressor not in _PACKINGS:
        raise InertUnreadable(f"unknown compressor {compressor}")
    return _PACKINGS[compressor]


def _lz4() -> Decompressor:
    from lz4.frame import LZ4FrameDecompressor  # noqa: PLC0415  the site's own, where it uses it

    return cast("Decompressor", LZ4FrameDecompressor())


def _zstd() -> Decompressor:
    try:
        zstd = import_module("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
    except ImportError:
        pyzstd = import_module("pyzstd")
        options = {pyzstd.DParameter.windowLogMax: _WINDOW_LOG}
        return cast("Decompressor", pyzstd.ZstdDecompressor(option=options))
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return cast("Decompressor", zstd.ZstdDecompressor(options=options))


_PACKINGS: dict[str, Packing | None] = {
    "django_redis.compressors.identity.IdentityCompressor": None,
    "django_redis.compressors.zlib.ZlibCompressor": Packing("zlib", zlib.decompressobj),
    "django_redis.compressors.gzip.GzipCompressor": Packing(
        "gzip", lambda: zlib.decompressobj(wbits=31)
    ),
    "django_redis.compressors.lzma.LzmaCompressor": Packing(
        "lzma", lambda: lzma.LZMADecompressor(memlimit=MEMORY_BYTES)
    ),
    "django_redis.compressors.lz4.Lz4Compressor": Packing("lz4", _lz4),
    "django_redis.compressors.zstd.ZStdCompressor": Packing("zstd", _zstd),
}
