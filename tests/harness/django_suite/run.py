"""Runs Django's own tests of its caches, those of the installed version, with the counting on.

    make suite

They come from Django's source distribution, which the package index has and the wheel leaves out.
It is fetched once for each version and kept in ``.django-suite``. Redis and memcached are started,
so that the tests for them run as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

_HERE = Path(__file__).parent
_KEPT = Path(".django-suite")

sys.path.insert(0, str(_HERE.parent.parent))

from harness.memcached import start_memcached  # noqa: E402  the folder of the tests is known now
from harness.redis import start_redis  # noqa: E402


def main() -> int:
    """Run them, and give the exit code of their runner."""
    tests = _fetched(django.get_version())
    with tempfile.TemporaryDirectory() as folder:
        started = Path(folder)
        with start_redis(started) as redis, start_memcached(started) as memcached:
            env = {
                **os.environ,
                "PYTHONPATH": str(_HERE),
                "SUITE_REDIS": f"redis://127.0.0.1:{redis.port}",
                "SUITE_MEMCACHED": memcached.address,
            }
            command = [sys.executable, "runtests.py", "cache", "--settings=counting_settings"]
            return subprocess.run(
                [*command, "--parallel=1"], cwd=tests, env=env, check=False
            ).returncode


def _fetched(version: str) -> Path:
    folder = _KEPT / f"django-{version}"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        wanted = ["--no-deps", "--no-binary", "Django", f"Django=={version}"]
        subprocess.run([*pip, *wanted, "-d", str(_KEPT)], check=True)
        with tarfile.open(_KEPT / f"django-{version}.tar.gz") as packed:
            packed.extractall(_KEPT, filter="data")
    return folder / "tests"


if __name__ == "__main__":
    sys.exit(main())
