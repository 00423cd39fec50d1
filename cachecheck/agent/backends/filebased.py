"""Django's ``FileBasedCache``: a file for each entry (django/core/cache/backends/filebased.py).

A file is the pickle of the expiry followed by zlib of the pickled value; its name is the md5 of the
stored key, so keys cannot be recovered and files are compared by name. The backend's own methods
are not used: ``_is_expired()`` deletes, and unpickles.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.expiry import MAX_EXPIRY_BYTES, parse_expiry
from cachecheck.agent.backends.files import named, nearest_existing, open_untouched, read_rest
from cachecheck.agent.backends.inflate import inflate
from cachecheck.agent.worker import this_worker
from cachecheck.errors import InertUndecodable, StoreDenied, StoreError, StoreUnsupported
from cachecheck.inert import Encoded
from cachecheck.model import Capabilities, Expired, Failed, Missing, StoreIdentity
from cachecheck.stores import walking
from cachecheck.stores.base import Page, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.model import Namespace
    from cachecheck.stores.base import Batch, Choose, Pace, RawReading

PAGE_FILES = 5_000
MAX_PAGE_FILES = 50_000
MAX_VALUE_BYTES = 16 << 20

_PASSES = 16
_SLACK = 1.1  # sorted again only where a tenth more came
_FILES_BETWEEN_PACES = 500

_OTHER_LAYOUT = "this subclass does not keep its files in one folder"


class FileStore:
    """A directory of entries, read without locks, deletions or new access times.

    Keys are file names, as ``scan`` lists them.
    """

    def __init__(
        self, folder: str, suffix: str, *, is_flat: bool, max_value_bytes: int = MAX_VALUE_BYTES
    ) -> None:
        self._folder = folder
        self._suffix = suffix
        self._is_flat = is_flat
        self._max_value_bytes = max_value_bytes

    def identity(self) -> StoreIdentity:
        """Observed: the directory on this host, by path, device and inode."""
        try:
            path = Path(self._folder).resolve()
            status = nearest_existing(path).stat()
        except OSError as exc:
            raise StoreError(f"the directory cannot be looked at: {named(exc)}") from exc
        token = f"file:{this_worker().host_id}:{path}:{status.st_dev}:{status.st_ino}"
        return StoreIdentity(grade="observed", token=token, address=str(path))

    def capabilities(self) -> Capabilities:
        """List and read by file name."""
        reasons = () if self._is_flat else (_OTHER_LAYOUT,)
        return Capabilities(
            can_scan=self._is_flat, can_read=self._is_flat, naming="file", reasons=reasons
        )

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List the names after the cursor, which is the last name of the page before.

        Every page reads the whole directory, hence pages grow with it.
        """
        if not self._is_flat:
            raise StoreUnsupported(_OTHER_LAYOUT)
        first = _FirstNames(cursor or "")
        self._list_into(first, pace)
        return first.page()

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read each file by itself."""
        del pace  # the caller is asked after every file
        return (self._reading(name) for name in keys)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Read page by page, in the order of names, each of which is a cursor."""
        return walking.walk(self, cursor, choose, pace, after=lambda last, _following: last)

    def close(self) -> None:
        """There is nothing to close: each file is closed once it was read."""

    def _list_into(self, first: _FirstNames, pace: Pace) -> None:
        try:
            with os.scandir(self._folder) as entries:
                for number, entry in enumerate(entries, 1):
                    if entry.name.endswith(self._suffix):
                        first.add(entry.name)
                    if number % _FILES_BETWEEN_PACES == 0:
                        pace()  # a pass cannot be resumed in its middle
        except FileNotFoundError:
            return  # Django makes the directory when it writes
        except PermissionError as exc:
            raise StoreDenied("the directory may not be listed") from exc
        except OSError as exc:
            raise StoreError(f"the directory cannot be listed: {named(exc)}") from exc

    def _reading(self, name: str) -> RawReading:
        if not self._is_entry(name):
            return Failed(reason="unsupported", detail="not the name of an entry's file")
        try:
            descriptor = open_untouched(f"{self._folder}{os.sep}{name}")
            try:
                return self._entry(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return Missing()
        except PermissionError:
            return Failed(reason="error", detail="the file may not be read")
        except OSError as exc:
            return Failed(reason="error", detail=f"the file cannot be read: {named(exc)}")

    def _is_entry(self, name: str) -> bool:
        """Names come from the other side of the network: none may lead out of the directory."""
        return (
            self._is_flat
            and name.isascii()
            and name.endswith(self._suffix)
            and not any(character in name for character in "/\\\0")
        )

    def _entry(self, descriptor: int) -> RawReading:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Failed(reason="error", detail="not a regular file")
        head = os.read(descriptor, MAX_EXPIRY_BYTES)
        if not head:
            return Expired(expires_at=0.0)  # as Django has it
        try:
            expires_at, used = parse_expiry(head)
        except ValueError:
            return Failed(reason="error", detail="unreadable expiry")
        if expires_at is not None and expires_at < time.time():
            return Expired(expires_at=max(0.0, expires_at))
        return self._stored(descriptor, head[used:], status.st_size - used, expires_at)

    def _stored(
        self, descriptor: int, begun: bytes, size_bytes: int, expires_at: float | None
    ) -> RawReading:
        most = self._max_value_bytes
        value = b"" if size_bytes > most else read_rest(descriptor, begun, most + 1)
        if max(size_bytes, len(value)) > most:  # touch() rewrites files in place
            return Failed(reason="too-large", detail=f"more than {most} bytes")
        return Stored(value=value, expires_at=expires_at)


class _FirstNames:
    """Keeps the names that come first after a cursor, out of any number in any order.

    What is dropped sorts after all that is kept, so what is kept is a page without gaps. How long
    it may be grows with the number of names seen.
    """

    def __init__(self, after: str) -> None:
        self._after = after
        self._kept: list[str] = []
        self._last: str | None = None
        self._seen = 0
        self._foreign = 0

    def add(self, name: str) -> None:
        """Take a name into account."""
        self._seen += 1
        if not name.isascii():
            self._foreign += 1
        elif name > self._after and (self._last is None or name < self._last):
            self._kept.append(name)
            if len(self._kept) > _page_files(self._seen) * _SLACK:
                self._cut()

    def page(self) -> Page:
        """Give the page; names that are not ASCII are counted on the first one."""
        self._cut()
        return Page(
            keys=tuple(self._kept), foreign=0 if self._after else self._foreign, cursor=self._last
        )

    def _cut(self) -> None:
        self._kept.sort()
        most = _page_files(self._seen)
        if len(self._kept) > most:
            del self._kept[most:]
            self._last = self._kept[-1]


class FileBasedBackend(Backend):
    """Files in a directory, shared by the processes that see it."""

    kind = "file"
    scope = "host"
    naming = "file"

    def store(self) -> FileStore:
        """Look at the directory that the backend writes to."""
        cache: Any = self.cache
        return FileStore(
            str(cache._dir),  # noqa: SLF001  kept to this file
            cache.cache_suffix,
            is_flat=os.sep not in self.stored_key("layout"),
        )

    def settings(self) -> Pairs:
        """Give what decides which entries are kept, and where."""
        cache: Any = self.cache
        return (
            ("max_entries", str(cache._max_entries)),  # noqa: SLF001  kept to this file
            ("cull_frequency", str(cache._cull_frequency)),  # noqa: SLF001
            ("location", str(cache._dir)),  # noqa: SLF001
        )

    def codec(self) -> Pairs:
        """Values are pickled and compressed."""
        cache: Any = self.cache
        return (
            ("serializer", "pickle"),
            ("pickle_protocol", str(cache.pickle_protocol)),
            ("compressor", "zlib"),
        )

    def payload(self, stored: Stored) -> Encoded:
        """Decompress the value, within bounds."""
        try:
            raw = inflate(zlib.decompressobj(), stored.value)
        except zlib.error as exc:
            raise InertUndecodable("the value is not a zlib stream") from exc
        return Encoded(raw=raw, packed_by="zlib")

    def encoded(self, value: object) -> Stored:
        """Pickle a value and compress it."""
        pickled = super().encoded(value)
        return msgspec.structs.replace(pickled, value=zlib.compress(pickled.value))

    def namespace(self, probe_key: str) -> Namespace:
        """Observe the namespace; no logical key can be recovered from the name of a file."""
        return msgspec.structs.replace(super().namespace(probe_key), is_reversible=False)

    def stored_key(self, logical: str) -> str:
        """Give the name of the file, relative to the directory."""
        cache: Any = self.cache
        path: str = cache._key_to_file(logical)  # noqa: SLF001  kept to this file
        return os.path.relpath(path, cache._dir)  # noqa: SLF001

    def logical_key(self, stored: str, namespace: Namespace) -> str | None:
        """Give None: names of files are digests."""
        del stored, namespace
        return None


def _page_files(count: int) -> int:
    return min(MAX_PAGE_FILES, max(PAGE_FILES, count // _PASSES))
