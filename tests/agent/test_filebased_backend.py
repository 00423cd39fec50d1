from __future__ import annotations

import errno
import hashlib
import math
import os
import pickle
import time
import uuid
import zlib
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache.backends.filebased import FileBasedCache
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.agent.backends import filebased
from cachecheck.agent.backends.expiry import parse_expiry
from cachecheck.agent.backends.filebased import FileBasedBackend, FileStore
from cachecheck.agent.worker import this_worker
from cachecheck.errors import (
    InertTooLarge,
    InertUnreadable,
    StoreDenied,
    StoreError,
    StoreUnsupported,
)
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Callable

FILEBASED = "django.core.cache.backends.filebased.FileBasedCache"


def go_on() -> bool:
    return True


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(name="cache")
def _cache(make_cache: Callable[..., Any], folder: Path) -> Any:
    return make_cache(FILEBASED, str(folder), OPTIONS={"MAX_ENTRIES": 100_000})


@pytest.fixture(name="backend")
def _backend(cache: Any) -> FileBasedBackend:
    return FileBasedBackend("default", cache)


def scan_all(backend: FileBasedBackend, between: Callable[[], None] = lambda: None) -> list[str]:
    store, cursor, listed = backend.store(), None, []
    while True:
        page = store.scan(cursor, go_on)
        listed.extend(page.keys)
        cursor = page.cursor
        if cursor is None:
            return listed
        between()


def read_one(backend: FileBasedBackend, key: str) -> Any:
    (reading,) = backend.store().read([backend.stored_key(key)], go_on)
    return reading


def put(backend: FileBasedBackend, folder: Path, key: str, content: bytes) -> Path:
    path = folder / backend.stored_key(key)
    path.write_bytes(content)
    return path


def written(expiry: object, value: object = "value") -> bytes:
    return pickle.dumps(expiry, 5) + zlib.compress(pickle.dumps(value))


def state(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    found = {}
    for path in folder.iterdir():
        status = path.stat()
        times = (status.st_mtime_ns, status.st_atime_ns, status.st_ino)
        found[path.name] = (path.read_bytes(), *times)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return found


def test_entry_is_read_with_its_absolute_expiry(cache: Any, backend: FileBasedBackend) -> None:
    before = time.time()
    cache.set("a", {"name": "Ada"}, 60)
    reading = read_one(backend, "a")
    assert isinstance(reading, Stored)
    assert pickle.loads(backend.payload(reading).raw) == {"name": "Ada"}
    assert reading.expires_at is not None
    assert before + 60 <= reading.expires_at <= time.time() + 60


def test_entry_without_timeout_never_expires(cache: Any, backend: FileBasedBackend) -> None:
    cache.set("a", 1, None)
    assert read_one(backend, "a").expires_at is None


def test_a_logical_key_is_a_file_name_and_never_recovered_from_it(
    backend: FileBasedBackend,
) -> None:
    name = backend.stored_key("a")
    assert name == hashlib.md5(b":1:a").hexdigest() + ".djcache"
    namespace = backend.namespace("probe")
    assert (namespace.stored_probe, namespace.is_reversible) == (":1:probe", False)
    assert backend.logical_key(name, namespace) is None
    assert backend.naming == backend.store().capabilities().naming == "file"


def test_missing_and_expired_are_two_different_states(
    cache: Any, backend: FileBasedBackend
) -> None:
    cache.set("old", 1, -1)
    assert isinstance(read_one(backend, "old"), Expired)
    assert read_one(backend, "none") == Missing()


def test_looking_changes_no_file_no_time_and_deletes_none(
    cache: Any, backend: FileBasedBackend, folder: Path
) -> None:
    for number in range(30):
        cache.set(f"k{number}", number, -1 if number % 3 == 0 else 60)
    for path in folder.iterdir():
        os.utime(path, (1_000_000_000, 1_500_000_000))
    before = state(folder)
    readings = list(backend.store().read(scan_all(backend), go_on))
    assert sum(isinstance(reading, Expired) for reading in readings) == 10
    assert state(folder) == before


def test_scan_lists_every_file_exactly_once_while_others_are_added(
    cache: Any, backend: FileBasedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filebased, "PAGE_FILES", 20)
    first = set()
    for number in range(150):
        cache.set(f"k{number}", 1)
        first.add(backend.stored_key(f"k{number}"))
    listed = scan_all(backend, between=lambda: cache.set(uuid.uuid4().hex, 1))
    assert first <= set(listed)
    assert len(listed) == len(set(listed))


@given(
    st.lists(st.text("0123", max_size=6).map("{}.djcache".format), unique=True),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_pages_are_the_sorted_names_without_gaps_in_whatever_order_they_are_found(
    names: list[str], page: int, passes: int
) -> None:
    walked, cursor = [], ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filebased, "PAGE_FILES", page)
        patch.setattr(filebased, "_PASSES", passes)
        while True:
            first = filebased._FirstNames(cursor)  # noqa: SLF001
            for name in names:
                first.add(name)
            found = first.page()
            walked += found.keys
            if found.cursor is None:
                break
            assert len(found.keys) >= page
            cursor = found.cursor
    assert walked == sorted(names)


def test_no_stretch_of_a_pass_over_many_names_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [hashlib.md5(b"%d" % number).hexdigest() + ".djcache" for number in range(200_000)]
    found = [SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(os, "scandir", lambda _folder: nullcontext(iter(found)))
    looked_at = [time.thread_time()]

    def note() -> bool:
        looked_at.append(time.thread_time())
        return True

    page = FileStore("/", ".djcache", is_flat=True).scan(None, note)
    note()
    assert page.keys == tuple(sorted(names)[: len(page.keys)])
    stretches = [later - earlier for earlier, later in pairwise(looked_at)]
    assert max(stretches) < sum(stretches) / 4


def test_other_files_are_no_entries(backend: FileBasedBackend, folder: Path) -> None:
    (folder / "tmpabc").write_bytes(b"being written")
    (folder / "ä.djcache").write_bytes(b"")
    page = backend.store().scan(None, go_on)
    assert (page.keys, page.foreign, page.cursor) == ((), 1, None)


def test_a_directory_that_is_not_there_yet_is_an_empty_store(
    backend: FileBasedBackend, folder: Path
) -> None:
    folder.rmdir()
    store = backend.store()
    assert store.scan(None, go_on).keys == ()
    assert list(store.read(["a.djcache"], go_on)) == [Missing()]
    assert store.identity().grade == "observed"


def test_a_path_that_is_no_directory_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FileStore(str(tmp_path / "file"), ".djcache", is_flat=True)
    with pytest.raises(StoreError, match="ENOTDIR"):
        store.scan(None, go_on)
    (reading,) = store.read(["a.djcache"], go_on)
    assert reading == Failed(reason="error", detail="the file cannot be read: ENOTDIR")


def refuse(*_args: Any) -> Any:
    raise PermissionError(errno.EACCES, "no")


def test_what_may_not_be_read_is_a_failure_and_not_a_foreign_key(
    cache: Any, backend: FileBasedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a", 1)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse)
    assert read_one(backend, "a").reason == "error"
    with pytest.raises(StoreDenied):
        backend.store().scan(None, go_on)


def test_a_file_of_another_owner_is_read_where_its_access_time_may_not_be_spared(
    cache: Any, backend: FileBasedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a", 1)
    unpatched = os.open

    def as_another_user(path: str, flags: int) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(errno.EPERM, "not the owner")
        return unpatched(path, flags)

    monkeypatch.setattr(os, "open", as_another_user)
    assert isinstance(read_one(backend, "a"), Stored)


@pytest.mark.parametrize(
    "name",
    ["../a.djcache", "/etc/passwd", "sub/a.djcache", "a.djcache\0", "a", "..", "\ud800.djcache"],
)
def test_names_from_the_network_never_lead_out_of_the_directory(
    backend: FileBasedBackend, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a.djcache").write_bytes(written(None))
    (reading,) = backend.store().read([name], go_on)
    assert isinstance(reading, Failed)
    assert reading.reason == "unsupported"


def test_a_link_is_not_followed(backend: FileBasedBackend, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(written(None))
    (folder / backend.stored_key("a")).symlink_to(tmp_path / "elsewhere")
    assert read_one(backend, "a") == Failed(reason="error", detail="the file cannot be read: ELOOP")


def test_a_pipe_or_a_directory_is_no_entry_and_no_hang(
    backend: FileBasedBackend, folder: Path
) -> None:
    os.mkfifo(folder / backend.stored_key("pipe"))
    (folder / backend.stored_key("directory")).mkdir()
    for key in ("pipe", "directory"):
        assert read_one(backend, key) == Failed(reason="error", detail="not a regular file")


def test_an_empty_file_is_expired_as_it_is_for_django(
    cache: Any, backend: FileBasedBackend, folder: Path
) -> None:
    put(backend, folder, "a", b"")
    assert read_one(backend, "a") == Expired(expires_at=0.0)
    assert cache.get("a") is None


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("expiry", [Bomb(), "text", [1.0], {}, float("nan"), 2**70, True])
def test_any_other_pickle_in_place_of_the_expiry_is_unreadable_and_runs_nothing(
    backend: FileBasedBackend,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    expiry: object,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = put(backend, folder, "a", written(expiry))
    assert read_one(backend, "a") == Failed(reason="error", detail="unreadable expiry")
    assert not (tmp_path / "ran").exists()
    assert path.exists()


def test_an_entry_over_the_limit_is_too_large_unless_it_has_expired(
    backend: FileBasedBackend, folder: Path
) -> None:
    put(backend, folder, "a", pickle.dumps(None) + bytes(1001))
    put(backend, folder, "b", pickle.dumps(1.0) + bytes(1001))
    put(backend, folder, "c", pickle.dumps(None) + bytes(1000))
    store = FileStore(str(folder), ".djcache", is_flat=True, max_value_bytes=1000)
    names = [backend.stored_key(key) for key in "abc"]
    large, expired, fits = store.read(names, go_on)
    assert isinstance(large, Failed)
    assert large.reason == "too-large"
    assert expired == Expired(expires_at=1.0)
    assert fits == Stored(value=bytes(1000), expires_at=None)


def test_a_zlib_bomb_is_too_large_to_say(backend: FileBasedBackend) -> None:
    bomb = zlib.compress(bytes(100 << 20), 9)
    assert len(bomb) < 1 << 20
    with pytest.raises(InertTooLarge):
        backend.payload(Stored(value=bomb, expires_at=None))


@pytest.mark.parametrize("value", [b"", b"not zlib", zlib.compress(b"x" * 100)[:-6]])
def test_what_is_no_whole_zlib_stream_is_unreadable(
    backend: FileBasedBackend, value: bytes
) -> None:
    with pytest.raises(InertUnreadable):
        backend.payload(Stored(value=value, expires_at=None))


def test_identity_is_the_directory_itself_however_it_is_spelled(
    backend: FileBasedBackend, make_cache: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folder)
    identity = backend.store().identity()
    linked = FileBasedBackend("default", make_cache(FILEBASED, str(tmp_path / "link")))
    apart = FileBasedBackend("default", make_cache(FILEBASED, str(tmp_path / "apart")))
    assert identity.grade == "observed"
    assert str(identity.token).startswith(f"file:{this_worker().host_id}:")
    assert linked.store().identity() == identity
    assert apart.store().identity().token != identity.token


class Sharded(FileBasedCache):
    def _key_to_file(self, key: Any, version: Any = None) -> str:
        path = Path(super()._key_to_file(key, version))
        return str(path.parent / path.name[:2] / path.name)


def test_subclass_with_folders_in_folders_is_unsupported(
    make_cache: Callable[..., Any], folder: Path
) -> None:
    backend = FileBasedBackend("default", make_cache(f"{__name__}.Sharded", str(folder)))
    store = backend.store()
    assert store.capabilities().can_scan is False
    assert store.capabilities().reasons
    with pytest.raises(StoreUnsupported):
        store.scan(None, go_on)
    assert read_one(backend, "a").reason == "unsupported"


def test_settings_and_codec_are_given_one_by_one(backend: FileBasedBackend, folder: Path) -> None:
    assert dict(backend.settings())["location"] == str(folder)
    assert dict(backend.codec())["compressor"] == "zlib"
    backend.store().close()


@given(
    st.none() | st.floats(allow_nan=False) | st.integers(-(2**62), 2**62),
    st.integers(2, 5),
    st.binary(max_size=40),
)
def test_every_expiry_that_python_pickles_is_parsed_as_pickle_would(
    expiry: float | None, protocol: int, rest: bytes
) -> None:
    pickled = pickle.dumps(expiry, protocol)
    if expiry == -math.inf:
        with pytest.raises(ValueError, match="not a time"):
            parse_expiry(pickled + rest)
        return
    parsed, used = parse_expiry((pickled + rest)[:64])
    assert parsed == (None if expiry in {None, math.inf} else float(expiry or 0))
    assert used == len(pickled)


@given(st.binary(max_size=32))
def test_bytes_that_are_no_expiry_are_a_value_error(head: bytes) -> None:
    try:
        expiry, used = parse_expiry(head)
    except ValueError:
        return
    assert pickle.loads(head[:used]) == (
        math.inf if expiry is None and head[2:3] == b"G" else expiry
    )
