"""Pickles written by other Pythons and Djangos, recorded by recorded/record.py."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cachecheck.inert import Structure, structural_digest

RECORDED = Path(__file__).parent / "recorded"


def structures(name: str) -> dict[str, Structure]:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    return {
        title: structural_digest(base64.b64decode(payload), seed=b"run")
        for title, payload in recorded.items()
    }


def digests(name: str) -> dict[str, set[str]]:
    by_value: dict[str, set[str]] = {}
    for title, structure in structures(name).items():
        by_value.setdefault(title.partition(", protocol")[0], set()).add(structure.digest)
    return by_value


@pytest.mark.parametrize("name", ["python-3.11", "django-5.2"])
def test_a_value_has_one_digest_over_protocols_and_no_two_values_share_it(name: str) -> None:
    found = digests(name)
    assert all(len(of_one_value) == 1 for of_one_value in found.values()), found
    assert len(set.union(*found.values())) == len(found)


@pytest.mark.parametrize("other", ["python-3.12", "python-3.13"])
def test_pythons_agree_on_every_value_of_the_standard_library(other: str) -> None:
    assert digests(other) == digests("python-3.11")


@pytest.mark.parametrize("other", ["django-6.0", "django-6.1"])
def test_djangos_agree_on_models_querysets_and_what_else_sites_cache(other: str) -> None:
    assert digests(other) == digests("django-5.2")


@pytest.mark.parametrize("release", ["5.2", "6.0", "6.1"])
def test_the_django_version_is_told_for_models_and_querysets(release: str) -> None:
    for title, structure in structures(f"django-{release}").items():
        is_versioned = title.startswith(
            ("instance", "deferred", "queryset", "values", "prefetched", "unsaved")
        )
        found = structure.django_version
        assert (found is not None and found.startswith(f"{release}.")) == is_versioned, title


def test_the_kind_names_models_querysets_and_classes() -> None:
    found = {title: structure.kind for title, structure in structures("django-6.1").items()}
    assert found["instance, protocol 4"] == "auth.User"
    assert found["queryset, protocol 2"] == "django.db.models.query.QuerySet"
    assert found["prefetched, protocol 5"] == "list"
    assert found["safe, protocol 4"] == "django.utils.safestring.SafeString"


def test_the_globals_are_those_of_the_value_without_the_spelling_of_the_protocol() -> None:
    found = structures("python-3.11")
    assert found["sets, protocol 2"].globals == ()
    assert found["bytes, protocol 2"].globals == ()
    assert found["uuid, protocol 2"].globals == ("uuid.UUID",)
    assert found["zone, protocol 2"].globals == found["zone, protocol 5"].globals
