"""The numbers in docs/reference/limits.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cachecheck import heads, model, sums, wire
from cachecheck.agent import answers, budget, builders, collect, conf, holding, live, moves, nonces
from cachecheck.agent import describe as agent_describe
from cachecheck.agent.backends import (
    diskcache_shard,
    filebased,
    inflate,
    locmem,
    packing,
    replicated,
)
from cachecheck.agent.counting import key_groups
from cachecheck.agent.relay import listening
from cachecheck.coordinator import (
    ask,
    client,
    describe,
    direct,
    fleet,
    hearing,
    locating,
    options,
    probing,
    readable,
    replicas,
    sample,
    treediff,
    witness,
)
from cachecheck.coordinator.audit import audit, listing, pacing, scheme, summing
from cachecheck.coordinator.canary import circles, outing, seeing
from cachecheck.coordinator.canary import rows as canary_rows
from cachecheck.inert import Limits
from cachecheck.inert.digesting import MOST_ON_THE_WAY
from cachecheck.inert.outline import MOST_PLACES
from cachecheck.inert.showing import MOST_CHARACTERS
from cachecheck.signing import MAX_AGE_SECONDS, fields
from cachecheck.stores.direct import parsing
from cachecheck.stores.direct.members import _MAX_REPLICAS
from cachecheck.stores.memcached import connection, dump
from cachecheck.stores.memcached import store as memcached_store
from cachecheck.stores.redis import GENTLE_KEYS, bulk, pool
from cachecheck.stores.redis import store as redis_store

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "limits.md").read_text("utf-8")
TOLD = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+)[^|]* \|", PAGE, re.MULTILINE))

_RUN = options.Options()

IN_CODE = {
    "request body": wire.MAX_BODY_BYTES,
    "keys in one request": wire.MAX_KEYS,
    "answer": wire.MAX_ANSWER_BYTES,
    "age of a request, either way": MAX_AGE_SECONDS,
    "one slice of that work, followed by a sleep as long": budget.SLICE_SECONDS * 1000,
    "keys that a node asks a Redis for at once": GENTLE_KEYS,
    "wall time of one probe, in multiples of its budget": budget.WALL_FACTOR,
    "readings at once in one worker": answers.READS_AT_ONCE,
    "moves of canaries at once in one worker": answers.MOVES_AT_ONCE,
    "moves of canaries that one worker remembers": moves.MOST_MOVES,
    "steps of one move": model.MAX_STEPS,
    "increments of one step": model.MAX_TIMES,
    "life of an entry that a canary writes": model.LONGEST_SECONDS,
    "buckets of one sum": sums.MAX_BUCKETS,
    "sums that one worker keeps from page to page": holding.MOST_HOLDINGS,
    "pages in sums that are kept": holding.MOST_PAGES,
    "keeping sums after their last page": holding.KEEP_SECONDS,
    "entries listed on one page": collect.ROWS_PER_PAGE,
    "share of an answer for the entries listed in it": collect.SHARE_OF_ANSWER * 100,
    "prefixes of other namespaces that one survey tells of": heads.MOST_PREFIXES,
    "characters of such a prefix": heads.MOST_PREFIX_CHARS,
    "versions of one prefix, beyond which they are no versions": heads.MOST_VERSIONS,
    "keys of one such namespace that are weighed on one page": heads.WEIGHED_KEYS,
    "such namespaces that are weighed on one page": heads.WEIGHED_NAMESPACES,
    "nonces remembered by one worker": nonces.CAPACITY,
    "key groups of one cache that are told apart": key_groups.MOST_NAMED,
    "beginnings of keys remembered for it": key_groups.MOST_KNOWN,
    "siblings asked through the relay at once": wire.MAX_SIBLINGS,
    "waiting for siblings, whatever a request asks for": wire.MAX_RELAY_SECONDS,
    "a sibling waiting for a request that is handed on to it": listening.RECEIVE_SECONDS,
    "a process looking whether its socket is still there": listening.LOOK_SECONDS,
    "share of the time for one probe in which siblings may answer": client.SHARE_FOR_SIBLINGS * 100,
    "each header of a signature": fields.MAX_FIELD_CHARS,
    "a value that is read, stored or decompressed": inflate.MAX_INFLATED_BYTES,
    "waiting for a store's connection or answer": pool.TIMEOUT_SECONDS,
    "connections to one Redis for one probe": pool._CONNECTIONS,  # noqa: SLF001
    "waiting for the lock of a LocMemCache": locmem.LOCK_SECONDS,
    "waiting for a database of diskcache that is locked": diskcache_shard.WAIT_SECONDS,
    "backend objects of one alias that are known, of all threads": live.MOST,
    "values of one request whose tree of digests, or text, is told": wire.MAX_TREES,
    "characters of a value that is shown": MOST_CHARACTERS,
    "places in one tree of digests": model.MAX_TWIGS,
    "names that a value refers to, told of each kind": model.MAX_NAMES,
    "memory of its own that a decompressor may take": packing.MEMORY_BYTES,
    "depth of a value": Limits().max_depth,
    "operations of reading a value; a container is two or three": Limits().max_operations,
    "containers on the way into a value, where it holds itself": MOST_ON_THE_WAY,
    "keys in one slab class of memcached": dump.MAX_CLASS_KEYS,
    "parsing one dump of memcached, processor time": dump.MAX_PARSING_SECONDS,
    "asking the stores of all caches who they are": agent_describe.MAX_SECONDS,
    "sources of truth": wire.MAX_TRUTHS,
    "keys of one request that are held against them": wire.MAX_VERIFIED,
    "keys that one process holds against them in a minute": conf.TRUTHS_PER_MINUTE,
    "servers of one Redis alias that are told apart": replicated.MOST_MEMBERS,
    "asking the replicas of one alias what they are, after which no other is asked": (
        replicated.MAX_SECONDS
    ),
    "key builders": wire.MAX_BUILDERS,
    "calling key builders, after which no other is begun": builders.MAX_SECONDS,
    "characters of a built key that is sent as it is": builders.MAX_SHOWN_CHARS,
    "probes at once at one node": client.PER_NODE,
    "a description of one worker": wire.MAX_DESCRIPTION_BYTES,
    "share of the time that is left for one look at all nodes": probing.SHARE_OF_REMAINING * 100,
    "nodes of one run": fleet.MAX_NODES,
    "the whole run": _RUN.deadline,
    "one probe": _RUN.timeout,
    "probes at once": _RUN.concurrency,
    "tries of a node's first probe": client.TRIES,
    "share of the deadline for hearing workers": describe.SHARE_OF_DEADLINE * 100,
    "workers of one node": hearing.MAX_WORKERS,
    "connections of one burst": ask.LARGEST_BURST,
    "share of the time that is left for surveying one store": sample.SHARE_OF_REMAINING * 100,
    "keys in one reading": probing.KEYS_PER_READ,
    "keys sampled": options.DEFAULT_SAMPLE,
    "largest sample that can be asked for": wire.MAX_SAMPLE,
    "stored keys looked at per store": _RUN.max_scan,
    "witnesses drawn from one store": witness.WITNESSES,
    "characters of a named key": options.MAX_KEY_CHARS,
    "ordered pairs of views that a canary tries in one cache": circles.MOST_PAIRS,
    "views through which a canary writes 1.5 MB": seeing.LARGE_WRITERS,
    "canaries out at once, one for each cache": outing.AT_ONCE,
    "longest `--settle` of a canary": options.MOST_CANARY_SETTLE,
    "pairs of nodes of which a canary's times are kept": canary_rows.MOST_PROPAGATIONS,
    "findings listed of one code": _RUN.max_findings,
    "share of the time that is left for summing up every key": audit.SHARE_FOR_SUMS * 100,
    "share of the time then left for listing what differs": audit.SHARE_FOR_ROWS * 100,
    "tries to sum a store up": summing.TRIES,
    "entries listed to find those that differ": scheme.MOST_ROWS,
    "keys that differ, all of them named": scheme.MOST_DIFFERENCES,
    "examples named where more differ": audit.EXAMPLES,
    "names of the entries listed of one store": listing.MOST_NAMES_BYTES,
    "share of what was summed that a store must list": listing.LEAST_SHARE_LISTED * 100,
    "pages that a worker keeps before it is asked for its sums": summing.MOST_HELD_PAGES,
    "pause between pages where a store or a node has become slow": pacing.LONGEST_PAUSE_SECONDS,
    "work of one page of a store that is read directly": direct.SLICE_SECONDS,
    "keys of one cache whose differences are located": locating.MOST_LOCATED,
    "paths told of one key": locating.MOST_SPOTS,
    "levels of two trees of digests that are compared at once": treediff.MOST_LEVELS,
    "share of the time that is left for locating differences": locating.SHARE_OF_REMAINING * 100,
    "sampled keys of one cache that are read on every node for V004": readable.MOST_SAMPLED,
    "hosts in the URL of a store": parsing.MAX_HOSTS,
    "replicas of one Redis, or of one shard": _MAX_REPLICAS,
    "replicas of one alias that are compared through nodes": replicas.MOST_REPLICAS,
    "pieces of values that one batch of a walk asks a Redis for": bulk.PIECES_BYTES,
}
# The budget's default is compared with the setting's, and the lock on surveys is one by nature.
ELSEWHERE = {
    "processor time of one probe's reading, survey or list",
    "processor time of one value's structure, where it is the first of a probe",
    "surveys and lists at once in one worker",
    "requests at once in one worker that ask for the truth",
}


@pytest.mark.parametrize("what", IN_CODE)
def test_limit_is_that_of_the_code(what: str) -> None:
    assert int(TOLD[what].replace(",", "")) == IN_CODE[what]


def test_every_limit_on_the_page_is_held_to_the_code() -> None:
    assert TOLD.keys() == {*IN_CODE, *ELSEWHERE}


def test_limits_told_as_one_are_one() -> None:
    values = {
        filebased.MAX_VALUE_BYTES,
        redis_store.MAX_VALUE_BYTES,
        memcached_store.MAX_VALUE_BYTES,
        inflate.MAX_INFLATED_BYTES,
    }
    assert len(values) == 1
    assert connection.TIMEOUT_SECONDS == pool.TIMEOUT_SECONDS
    assert f"{dump.PART_KEYS:,} keys of it" in PAGE
    assert f"Up to {bulk.BATCH_BYTES >> 20} MiB of values" in PAGE
    assert f"more than {scheme.MOST_DIFFERENCES:,} keys differ" in PAGE


def test_a_tree_of_an_agent_fits_the_wire() -> None:
    assert MOST_PLACES <= model.MAX_TWIGS
