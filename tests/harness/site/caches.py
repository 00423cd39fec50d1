"""Backends that a site might have of its own, each with one fault."""

from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache


class Undeletable(RedisCache):
    """Says that it deletes, and does not."""

    def delete(self, *_args: Any, **_options: Any) -> bool:
        return True


class Hiccuping(LocMemCache):
    """Fails to set the first time, in each process."""

    _has_failed = False

    def set(self, *args: Any, **options: Any) -> None:
        if not Hiccuping._has_failed:
            Hiccuping._has_failed = True
            raise ConnectionResetError
        super().set(*args, **options)


class Everlasting(LocMemCache):
    """Keeps everything for an hour, whatever it was asked for."""

    def get_backend_timeout(self, *_args: Any) -> Any:
        return super().get_backend_timeout(3600)


class Untouchable(LocMemCache):
    """Says that it prolongs entries, and does not."""

    def touch(self, *_args: Any, **_options: Any) -> bool:
        return True
