"""The settings of one node.

`CACHECHECK_TEST_SITE` is a JSON object of Django settings that win over those below, except that
its INSTALLED_APPS and MIDDLEWARE are added to them.
"""

import json
import os

SECRET_KEY = "the-secret-key-of-the-site-is-not-the-secret-of-the-probes"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "harness.site.urls"
TIME_ZONE = "UTC"
USE_TZ = True
INSTALLED_APPS = ["cachecheck.agent"]
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"cachecheck": {"level": "INFO"}},
}

_chosen = json.loads(os.environ.get("CACHECHECK_TEST_SITE", "{}"))
INSTALLED_APPS += _chosen.pop("INSTALLED_APPS", [])
MIDDLEWARE += _chosen.pop("MIDDLEWARE", [])
globals().update(_chosen)
