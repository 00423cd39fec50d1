"""What values say: where they differ, in which encoding, and who can read them.

Two releases of one site; the second one has a model with one more field, and lacks two classes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from harness.nodes import Node
from harness.process import Finished
from harness.redis import RedisServer
from harness.scenarios import DJANGO_REDIS, REDIS, Check, Launch, outliers, views_of

SHOP = "harness.site.shop"
ZLIB = "django_redis.compressors.zlib.ZlibCompressor"
HOSTS = {"own": "host"}


@pytest.fixture(scope="module")
def redis(launch: Launch) -> RedisServer:
    return launch.redis()


@pytest.fixture(scope="module")
def fleet(launch: Launch, redis: RedisServer) -> tuple[Node, ...]:
    def release(number: int) -> dict[str, Any]:
        own = redis.url.removesuffix("/0") + f"/{number}"
        zipped = {"COMPRESSOR": ZLIB} if number == 1 else {}
        return {
            "settings": {"SHOP_RELEASE": number, "INSTALLED_APPS": [SHOP]},
            "cachecheck": {"RELEASE": f"2026.{number}", "SCOPES": HOSTS},
            "caches": {
                "own": {"BACKEND": REDIS, "LOCATION": own},
                "shared": {"BACKEND": REDIS, "LOCATION": redis.url},
                "zipped": {"BACKEND": DJANGO_REDIS, "LOCATION": redis.url, "OPTIONS": zipped},
            },
        }

    return launch.nodes(release(1), release(1), release(2), workers=1)


ALL_RELEASES = ("--rollout-grace", "0", "--select", "V")


def test_a_dict_in_another_order_is_encoded_otherwise(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set", cache="own", key="dict", value={"a": 1, "b": [2, 3]})
    fleet[2].app("set", cache="own", key="dict", value={"b": [2, 3], "a": 1})
    checked = check((fleet[0], fleet[2]), "--cache", "own", "--key", "dict", *ALL_RELEASES)
    assert checked.codes == ["V003"]
    assert checked.exit_code == 0


def test_a_model_that_gained_a_field_differs_there(fleet: tuple[Node, ...], check: Check) -> None:
    for node in fleet:
        node.app("set", cache="own", key="tea", shop="models.Product", literal="{'name': 'tea'}")
    checked = check(fleet, "--cache", "own", "--key", "tea", *ALL_RELEASES)
    assert checked.codes == ["V001"]
    found = checked.only("V001")
    assert found["evidence"]["differs_at"] == [".email"]
    assert found["evidence"]["differs_how"] == {".email": "only in B"}
    assert found["evidence"]["releases"] == {"A": ["2026.1"], "B": ["2026.2"]}
    assert outliers(found) == views_of(fleet[2])


@pytest.mark.parametrize(
    ("name", "made", "lacking"),
    [
        ("class", "pricing.Discount", f"{SHOP}.pricing.Discount"),
        ("model", "models.Voucher", "the model shop.Voucher"),
    ],
)
def test_a_class_that_one_node_lacks_makes_its_values_unreadable_there(
    fleet: tuple[Node, ...], check: Check, name: str, made: str, lacking: str
) -> None:
    fleet[2].app("set", cache="own", key="loads it", shop="pricing.Price", literal="{'amount': 1}")
    fields = {"class": "{'percent': 5}", "model": "{'code': 'x'}"}[name]
    fleet[0].app("set", cache="shared", key=f"gone:{name}", shop=made, literal=fields)
    checked = check(fleet, "--cache", "shared", "--key", f"gone:{name}", *ALL_RELEASES)
    assert (checked.exit_code, checked.codes) == (1, ["V004"])
    found = checked.only("V004")
    assert found["evidence"]["lacking"] == [lacking]
    assert lacking in found["message"]
    assert fleet[2].address in found["message"]
    assert outliers(found) == views_of(fleet[2])
    assert found["evidence"]["releases"] == {"A": ["2026.1"], "B": ["2026.2"]}


def test_one_key_shows_who_cannot_read_it(
    fleet: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    fleet[0].app("set", cache="shared", key="gone", shop="models.Voucher", literal="{'code': 'x'}")
    nodes = [node.address for node in (fleet[2], *fleet[:2])]  # who lacks it is asked first
    shown = run_cli("key", "gone", *nodes, "--cache", "shared", "--settle", "0.5")
    assert "one value, which not all views can read (V004)" in shown.stdout
    able, unable = shown.stdout.split("\n  B  ")
    assert (fleet[0].address in able, fleet[2].address in able) == (True, False)
    assert unable.startswith(fleet[2].address)
    assert "cannot be read there: the model shop.Voucher" in unable


_HALF_RESTARTED = """
import json, os

def post_fork(server, worker):
    site = json.loads(os.environ["CACHECHECK_TEST_SITE"])
    site["SHOP_RELEASE"] = worker.age
    site["CACHECHECK"]["RELEASE"] = f"2026.{worker.age}"
    os.environ["CACHECHECK_TEST_SITE"] = json.dumps(site)
"""


def test_a_model_that_some_workers_of_a_node_lack_makes_its_values_unreadable_there(
    launch: Launch, redis: RedisServer, check: Check
) -> None:
    """As while a node is restarted with another release, worker by worker."""
    config = launch.tmp / "half_restarted.py"
    config.write_text(_HALF_RESTARTED)
    (node,) = launch.nodes(
        {"options": ["--config", str(config)]},
        settings={"INSTALLED_APPS": [SHOP]},
        caches={"default": {"BACKEND": REDIS, "LOCATION": redis.url}},
        workers=2,
    )
    model = (
        b"\x80\x04cdjango.db.models.base\nmodel_unpickle\n\x8c\x04shop\x8c\x07Voucher\x86\x85R}b."
    )
    with redis.client() as client:
        client.set(":1:half", model)
    checked = check([node], "--key", "half", *ALL_RELEASES)
    found = checked.only("V004")
    assert found["evidence"]["lacking"] == ["the model shop.Voucher"]
    assert [len(group["views"]) for group in found["groups"]] == [1, 1]
    assert "nobody else" not in found["message"]


def test_a_class_that_all_nodes_have_is_read_by_all(fleet: tuple[Node, ...], check: Check) -> None:
    fleet[0].app("set", cache="shared", key="kept", shop="pricing.Price", literal="{'amount': 5}")
    fleet[0].app(
        "set", cache="shared", key="kept:m", shop="models.Product", literal="{'name': 't'}"
    )
    checked = check(fleet, "--cache", "shared", "--key", "kept", "--key", "kept:m", *ALL_RELEASES)
    assert (checked.exit_code, checked.codes) == (0, [])
    checked = check(fleet[:2], "--cache", "shared", "--sample", "100")
    assert (checked.exit_code, checked.codes) == (0, [])


def test_a_compressor_that_is_rolled_out_halfway_leaves_values_that_others_cannot_decode(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set", cache="zipped", key="page", value="x" * 100)
    halves = (fleet[0], fleet[2])
    checked = check(halves, "--cache", "zipped", "--key", "page", "--rollout-grace", "0")
    assert (checked.exit_code, checked.codes) == (1, ["F006", "B010", "V004"])
    found = checked.only("V004")
    assert outliers(found) == views_of(fleet[2])
    assert "cannot decode it" in found["message"]
    assert found["explained_by"] == "B010"


def test_a_compressor_that_all_nodes_have_is_read_by_all(
    fleet: tuple[Node, ...], check: Check
) -> None:
    fleet[0].app("set", cache="zipped", key="page", value="x" * 100)
    checked = check(fleet[:2], "--cache", "zipped", "--key", "page")
    assert (checked.exit_code, checked.codes) == (0, [])


def test_a_pickle_of_a_newer_protocol_is_unreadable(
    fleet: tuple[Node, ...], redis: RedisServer, check: Check
) -> None:
    with redis.client() as client:
        client.set(":1:newer", b"\x80\x06\x95\x04\0\0\0\0\0\0\0K\x01.")
    checked = check(fleet, "--cache", "shared", "--key", "newer", *ALL_RELEASES)
    assert checked.codes == ["V004"]
    assert "pickle protocol 6" in checked.only("V004")["message"]
    assert "and nobody else can" in checked.only("V004")["message"]


def test_a_pickle_of_an_older_django_is_unreadable_where_its_helper_is_gone(
    fleet: tuple[Node, ...], redis: RedisServer, check: Check
) -> None:
    old = b"\x80\x02cdjango.db.models.base\nsimple_class_factory\n)R}("
    state = b"X\x0f\0\0\0_django_versionX\x03\0\0\x001.6ub."
    with redis.client() as client:
        client.set(":1:older", old + state)
    checked = check(fleet, "--cache", "shared", "--key", "older", *ALL_RELEASES)
    assert checked.codes == ["V004"]
    found = checked.only("V004")
    assert found["evidence"]["lacking"] == ["django.db.models.base.simple_class_factory"]
    assert found["evidence"]["written_by"] == {"A": ["Django 1.6"]}
    assert "written by Django 1.6, " in found["evidence"]["origin"]
