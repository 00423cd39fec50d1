"""The settings of one node. What differs between nodes comes from the environment."""

from __future__ import annotations

import os

from django.core.management.utils import get_random_secret_key

SECRET_KEY = get_random_secret_key()
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "cachecheck.demo.site.urls"
USE_TZ = True

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_PREFIX": "shop",
    },
    "pages": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["SHOP_PAGES"],
        "KEY_PREFIX": os.environ["SHOP_PAGES_PREFIX"],
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

# With the line in urls.py, this is all that a node needs.
INSTALLED_APPS = ["cachecheck.agent"]
CACHECHECK = {
    "SECRET": os.environ["CACHECHECK_SECRET"],
    "NODE": os.environ["SHOP_NODE"],
    "APPLICATION": "shop",
    "EXPECTED_WORKERS": int(os.environ["SHOP_WORKERS"]),
    "RELAY": os.environ["SHOP_SOCKETS"],  # so that all of the demo ends with its folder
}
