"""Settings under which Django's own tests of its caches run with the counting on."""

import os
from typing import Any

from django.test.runner import DiscoverRunner

_BACKENDS = "django.core.cache.backends"

SECRET_KEY = "of Django's tests"
USE_TZ = False
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    name: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    for name in ("default", "other")
}
CACHES = {
    "default": {"BACKEND": f"{_BACKENDS}.locmem.LocMemCache"},
    "redis": {"BACKEND": f"{_BACKENDS}.redis.RedisCache", "LOCATION": os.environ["SUITE_REDIS"]},
    "memcached": {
        "BACKEND": f"{_BACKENDS}.memcached.PyMemcacheCache",
        "LOCATION": os.environ["SUITE_MEMCACHED"],
    },
}
TEST_RUNNER = "counting_settings.Runner"


class Runner(DiscoverRunner):
    """Counts, and says at the end for how many caches it has."""

    def setup_test_environment(self, **options: Any) -> None:
        """Begin to count before the first cache is made."""
        from cachecheck.agent import counters  # noqa: PLC0415  settings are being read above

        counters.install()
        super().setup_test_environment(**options)
