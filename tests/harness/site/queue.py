"""A Celery application of the site whose workers use a cache as soon as they start.

It needs no broker: no task is ever sent to it.
"""

import os

import django
from celery import Celery
from celery.signals import worker_process_init

django.setup()

app = Celery("site", broker="memory://")
app.conf.worker_hijack_root_logger = False


@worker_process_init.connect
def use_a_cache(**_kwargs: object) -> None:
    """Do what a task would do."""
    from django.core.cache import cache  # noqa: PLC0415  in the worker, after the fork

    cache.set("who", os.getpid())
