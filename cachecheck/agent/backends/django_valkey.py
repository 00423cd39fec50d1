"""django-valkey's ``ValkeyCache`` (django_valkey/base.py, util.py), over valkey-py."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

from django.conf import settings

from cachecheck.agent.backends.django_redis import DjangoRedisBackend
from cachecheck.errors import InertUnreadable

if TYPE_CHECKING:
    from cachecheck.inert import Encoded
    from cachecheck.stores.base import Stored

_OF_COMPRESSORS = re.compile(r"(DE)?COMPRESS_(GZIP|LZ4|LZMA|ZLIB|ZSTD)_")


class DjangoValkeyBackend(DjangoRedisBackend):
    """Reads it as django-redis is read; floats are stored as digits as well."""

    package = "django_valkey"

    def payload(self, stored: Stored) -> Encoded:
        """Give the value; where settings of the site shape the compression, it is not known."""
        if any(map(_OF_COMPRESSORS.match, dir(settings))):
            raise InertUnreadable("a compressor with settings of the site's own")
        return super().payload(stored)

    def _pickled_number(self, value: bytes) -> bytes | None:
        """Give the number that ``decode()`` takes: what has a sign or a point is a float."""
        try:
            number = int(value) if value.isdigit() else float(value)
        except ValueError:
            return None
        return pickle.dumps(number, protocol=4)
