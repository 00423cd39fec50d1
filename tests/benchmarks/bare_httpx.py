"""The floor of ``bench_fleet.py``: send prepared requests with httpx, and do nothing with answers.

    python bare_httpx.py REQUESTS CONCURRENCY

``REQUESTS`` is a JSON file: a list of ``[url, headers, body]``. Every request goes over a
connection of its own, as probes do. Ends with 1 unless all are answered with 200.
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx


async def send(requests: list[tuple[str, dict[str, str], str]], concurrency: int) -> set[int]:
    """Send all of them, so many at once; give the statuses that came."""
    slots = asyncio.Semaphore(concurrency)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)

    async def one(url: str, headers: dict[str, str], body: str) -> int:
        async with slots:
            response = await client.post(url, headers=headers, content=body)
            return response.status_code

    async with httpx.AsyncClient(limits=limits, trust_env=False, timeout=30) as client:
        return set(await asyncio.gather(*(one(*request) for request in requests)))


if __name__ == "__main__":
    prepared = json.loads(Path(sys.argv[1]).read_text())
    sys.exit(asyncio.run(send(prepared, int(sys.argv[2]))) != {200})
