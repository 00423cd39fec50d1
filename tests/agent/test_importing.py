"""What is said to be missing is missing, and nothing is imported to find out."""

from __future__ import annotations

import pickle
import sys
import types
from typing import TYPE_CHECKING

import pytest
from django.apps import apps

from cachecheck.agent.importing import missing_here, presence
from cachecheck.inert import structural_digest

if TYPE_CHECKING:
    from pathlib import Path


class Outer:
    class Inner:
        pass


class Lazily(type):
    def __getattr__(cls, name: str) -> int:
        return len(name)


class Anything(metaclass=Lazily):
    pass


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("collections", "OrderedDict", "there"),
        ("collections", "OrderedDict.fromkeys", "there"),
        ("collections", "NoSuchClass", "missing"),
        ("no_such_package", "Thing", "missing"),
        ("no_such_package.deeper", "Thing", "missing"),
        ("json.no_such_module", "Thing", "missing"),
        ("this.is_no_package", "Thing", "unknown"),
        ("antigravity", "geohash", "there"),
        ("antigravity", "fly", "missing"),
        ("", "Thing", "unknown"),
        ("nul\0", "Thing", "missing"),
        (".os", "path", "unknown"),
        ("distutils", "Thing", "unknown"),
        ("distutils.cmd", "Command", "unknown"),
        (__name__, "Outer.Inner", "there"),
        (__name__, "Outer.Other", "missing"),
        (__name__, "Anything.whatever", "unknown"),
    ],
)
def test_presence_is_told_without_an_import(module: str, name: str, expected: str) -> None:
    before = set(sys.modules)
    assert presence(module, name) == expected
    assert set(sys.modules) == before


def test_a_module_that_makes_its_attributes_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = types.ModuleType("lazy_module")
    vars(lazy)["__getattr__"] = lambda name: name
    monkeypatch.setitem(sys.modules, "lazy_module", lazy)
    assert presence("lazy_module", "Thing") == "unknown"
    monkeypatch.setitem(sys.modules, "lazy_module", None)
    assert presence("lazy_module", "Thing") == "missing"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise SystemExit\nclass Thing: ...", "there"),
        ("class Things: ...", "missing"),
        ("from elsewhere import *", "there"),
        ("def __getattr__(name): ...", "there"),
    ],
)
def test_the_source_of_what_is_not_loaded_is_read_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, expected: str
) -> None:
    (tmp_path / "never_loaded.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert presence("never_loaded", "Thing.Inner") == expected
    assert "never_loaded" not in sys.modules


def test_a_finder_of_the_site_that_raises_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_spec(self, *_asked: object) -> None:
            raise RuntimeError

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert presence("no_such_package", "Thing") == "unknown"


def test_models_are_looked_up_as_their_pickles_are_loaded() -> None:
    payload = pickle.dumps(Outer())[:-1] + b"0"  # dropped
    payload += b"cdjango.db.models.base\nmodel_unpickle\n"
    payload += b"".join(b"\x8c%c%b" % (len(word), word) for word in (b"shop", b"Gone"))
    found = structural_digest(payload + b"\x86\x85R.", seed=b"")
    assert found.models == ("shop.Gone",)
    assert apps.models_ready
    assert missing_here(found) == ("the model shop.Gone",)


def test_a_finder_that_imports_when_it_is_asked_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As that of setuptools does, which stands first wherever setuptools is installed."""
    asked: list[str] = []

    class Eager:
        def find_spec(self, name: str, *_: object) -> None:
            asked.append(name)

    Eager.__module__ = "_distutils_hack"
    monkeypatch.setattr(sys, "meta_path", [Eager(), *sys.meta_path])
    assert presence("no_such_package", "Thing") == "missing"
    assert presence("antigravity", "geohash") == "there"
    assert not asked


def test_names_that_cannot_be_sent_are_told_by_their_escapes() -> None:
    odd = "no\ud800such".encode("utf-8", "surrogatepass")
    text = b"\x8c" + bytes([len(odd)]) + odd
    structure = structural_digest(b"\x80\x04" + text + text + b"\x93.", seed=bytes(16))
    assert missing_here(structure) == ("no\\ud800such.no\\ud800such",)


def test_a_value_that_names_much_source_lets_others_have_their_turn() -> None:
    value = b"(" + b"".join(b"cantigravity\nmissing%d\n" % n for n in range(150)) + b"t."
    structure = structural_digest(value, seed=bytes(16))
    turns: list[int] = []
    missing = missing_here(structure, pace=lambda: bool(turns.append(1)) or True)
    assert len(missing) == len(turns) == 100
