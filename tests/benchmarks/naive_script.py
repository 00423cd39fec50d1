"""What users write to compare two Redis servers: SCAN, pipelined GET and PTTL, two dicts.

python naive_script.py PORT PORT
"""

import sys

import redis

BATCH = 1000


def load(port: int) -> dict[bytes, tuple[bytes | None, int]]:
    client = redis.Redis(port=port)
    keys = list(client.scan_iter(count=BATCH))
    found = {}
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        pipeline = client.pipeline(transaction=False)
        for key in batch:
            pipeline.get(key)
            pipeline.pttl(key)
        answers = pipeline.execute()
        found.update(zip(batch, zip(answers[::2], answers[1::2], strict=True), strict=True))
    return found


def main() -> None:
    one, other = (load(int(port)) for port in sys.argv[1:])
    gone = (None, -2)
    differing = 0
    for key in one.keys() | other.keys():
        (value, ttl), (other_value, other_ttl) = one.get(key, gone), other.get(key, gone)
        is_apart = (ttl < 0) != (other_ttl < 0) or abs(ttl - other_ttl) > 300_000
        differing += value != other_value or is_apart
    sys.stdout.write(f"{differing}\n")


if __name__ == "__main__":
    main()
