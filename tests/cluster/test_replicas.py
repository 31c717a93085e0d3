"""A real cluster of three raylets on this machine: the same answers, and nodes that die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import oracle
import pytest
from cluster_nodes import NODE, alive, kill, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret
from hashret.cluster import Cache, ShardedIndex, open_location
from hashret.cluster.replicas import keeping, replica
from hashret.cluster.replicas.messages import packed, unpacked
from hashret.index import cores

pytest.importorskip("ray", reason="needs the extra 'ray'")


def same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


# Of any number of shards, without Ray, test_sharded tells.
SLOW = [pytest.param(shards, marks=pytest.mark.slow) for shards in (1, 7)]


@pytest.fixture(scope="module", params=[3, *SLOW])
def pair(request, cluster, tmp_path_factory):
    """A sharded index on the cluster, and one index of the same codes."""
    folder = tmp_path_factory.mktemp("sharded")
    rng = np.random.default_rng(request.param)
    codes = oracle.skewed_codes(rng, 400, 64, 90)
    ids = rng.permutation(2000)[:400].astype(np.int64)
    one = hashret.Index(64)
    one.add(codes, ids)
    with ShardedIndex.create(folder / "index", 64, cache=folder / "cache") as index:
        for part in np.array_split(np.arange(400), request.param):
            index.add(codes[part], ids[part])
        gone = ids[::9]
        index.remove(gone)
        one.remove(gone)
    many = ShardedIndex(folder / "index", cache=folder / "cache", replicas=1)
    yield one, many
    many.close()


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 500),
    radius=st.integers(0, 25),
    how=st.sampled_from(["none", "ids", "mask", "prepared"]),
)
@settings(max_examples=8, deadline=None)
def test_a_cluster_answers_as_one_index(pair, seed, k, radius, how):
    one, many = pair
    rng = np.random.default_rng(seed)
    ids = one.ids
    queries = np.concatenate([one.get(rng.choice(ids, 3)), oracle.random_codes(rng, 2, 64)])
    mask = rng.random(len(ids)) < 0.5
    some = {"none": None, "ids": ids[mask], "mask": mask, "prepared": one.filter(ids[mask])}
    filters = some[how], many.filter(ids[mask]) if how == "prepared" else some[how]
    exclude = rng.choice(ids, 5)
    for search in (
        lambda each, filter: each.search(queries, k, filter=filter, exclude=exclude),
        lambda each, filter: each.range_search(queries, radius, filter=filter),
    ):
        same(search(one, filters[0]), search(many, filters[1]))


def test_a_cluster_compares_all_codes_as_one_index_does(pair):
    one, many = pair
    for radius in (0, 12, 20):
        same(one.duplicates(radius), many.duplicates(radius))
    same(
        one.search(one.get(one.ids), 3, exclude="self"),
        many.search(many.get(many.ids), 3, exclude="self"),
    )
    with pytest.raises(hashret.IdError, match="unknown id 5000"):
        many.get([5000])


def test_a_cluster_follows_changes(cluster, tmp_path, rng):
    one = hashret.Index(64)
    codes = oracle.random_codes(rng, 200, 64)
    ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache").close()
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1) as many:
        same([one.add(codes)], [many.add(codes, shard_codes=100)])
        older = ShardedIndex(tmp_path / "index", cache=tmp_path / "cache")
        one.remove([3, 150])
        many.remove([3, 150])
        same(one.search(codes[:5], 9), many.search(codes[:5], 9))
        many.compact()
        assert len(many.shards) == 1
        same(one.search(codes[:5], 9), many.search(codes[:5], 9))
        assert len(older) == 200
        older.close()

        async def ask():
            return await asyncio.gather(
                *(many.search_async(codes[n : n + 1], 3) for n in range(20))
            )

        for number, found in enumerate(asyncio.run(ask())):
            same(found, one.search(codes[number : number + 1], 3))
        told = many.status()
        assert {each["shard"] for each in told if each["ready"]} >= {s.name for s in many.shards}


class Steady:
    """Queries in a row, each checked, until told to stop."""

    def __init__(self, many, one, queries):
        self.many, self.one, self.queries = many, one, queries
        self.times, self.ends, self.wrong, self.errors = [], [], 0, []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        expected = self.one.search(self.queries, 5)
        while not self.stopped.is_set():
            start = time.monotonic()
            try:
                found = self.many.search(self.queries, 5)
                self.wrong += not all(map(np.array_equal, found, expected))
            except hashret.HashretError as error:
                self.errors.append(error)
            self.ends.append(time.monotonic())
            self.times.append(self.ends[-1] - start)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *given):
        self.stopped.set()
        self.thread.join()


def test_a_node_that_dies_costs_no_answer(cluster, tmp_path, rng, capsys):
    """No wrong answer, no error; the lost replicas are rebuilt on the nodes that are left."""
    codes = oracle.random_codes(rng, 3000, 64)
    one = hashret.Index(64)
    one.add(codes)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=1000)
    node = cluster.add_node(**NODE)
    wait_until(lambda: len(alive()) == 4, 30)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=2, timeout=10) as many:
        wait_until(lambda: sum(each["ready"] for each in many.status()) == 6, 60)
        told = many.status()
        # Never two of a shard on one node.
        assert len({(each["shard"], each["node"]) for each in told}) == 6
        assert node.node_id in {each["node"] for each in told}
        with Steady(many, one, codes[:3]) as steady:
            time.sleep(1)
            before = len(steady.times)
            kill(node)
            wait_until(
                lambda: (
                    [each["ready"] and each["node"] != node.node_id for each in many.status()]
                    == [True] * 6
                ),
                60,
            )
        assert before
        assert steady.wrong == 0
        assert steady.errors == []
        times = np.array(steady.times) * 1000
        gap = np.diff(steady.ends).max()
        with capsys.disabled():
            print(
                f"\n{len(times)} queries of 3 shards, a node killed: "
                f"p50 {np.median(times):.1f} ms, p99 {np.quantile(times, 0.99):.1f} ms, "
                f"longest gap {gap:.2f} s"
            )
        assert gap < 10


@pytest.mark.slow
def test_an_actor_that_hangs_costs_no_answer(cluster, tmp_path, rng):
    """The other replica is asked, and after some seconds the one that hangs is replaced."""
    codes = oracle.random_codes(rng, 1000, 64)
    one = hashret.Index(64)
    one.add(codes)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=2, timeout=10) as many:
        wait_until(lambda: sum(each["ready"] for each in many.status()) == 2, 60)
        pid = many.status()[0]["pid"]
        with Steady(many, one, codes[:3]) as steady:
            wait_until(lambda: len(steady.times) > 50, 30)
            os.kill(pid, signal.SIGSTOP)
            try:
                wait_until(lambda: len(steady.times) > 150, 30)
                wait_until(lambda: pid not in {each.get("pid", pid) for each in many.status()}, 60)
            finally:
                # By now Ray has ended it.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert steady.wrong == 0
        assert steady.errors == []
        assert max(steady.times) < 5


def test_a_shard_without_replicas_is_named(cluster, tmp_path, rng):
    codes = oracle.random_codes(rng, 300, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=100)
        lost = index.shards[1]
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1, timeout=5) as many:
        # Nor can it be opened again: its file is gone everywhere.
        for folder in ("index/files", "cache"):
            (tmp_path / folder / lost.index.name).unlink()
        pid = next(each["pid"] for each in many.status() if each["shard"] == lost.name)
        os.kill(pid, signal.SIGKILL)

        def is_told():
            try:
                many.search(codes[:2], 3)
            except hashret.UnavailableError as error:
                return error.shards == (lost.name,) and lost.name in str(error)
            return False

        wait_until(is_told, 30)
        (distances, ids), missing = many.search(codes[:2], 300, partial=True)
        assert missing == (lost.name,)
        assert set(ids.ravel()) == {*range(100), *range(200, 300), -1}
        assert (distances[ids < 0] == 2147483647).all()


def all_taken():
    """Take all room that is left, and that is given back meanwhile by tests that are done."""
    import ray

    from hashret.cluster.replicas.keeping import CPUS

    taken, calm = [], 0
    while calm < 4:
        free = int(ray.available_resources().get("CPU", 0) / CPUS)
        if free:
            taken.append(ray.util.placement_group([{"CPU": CPUS}] * free))
            ray.get(taken[-1].ready(), timeout=60)
        calm = 0 if free else calm + 1
        time.sleep(0.5)
    return taken


def test_a_cluster_without_room_is_told_and_not_pressed(cluster, tmp_path, rng, monkeypatch):
    """Where none can start `status` says why; the tries are ever rarer; then there is room."""
    import ray

    from hashret.cluster.replicas import fleet, keeping

    codes = oracle.random_codes(rng, 50, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes)
    full = all_taken()
    tries = []
    start = keeping.Keeper._started
    monkeypatch.setattr(
        keeping.Keeper, "_started", lambda *given: tries.append(given[-1]) or start(*given)
    )
    monkeypatch.setattr(keeping, "_START_TIMEOUT", 0.5)
    monkeypatch.setattr(fleet, "_START", 10)
    opened = {"cache": tmp_path / "cache", "replicas": 1, "timeout": 60}
    with pytest.raises(
        hashret.UnavailableError, match=r"of the cluster's [0-9]+ there are 0 free"
    ) as told:
        ShardedIndex(tmp_path / "index", **opened)
    assert told.value.shards == (index.shards[0].name,)
    # Of three nodes, each after 1, 2, 4, ... s: a try a look would be 20.
    assert 3 <= len(tries) <= 12
    monkeypatch.setattr(fleet.RayFleet, "_wait", lambda self: None)
    with ShardedIndex(tmp_path / "index", **opened) as many:
        wait_until(lambda: any("0 free" in (each["reason"] or "") for each in many.status()), 30)
        monkeypatch.setattr(keeping, "_START_TIMEOUT", 60)
        for each in full:
            ray.util.remove_placement_group(each)
        same(many.search(codes[:3], 9), index.search(codes[:3], 9))
        wait_until(lambda: [each["reason"] for each in many.status()] == [None], 30)


def test_a_keeper_that_cannot_see_the_cluster_says_so(cluster, tmp_path, rng, monkeypatch):
    codes = oracle.random_codes(rng, 50, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes)
    looks = []

    def fail():
        looks.append(time.monotonic())
        raise ConnectionError("no head")

    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1) as many:
        with monkeypatch.context() as patch:
            # Of this index: others of these tests have keepers, too.
            patch.setattr(many._fleet._keeper, "_look", fail)
            wait_until(lambda: len(looks) == 3, 20)
            assert [each["reason"] for each in many.status()] == ["ConnectionError: no head"]
            assert looks[2] - looks[1] > 1.5
            assert len(many.search(codes[:3], 9)[0]) == 3
        wait_until(lambda: many.status()[0]["reason"] is None, 20)


class Here:
    """Of Ray what a keeper calls, for actors of this process, which answer at once."""

    exceptions = SimpleNamespace(RayError=ConnectionError)
    util = SimpleNamespace(
        scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=lambda *_, **__: None)
    )

    class Actor:
        def __init__(self, made):
            self.made = made

        def __getattr__(self, name):
            return SimpleNamespace(remote=getattr(self.made, name))

    def nodes(self):
        return [
            {
                "NodeID": "one",
                "Alive": True,
                "Resources": {"CPU": 5.0},
                "NodeManagerAddress": "127.0.0.1",
            }
        ]

    def remote(self, kind):
        return SimpleNamespace(
            options=lambda **_: SimpleNamespace(remote=lambda *given: self.Actor(kind(*given)))
        )

    def wait(self, references, timeout):
        return references, []

    def get(self, reference, timeout):
        return reference

    def kill(self, handle):
        pass


def test_actors_of_one_node_share_its_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_PERIOD", 0.01)
    monkeypatch.setattr(cores, "_left", [])
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        for start in (0, 9):
            index.add(np.zeros((9, 8), np.uint8), np.arange(start, start + 9))
        manifest = index.manifest
    cache = Cache(tmp_path / "cache")
    keeper = keeping.Keeper(Here(), open_location(tmp_path / "index"), cache, manifest, 1)
    wait_until(lambda: len(keeper.all()) == 2 and cores._left == [2], 20)
    keeper.follow(replace(manifest, shards=manifest.shards[:1]))
    monkeypatch.setattr(keeping, "_PING_PERIOD", 0.01)
    wait_until(lambda: cores._left == [5], 20)
    keeper.close()


def test_a_replica_that_cannot_open_its_shard_answers_and_is_not_ready(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_PERIOD", 0.01)
    monkeypatch.setattr(keeping, "_PING_PERIOD", 0.01)
    # What an actor leaves to others holds for its process, here that of the tests.
    monkeypatch.setattr(cores, "_left", [])
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(np.zeros((9, 8), np.uint8))
        manifest = index.manifest
    small = Cache(tmp_path / "small", budget=10)
    keeper = keeping.Keeper(Here(), open_location(tmp_path / "index"), small, manifest, 1)
    wait_until(lambda: not keeper.lacking(), 20)
    [replica] = keeper.all()
    tried = replica.tried
    wait_until(lambda: replica.pinged > tried + 0.05, 20)
    assert not replica.ready
    assert replica.tried == tried
    assert "larger budget" in replica.handle.made.status()["reason"]
    message = packed(("search", manifest.shards[0], ()))
    good, error = unpacked(replica.handle.made.call(message))
    assert not good
    assert isinstance(error, hashret.UnavailableError)
    # As soon as there is room it is.
    monkeypatch.setattr(keeping, "_AGAIN", 0.01)
    replica.handle.made._cache.budget = None
    wait_until(lambda: replica.ready, 20)
    keeper.close()


def test_a_shard_damaged_on_a_node_is_fetched_again(cluster, tmp_path, rng):
    codes = oracle.random_codes(rng, 300, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes)
        path = tmp_path / "cache" / index.shards[0].index.name
        expected = index.search(codes[:3], 9)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1) as many:
        same(many.search(codes[:3], 9), expected)


@pytest.mark.parametrize("way", ["by Ray", "by doors"])
def test_a_cluster_answers_by_ray_where_no_connection_can_be_made(
    cluster, tmp_path, rng, way, monkeypatch
):
    codes = oracle.random_codes(rng, 300, 64)
    if way == "by Ray":
        monkeypatch.setattr(replica.Replica, "believe", lambda *given: None)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=100)
        expected = index.search(codes[:3], 9)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1) as many:
        replicas = many._fleet._keeper.all
        if way == "by doors":
            wait_until(lambda: all(each.is_near for each in replicas()), 20)
        same(many.search(codes[:3], 9), expected)
        same(asyncio.run(many.search_async(codes[:3], 9)), expected)
        assert not any(each.waiting for each in replicas())
        assert all(each.is_near == (way == "by doors") for each in replicas())
        # Long questions go by Ray in any case.
        queries = oracle.random_codes(rng, 20_000, 64)
        found = many.search(queries, 1)
        assert (found[0] <= 64).all()
        assert not any(each.waiting for each in replicas())


@pytest.mark.parametrize("seed", range(3))
def test_closing_while_questions_run_keeps_nobody(cluster, tmp_path, rng, seed):
    codes = oracle.random_codes(rng, 300, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=100)
    many = ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=1)
    ends = []

    def ask(is_async):
        try:
            while True:
                if is_async:
                    asyncio.run(many.search_async(codes[:3], 9))
                else:
                    many.search(codes[:3], 9)
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=ask, args=[n % 2], daemon=True) for n in range(6)]
    for each in threads:
        each.start()
    time.sleep(0.3 + seed / 10)
    many.close()
    for each in threads:
        each.join(20)
    assert [type(each) for each in ends] == [hashret.UnavailableError] * 6
    many.close()


def test_actors_that_are_frozen_cost_no_answer(cluster, tmp_path, rng):
    """The system accepts connections for a process that is stopped; nobody waits for such."""
    codes = oracle.random_codes(rng, 300, 64)
    with ShardedIndex.create(tmp_path / "index", 64, cache=tmp_path / "cache") as index:
        index.add(codes, shard_codes=100)
        expected = index.search(codes[:3], 9)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", replicas=2, timeout=5) as many:
        wait_until(lambda: sum(each["ready"] for each in many.status()) == 6, 60)
        told = many.status()
        pids = [each["pid"] for each in told if each["node"] == told[0]["node"]]
        times, wrong = [], []

        def ask():
            for _ in range(5):
                start = time.monotonic()
                wrong.append(not all(map(np.array_equal, many.search(codes[:3], 9), expected)))
                times.append(time.monotonic() - start)

        try:
            for each in pids:
                os.kill(each, signal.SIGSTOP)
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        finally:
            for each in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)
        assert (len(times), sum(wrong)) == (20, 0)
        assert max(times) < 4
