"""The application's own use of its caches, driven by a test in a worker of its choice.

Parameters come in the query or in a form. With `worker`, only the worker of that pid acts;
others say who they are. With `nonce`, a worker acts once for it and repeats its first answer, so
that a test may ask for one operation over many connections.
"""

import ast
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.cache import BaseCache, caches
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse, QueryDict
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from harness.site import truth

NOT_FOUND = "the site's own 404"

_acting = threading.Lock()
_answers: dict[str, Any] = {}


@csrf_exempt
@login_not_required
def cache(request: HttpRequest) -> HttpResponse:
    """Carry out one operation on one cache; answer what it returned."""
    asked = QueryDict(mutable=True)
    asked.update(request.GET)
    asked.update(request.POST)
    if asked.get("worker", str(os.getpid())) != str(os.getpid()):
        time.sleep(0.02)  # so that the next connection finds this worker busy, and another free
        return JsonResponse({"pid": os.getpid()})
    with _acting:
        result = _once(asked.get("nonce"), lambda: _operate(asked))
    return JsonResponse({"pid": os.getpid(), "result": result}, json_dumps_params={"default": repr})


@login_not_required
def pid(_request: HttpRequest) -> HttpResponse:
    """Say which process answers."""
    return JsonResponse({"pid": os.getpid()})


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  Django's
    """Answer as this site does where there is nothing."""
    return HttpResponseNotFound(NOT_FOUND, content_type="text/plain")


def _once(nonce: str | None, act: Callable[[], Any]) -> Any:
    if nonce is None:
        return act()
    if nonce not in _answers:
        _answers[nonce] = act()
    return _answers[nonce]


def _operate(asked: QueryDict) -> Any:
    cache = caches[asked.get("cache", "default")]
    key, version = asked.get("key", ""), _number(asked, "version")
    timeout = {"timeout": _number(asked, "timeout")} if "timeout" in asked else {}
    operations: dict[str, Callable[[], Any]] = {
        "get": lambda: cache.get(key, version=version),
        "set": lambda: cache.set(key, _value(asked), version=version, **timeout),
        "add": lambda: cache.add(key, _value(asked), version=version, **timeout),
        "touch": lambda: cache.touch(key, version=version, **timeout),
        "delete": lambda: cache.delete(key, version=version),
        "incr": lambda: cache.incr(key, version=version),
        "get_many": lambda: cache.get_many(_value(asked), version=version),
        "set_many": lambda: cache.set_many(_value(asked), version=version, **timeout),
        "look": lambda: _look(cache, int(asked["hits"]), int(asked["misses"])),
        "clear": lambda: _clear(cache),
        "fill": lambda: truth.fill(cache, key),
        "write": lambda: truth.write(key, _value(asked)),
    }
    return operations[asked["op"]]()


def _clear(cache: BaseCache) -> None:
    cache.clear()


def _look(cache: BaseCache, hits: int, misses: int) -> None:
    """Look for keys of which so many are there and so many are not."""
    cache.set("there", 1, timeout=None)
    for key, count in (("there", hits), ("not there", misses)):
        for _ in range(count):
            cache.get(key)


def _value(asked: QueryDict) -> Any:
    """Return what is to be stored: JSON in `value`, a Python literal, or an object of the shop."""
    if "shop" in asked:
        made = import_string(f"harness.site.shop.{asked['shop']}")
        return made(**ast.literal_eval(asked.get("literal", "{}")))
    if "literal" in asked:
        return ast.literal_eval(asked["literal"])
    return json.loads(asked["value"])


def _number(asked: QueryDict, name: str) -> float | None:
    """Return a number, or None where the parameter is absent or says `none`."""
    text = asked.get(name, "none")
    return None if text == "none" else json.loads(text)
