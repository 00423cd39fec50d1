"""Records pickles of the same values under another Python or Django, for test_inert_recorded.py.

Run it with the interpreter in question: ``python record.py python-3.13.json`` for the standard
library, ``python record.py django-6.1.json`` where that Django is installed.
"""

# ruff: noqa: PLC0415 - Django is imported only where its values are recorded

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import pickle
import re
import sys
import uuid
import zoneinfo
from pathlib import Path
from typing import Any, NamedTuple

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")


class Colour(enum.Enum):
    RED = "r"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Plain:
    number: int
    words: set[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    number: int
    word: str


class Pair(NamedTuple):
    left: int
    right: set[str]


def python_values() -> dict[str, Any]:
    tree: dict[str, Any] = {"children": set(WORDS)}
    tree["self"] = [tree]
    moment = dt.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=dt.UTC)
    return {
        "sets": {word: set(WORDS) for word in WORDS},
        "frozen sets": {frozenset(WORDS), frozenset({1})},
        "cycle": tree,
        "moments": [moment, moment.date(), moment.timetz(), dt.timedelta(1, 2, 3)],
        "zone": moment.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")),
        "numbers": [1, True, 1.0, -0.0, 2**70, -(2**63), decimal.Decimal("1.10"), 1j],
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=7),
        "enums": [Colour.RED, Right.READ | Right.WRITE, Level.LOW],
        "dataclasses": [Plain(1, set(WORDS)), Slotted(2, "x")],
        "namedtuple": Pair(1, {"left"}),
        "collections": [
            collections.OrderedDict(dict.fromkeys(WORDS)),
            collections.defaultdict(list, a=[1]),
            collections.Counter("abracadabra"),
            collections.deque([1, 2], 3),
        ],
        "bytes": [b"", b"\xff" * 99, bytearray(b"abc")],
        "text": ["é", "\U0001f600", "\ud800", "x" * 99],
        "others": [
            range(1, 9, 2),
            re.compile("a+"),
            ipaddress.ip_network("10.0.0.0/8"),
            KeyError("a"),
        ],
    }


def django_values() -> dict[str, Any]:
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.http import HttpResponse, QueryDict
    from django.utils.safestring import mark_safe

    call_command("migrate", verbosity=0)
    joined = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    group = Group.objects.create(name="staff")
    for name in WORDS[:3]:
        User.objects.create(username=name, date_joined=joined).groups.add(group)
    users = User.objects.order_by("pk")
    return {
        "instance": users.get(pk=1),
        "deferred": users.only("username").get(pk=1),
        "queryset": users.filter(pk__gt=1),
        "values": users.values_list("pk", named=True),
        "prefetched": list(users.prefetch_related("groups__user_set")),
        "unsaved": User(username="new", date_joined=joined),
        "querydict": QueryDict("a=1&a=2&b=3"),
        "safe": mark_safe("<b>"),
        "response": HttpResponse("hello", headers={"X-Test": "1"}),
    }


def main(name: str) -> None:
    values = django_values() if name.startswith("django") else python_values()
    recorded = {
        f"{title}, protocol {protocol}": base64.b64encode(pickle.dumps(value, protocol)).decode()
        for title, value in values.items()
        for protocol in (2, 4, 5)
    }
    (Path(__file__).parent / name).write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
