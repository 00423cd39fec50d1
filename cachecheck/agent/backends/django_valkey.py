"""django-valkey's ``ValkeyCache`` (django_valkey/base.py, util.py), over valkey-py."""

from __future__ import annotations

import pickle

from cachecheck.agent.backends.django_redis import DjangoRedisBackend


class DjangoValkeyBackend(DjangoRedisBackend):
    """Reads it as django-redis is read; floats are stored as digits as well."""

    package = "django_valkey"

    def _pickled_number(self, value: bytes) -> bytes | None:
        """Give the number that ``decode()`` takes: what has a sign or a point is a float."""
        try:
            number = int(value) if value.isdigit() else float(value)
        except ValueError:
            return None
        return pickle.dumps(number, protocol=4)
