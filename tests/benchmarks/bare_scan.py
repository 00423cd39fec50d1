"""The floor in Python: SCAN and MGET of each Redis server, and no comparison at all.

python bare_scan.py PORT…
"""

import sys

import redis

BATCH = 1000


def main() -> None:
    for port in sys.argv[1:]:
        client = redis.Redis(port=int(port))
        cursor = 0
        while True:
            cursor, keys = client.scan(cursor, count=BATCH)
            if keys:
                client.mget(keys)
            if not cursor:
                break


if __name__ == "__main__":
    main()
