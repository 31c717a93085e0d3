"""A sharded index without Ray: its answers are those of one index over the same codes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import tempfile
import threading

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import hashret
from hashret import cluster
from hashret.cluster import Cache, Manifest, ShardedIndex, open_location

FILTERS = st.sampled_from(["none", "ids", "mask", "prepared", "range", "combined"])


def same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def errors_of(*calls):
    """The types of errors that calls raise."""
    found = []
    for call in calls:
        try:
            call()
            found.append(None)
        except hashret.HashretError as error:
            found.append(type(error))
    return found


class Machine(RuleBasedStateMachine):
    """One index, and shards of the same codes; both see the same calls."""

    @initialize(
        bits=st.sampled_from([1, 5, 12, 64, 100]),
        values=st.sampled_from([1, 6, 4000]),
        seed=st.integers(0, 2**32 - 1),
    )
    def start(self, bits, values, seed):
        self.folder = tempfile.TemporaryDirectory()
        self.rng = np.random.default_rng(seed)
        self.pool = oracle.random_codes(self.rng, values, bits)
        self.one = hashret.Index(bits)
        self.many = ShardedIndex.create(
            f"{self.folder.name}/index", bits, cache=f"{self.folder.name}/cache"
        )
        self.older = []

    def teardown(self):
        if hasattr(self, "many"):
            for reader, ids, _, _ in self.older:
                np.testing.assert_array_equal(reader.ids, ids)
                reader.close()
            self.many.close()
            self.folder.cleanup()

    def draw(self, n):
        return self.pool[self.rng.integers(0, len(self.pool), n)]

    @rule(n=st.integers(0, 30), most=st.sampled_from([1, 7, 1000]))
    def add(self, n, most):
        codes = self.draw(n)
        same([self.one.add(codes)], [self.many.add(codes, shard_codes=most)])

    @rule(n=st.integers(0, 10), most=st.sampled_from([3, 1000]), negative=st.booleans())
    def add_with_ids(self, n, most, negative):
        codes = self.draw(n)
        low = -1000 if negative else 0
        ids = self.rng.choice(np.setdiff1d(np.arange(low, 4000), [-1]), n, replace=False)
        both = errors_of(
            lambda: self.one.add(codes, ids), lambda: self.many.add(codes, ids, shard_codes=most)
        )
        assert both[0] == both[1]

    @rule(share=st.sampled_from([0.1, 0.6, 1.0]))
    def remove(self, share):
        ids = self.one.ids
        gone = self.rng.permutation(ids)[: int(share * len(ids))]
        self.one.remove(gone)
        self.many.remove(gone)

    @rule(most=st.sampled_from([1, 10, 1000]))
    def compact(self, most):
        self.many.compact(shard_codes=most)
        assert not any(shard.removed for shard in self.many.shards)

    @rule()
    def keep_a_reader(self):
        if len(self.older) < 2:
            reader = ShardedIndex(f"{self.folder.name}/index", cache=f"{self.folder.name}/cache")
            self.older.append((reader, self.one.ids, None, None))

    @rule()
    def open_again(self):
        self.many.close()
        self.many = ShardedIndex(f"{self.folder.name}/index", cache=f"{self.folder.name}/cache")

    @rule(how=FILTERS, k=st.integers(1, 40), radius=st.integers(0, 12), excludes=st.booleans())
    def search(self, how, k, radius, excludes):
        queries = self.draw(5)
        one, many = (self.restricted(index, how) for index in (self.one, self.many))
        ids = self.one.ids
        exclude = self.rng.choice(np.append(ids, -1), 5) if excludes else None
        same(
            self.one.search(queries, k, filter=one, exclude=exclude),
            self.many.search(queries, k, filter=many, exclude=exclude),
        )
        same(
            self.one.range_search(queries, radius, filter=one, exclude=exclude),
            self.many.range_search(queries, radius, filter=many, exclude=exclude),
        )

    def restricted(self, index, how):
        ids = self.one.ids
        mask = ids % 3 != 0
        if how == "none":
            return None
        if how == "mask":
            return mask
        if how == "ids":
            return ids[mask][::-1]
        if how == "prepared":
            return index.filter(ids[mask])
        if how == "range":
            return index.filter(range(3, 40))
        return ~(index.filter(range(20)) & index.filter(mask)) - index.filter(ids[:2])

    @rule(radius=st.integers(0, 9))
    def duplicates(self, radius):
        one, many = self.one.duplicates(radius), self.many.duplicates(radius)
        same(one, many)

    @invariant()
    def alike(self):
        if hasattr(self, "many"):
            ids = self.one.ids
            same([ids, self.one.get(ids)], [self.many.ids, self.many.get(ids)])
            assert len(self.one) == len(self.many)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


@pytest.mark.parametrize("shards", [1, 3, 7])
@given(
    n=st.integers(0, 120),
    bits=st.sampled_from([8, 12, 64, 100, 256]),
    values=st.sampled_from([1, 5, 4000]),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 130),
)
@settings(max_examples=25, deadline=None)
def test_any_number_of_shards_answers_as_one_index(shards, n, bits, values, seed, k):
    rng = np.random.default_rng(seed)
    codes = oracle.skewed_codes(rng, n, bits, values)
    ids = rng.permutation(3 * n)[:n].astype(np.int64)
    queries = oracle.random_codes(rng, 4, bits)
    with tempfile.TemporaryDirectory() as folder:
        index = ShardedIndex.create(f"{folder}/index", bits, cache=f"{folder}/cache")
        # Ids of all shards lie among those of the others.
        for part in np.array_split(np.arange(n), shards):
            index.add(codes[part], ids[part])
        same(index.search(queries, k), oracle.search(queries, codes, ids, k))
        same(index.range_search(queries, 9), oracle.range_search(queries, codes, ids, 9))
        index.close()


@pytest.fixture
def index(tmp_path, rng):
    index = ShardedIndex.create(tmp_path / "index", 64, encoder="a", cache=tmp_path / "cache")
    index.add(oracle.random_codes(rng, 90, 64), shard_codes=30)
    yield index
    index.close()


def opened(tmp_path, **options):
    return ShardedIndex(tmp_path / "index", cache=tmp_path / "cache", **options)


def test_wrong_arguments_are_told_as_an_index_tells_them(index):
    one = hashret.Index(64, encoder="a")
    one.add(index.get(range(90)))
    queries = index.get([3])
    for call in (
        lambda each: each.search(queries[:, :4], 3),
        lambda each: each.search(queries.astype(float), 3),
        lambda each: each.search(queries, 0),
        lambda each: each.search(queries, 3, filter=[3, 90]),
        lambda each: each.search(queries, 3, filter=[[3]]),
        lambda each: each.search(queries, 3, filter=[True]),
        lambda each: each.search(queries, 3, exclude="self"),
        lambda each: each.search(queries, 3, exclude=[1, 2]),
        lambda each: each.search(queries, 3, exclude="other"),
        lambda each: each.search(queries, 3, threads=0),
        lambda each: each.range_search(queries, -1),
        lambda each: each.get([1, 99]),
        lambda each: each.remove([1, 99]),
        lambda each: each.remove([1, 1]),
        lambda each: each.add(queries, [3]),
        lambda each: each.add(queries[[0, 0]], [100, 100]),
        lambda each: each.add(queries, [-1]),
        lambda each: each.add(queries, [1, 2]),
        lambda each: each.filter(range(0, 9, 2)),
        lambda each: each.duplicates(-1),
    ):
        one_error, many_error = errors_of(lambda c=call: c(one), lambda c=call: c(index))
        assert one_error is many_error is not None
    assert index.generation == 1
    with pytest.raises(hashret.ParameterError, match="another index"):
        index.search(queries, 1, filter=opened_filter(index))


def opened_filter(index):
    other = ShardedIndex(index._location.name, cache=index._cache.folder)
    return other.filter([1])


@pytest.mark.parametrize("bits", [1, 12, 64, 100, 4096])
def test_checksums_tell_codes_apart(bits, tmp_path, rng):
    with ShardedIndex.create(tmp_path / "index", bits, cache=tmp_path / "cache") as index:
        assert [len(each) for each in index.checksums()] == [0, 0]
        codes = oracle.skewed_codes(rng, 300, bits, 40)
        ids = rng.permutation(900)[:300].astype(np.int64)
        for part in np.array_split(np.arange(300), 3):
            index.add(codes[part], ids[part])
        index.remove(ids[::7])
        found, sums = index.checksums()
        same([found], [index.ids])
        which = {code.tobytes() for code in index.get(found)}
        pairs = {(code.tobytes(), int(s)) for code, s in zip(index.get(found), sums, strict=True)}
        assert len(which) == len(pairs) == len(np.unique(sums))


def test_async_answers_are_those_of_the_others(index):
    queries = index.get([3, 40, 80])

    async def ask():
        return await asyncio.gather(
            index.search_async(queries, 4), index.range_search_async(queries, 20, partial=True)
        )

    found, (within, missing) = asyncio.run(ask())
    same(found, index.search(queries, 4))
    same(within, index.range_search(queries, 20))
    assert missing == ()


def test_a_manifest_of_another_encoder_is_refused(index, tmp_path):
    with pytest.raises(hashret.EncoderMismatchError, match="of encoder a, expected b"):
        opened(tmp_path, encoder="b")
    # Nor does a shard of another get in by a manifest that was put together by hand.
    location = open_location(tmp_path / "index")
    latest = location.manifest()
    location.commit(Manifest(64, "b", latest.generation + 1, 90, latest.shards))
    with (
        opened(tmp_path) as other,
        pytest.raises(hashret.EncoderMismatchError, match="of encoder a"),
    ):
        other.search(np.zeros((1, 8), np.uint8), 1)
    with pytest.raises(hashret.FormatError, match="other codes"):
        index.refresh()


def test_older_readers_go_on(index, tmp_path):
    reader, queries = opened(tmp_path), index.get([5, 50])
    before = reader.search(queries, 90)
    index.remove([5, 50])
    index.compact()
    index.add(queries)
    same(reader.search(queries, 90), before)
    assert reader.refresh()
    assert not reader.refresh()
    same(reader.search(queries, 90), index.search(queries, 90))
    assert 90 in reader
    assert 5 not in reader
    with opened(tmp_path, generation=1) as old:
        same(old.search(queries, 90), before)
    freed = index.drop_unused()
    assert freed > 0
    with opened(tmp_path, generation=1) as old:
        (tmp_path / "cache" / old.shards[0].index.name).unlink()
        with pytest.raises(hashret.UnavailableError, match="1 of 3"):
            old.search(queries, 90)


def test_of_two_writers_one_wins_and_the_other_is_told(index, tmp_path):
    other = opened(tmp_path)
    index.add(index.get([1]))
    for change in (
        lambda: other.add(other.get([2])),
        lambda: other.remove([2]),
        lambda: other.compact(),
    ):
        with pytest.raises(hashret.ConflictError, match=r"generation 2, and there is 2"):
            change()
    assert len(other) == 90
    other.refresh()
    other.remove([2])
    assert index.refresh()
    assert 2 not in index
    assert len(index) == 90
    with pytest.raises(hashret.ConflictError):
        ShardedIndex.create(tmp_path / "index", 64)
    # A name of an old manifest that is free again is none of a new one.
    os.unlink(tmp_path / "index" / "manifests" / "000000000002.json")
    late = opened(tmp_path, generation=1)
    with pytest.raises(hashret.ConflictError):
        late.remove([7])
    assert index.refresh() is False


def test_a_change_that_others_build_on_at_once_is_no_conflict(index, tmp_path, monkeypatch):
    location, create = index._location, index._location.create

    def create_and_be_overtaken(*given):
        create(*given)
        with opened(tmp_path) as other:
            other.add(other.get([1]))

    monkeypatch.setattr(location, "create", create_and_be_overtaken)
    np.testing.assert_array_equal(index.add(index.get([2])), [90])
    assert location.generations() == [0, 1, 2, 3]
    index.refresh()
    assert len(index) == 92


def test_a_link_that_is_made_twice_is_no_conflict(index, monkeypatch):
    link = os.link

    def link_and_repeat(*given):
        link(*given)
        link(*given)

    monkeypatch.setattr(os, "link", link_and_repeat)
    index.remove([3])
    assert index._location.generations() == [0, 1, 2]


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_of_many_writers_at_once_one_wins(where, tmp_path):
    pytest.importorskip("fsspec")
    place = str(tmp_path / "index") if where == "folder" else f"memory://{tmp_path}"
    ShardedIndex.create(place, 8, cache=tmp_path / "cache").close()
    barrier, won = threading.Barrier(8), []

    def write(number):
        index = ShardedIndex(place, cache=tmp_path / "cache")
        barrier.wait()
        try:
            index.add(np.full((1, 1), number, np.uint8))
            won.append(number)
        except hashret.ConflictError:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index = ShardedIndex(place, cache=tmp_path / "cache")
    # A writer that opened late has seen the first one's codes, and adds to them.
    assert len(index) == len(won) == index.generation >= 1
    assert sorted(index.get(index.ids).ravel().tolist()) == sorted(won)


def test_a_damaged_shard_is_found_and_fetched_again(index, tmp_path, rng):
    queries = index.get([5, 50])
    before = index.search(queries, 9)
    for shard in index.shards:
        path = tmp_path / "cache" / shard.index.name
        data = bytearray(path.read_bytes())
        data[rng.integers(64, len(data))] ^= 0x10
        path.write_bytes(data)
    with opened(tmp_path) as again:
        same(again.search(queries, 9), before)
    for shard in index.shards:
        assert Cache(tmp_path / "cache").verify(shard.index)


def test_damage_that_leaves_no_trace_is_found_by_reading(index, tmp_path):
    path = tmp_path / "cache" / index.shards[0].index.name
    index.search(index.get([5]), 1)
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not Cache(tmp_path / "cache").verify(index.shards[0].index)
    assert not path.exists()
    with opened(tmp_path) as again:
        again.get([5])
    assert Cache(tmp_path / "cache").verify(index.shards[0].index)


def test_damage_at_the_source_is_an_error_that_names_the_shard(index, tmp_path):
    shard = index.shards[1]
    source = tmp_path / "index" / "files" / shard.index.name
    for data in (source.read_bytes()[:-1], source.read_bytes() + b"x", b""):
        source.write_bytes(data)
        with ShardedIndex(tmp_path / "index", cache=tmp_path / "other") as fresh:
            with pytest.raises(hashret.UnavailableError, match="damaged or truncated") as told:
                fresh.search(np.zeros((1, 8), np.uint8), 1)
            assert told.value.shards == (shard.name,)
            found, missing = fresh.search(np.zeros((2, 8), np.uint8), 90, partial=True)
            assert missing == (shard.name,)
            assert set(found[1].ravel()) == {*range(30), *range(60, 90), -1}
    assert not [name for name in os.listdir(tmp_path / "other") if name.startswith(".")]


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_the_same_content_mends_a_damaged_file(where, tmp_path):
    pytest.importorskip("fsspec")
    location = open_location(tmp_path / "index" if where == "folder" else f"memory://{tmp_path}")
    blob = location.put(b"codes", ".hri")
    for damaged in (b"coded", b"code", b""):
        location.write(f"files/{blob.name}", damaged)
        assert not location.is_whole(blob)
        assert location.put(b"codes", ".hri") == blob
        assert location.is_whole(blob)
        with location.open(blob) as file:
            assert file.read() == b"codes"


def test_a_cache_keeps_to_its_budget(index, tmp_path):
    sizes = [shard.index.size for shard in index.shards]
    cache = Cache(tmp_path / "small", budget=sum(sizes) - 1)
    location = open_location(tmp_path / "index")
    first, second = (cache.hold(location, shard.index) for shard in index.shards[:2])
    # Not what is in use, though another process asks.
    with pytest.raises(hashret.UnavailableError, match="larger budget"):
        Cache(tmp_path / "small", budget=sum(sizes) - 1).hold(location, index.shards[2].index)
    first.release()
    third = cache.hold(location, index.shards[2].index)
    assert cache.bytes <= sum(sizes) - 1
    assert not os.path.exists(first.path)
    assert os.path.exists(second.path)
    # Of what nobody holds, what was used least recently goes first.
    second.release()
    third.release()
    cache.hold(location, index.shards[1].index).release()
    cache.hold(location, index.shards[0].index).release()
    assert os.path.exists(second.path)
    assert not os.path.exists(third.path)


def test_a_cache_without_room_costs_the_shard_alone(index, tmp_path):
    queries, size = index.get([5, 50]), max(shard.index.size for shard in index.shards)
    with ShardedIndex(tmp_path / "index", cache=tmp_path / "small", budget=size) as small:
        found, missing = small.search(queries, 90, partial=True)
        assert missing == tuple(shard.name for shard in index.shards[1:])
        assert set(found[1].ravel()) == {*range(30), -1}
        with pytest.raises(hashret.UnavailableError, match=r"2 of 3 .* larger budget"):
            small.search(queries, 90)


def test_a_cache_counts_and_drops_what_killed_fetches_left(index, tmp_path):
    blobs, location = [shard.index for shard in index.shards], open_location(tmp_path / "index")
    cache = Cache(tmp_path / "small", budget=2 * blobs[0].size + 2000)
    old, new, held = (tmp_path / "small" / f".hashret-{n:016x}" for n in range(3))
    for path in (old, new, held):
        path.write_bytes(bytes(1000))
    for path in (old, held):
        os.utime(path, (0, 0))
    with open(held, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        for blob in blobs:
            cache.hold(location, blob).release()
            # What is fetched by others now has its place, too.
            assert cache.bytes <= cache.budget
            assert [path.exists() for path in (old, new, held)] == [False, True, True]
    assert cache.bytes == cache.budget


def test_a_file_is_not_dropped_while_it_is_taken(index, tmp_path, monkeypatch):
    first, second = (shard.index for shard in index.shards[:2])
    location, unlink = open_location(tmp_path / "index"), os.unlink
    cache = Cache(tmp_path / "small", budget=first.size)
    held = cache.hold(location, first)
    path = held.path
    held.release()

    def unlink_and_look(name):
        if name == path:
            with open(path, "rb") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        unlink(name)

    monkeypatch.setattr(os, "unlink", unlink_and_look)
    cache.hold(location, second)
    assert not os.path.exists(path)


def test_what_fsspec_opens_serves_as_a_folder_does(index, tmp_path, rng):
    pytest.importorskip("fsspec")
    codes = index.get(index.ids)
    remote = ShardedIndex.create(f"memory://{tmp_path}/remote", 64, cache=tmp_path / "cache")
    remote.add(codes, shard_codes=25)
    remote.remove([4, 80])
    index.remove([4, 80])
    queries = oracle.random_codes(rng, 3, 64)
    same(remote.search(queries, 99), index.search(queries, 99))
    remote.compact()
    assert remote.drop_unused() > 0
    same(remote.search(queries, 99), index.search(queries, 99))
    with pytest.raises(hashret.ConflictError):
        ShardedIndex.create(f"memory://{tmp_path}/remote", 64)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_manifest_is_told(data):
    blob = cluster.Blob.of(b"codes", ".hri")
    whole = Manifest(64, "a", 3, 9, (cluster.Shard(blob, 9, 0, 8),)).dumps()
    at = data.draw(st.integers(0, len(whole) - 2))
    byte = data.draw(st.integers(0, 255))
    for damaged in (whole[:at], whole[:at] + bytes([byte]) + whole[at + 1 :]):
        if damaged != whole:
            try:
                # JSON has white space and case of escapes to differ by.
                assert Manifest.loads(damaged) == Manifest.loads(whole)
            except hashret.FormatError:
                continue


@pytest.mark.parametrize("name", ["../../etc/passwd.hri", "a.hri", "0" * 64, "0" * 64 + ".x.hri"])
def test_a_manifest_names_no_other_files(name):
    shard = cluster.Shard(cluster.Blob(name, 1), 1, 0, 0)
    with pytest.raises(hashret.FormatError, match="name"):
        Manifest.loads(Manifest(64, shards=(shard,)).dumps())


@pytest.mark.parametrize("encoder", ["x" * 65, "é", "", "a\0"])
def test_an_encoder_that_no_shard_could_have_is_refused_first(encoder, tmp_path):
    with pytest.raises(hashret.ParameterError, match="encoder: expected 1 to 64 ASCII"):
        ShardedIndex.create(tmp_path / "index", 8, encoder=encoder, cache=tmp_path / "cache")
    ShardedIndex.create(tmp_path / "index", 8, cache=tmp_path / "cache").close()


def test_no_index_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no sharded index is here"):
        ShardedIndex(tmp_path / "none", cache=tmp_path / "cache")
    assert not (tmp_path / "none").exists()
