"""Calls to replicas: what is sent, and who is waited for. Real ones are in test_replicas."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from cluster_nodes import wait_until

import hashret
from hashret.cluster.fleet import Call
from hashret.cluster.replicas import wire
from hashret.cluster.replicas.asking import Asker
from hashret.cluster.replicas.door import Door
from hashret.cluster.replicas.messages import as_bytes, packed, unpacked
from hashret.cluster.replicas.replica import Replica

KEY = b"a key"
# What a replica says whose process ends while it is asked.
ENDS = object()


@pytest.mark.parametrize("codes", [10, 100_000])
def test_messages_keep_arrays_of_any_size(rng, codes):
    array = rng.integers(0, 256, (codes, 8), np.uint8)
    message = packed(("near", array, array[::2], None))
    # Large ones are left to Ray, which does not copy them.
    assert isinstance(message, bytes) == (codes == 10)
    for each in (message, as_bytes(message)):
        name, whole, half, nothing = unpacked(each)
        assert (name, nothing) == ("near", None)
        np.testing.assert_array_equal(whole, array)
        np.testing.assert_array_equal(half, array[::2])


class Reference:
    """The answer of an actor: a value, an error of Ray's, or nothing yet."""

    def __init__(self, value):
        self._future = concurrent.futures.Future()
        if value is ENDS:
            self._future.set_exception(RuntimeError("its process ended"))
        elif value is not None:
            self._future.set_result(value)

    def future(self):
        return self._future


def good(value):
    return packed((True, value))


class Shards:
    """Shards of some replicas each, by what these say; notes who is asked."""

    def __init__(self, has_doors, said):
        self.asked, self.doors, self.over = [], [], threading.Event()
        self.replicas = {
            name: [
                self._replica(f"{name}{turn}", value, has_doors) for turn, value in enumerate(each)
            ]
            for name, each in said.items()
        }
        self.lost = []
        # It goes on, as that of a fleet does, for answers that come late.
        self.loop = asyncio.SelectorEventLoop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.asker = Asker(SimpleNamespace(replicas=self._ranked, lose=self.lost.append))

    def _replica(self, name, value, has_door):
        def by_ray(message):
            self.asked.append(name)
            return Reference(value)

        def by_door(message):
            self.asked.append(name)
            if value is None:
                self.over.wait()
            if value is ENDS:
                raise ConnectionResetError
            return value or b""

        handle = SimpleNamespace(call=SimpleNamespace(remote=by_ray))
        replica = Replica(name, "node", handle, KEY)
        replica.answers = replica.ready = True
        if has_door:
            self.doors.append(Door("127.0.0.1", KEY, by_door, at_once=9))
            replica.believe(self.doors[-1].address)
            wait_until(lambda: replica.is_near, 20)
        return replica

    def _ranked(self, name):
        return sorted(self.replicas[name], key=lambda each: each.rank)

    def ask(self, method="search", patience=0.1, timeout=10):
        """Return whether all answered at once, and what is found in the end."""
        shards = [SimpleNamespace(name=n, index=SimpleNamespace(name=n)) for n in self.replicas]
        calls = [Call(shard, method, ()) for shard in shards]
        # Shards are plain names here, whose messages are not looked at.
        questions = self.asker.questions(calls, timeout)
        for question in questions:
            question.patience = min(patience, timeout)
        if self.asker.answered(questions):
            return True, [each.found for each in questions]

        async def all_of():
            return await asyncio.gather(*(each.answer() for each in questions))

        return False, asyncio.run_coroutine_threadsafe(all_of(), self.loop).result(30)

    @property
    def waiting(self):
        return {each.shard: each.waiting for some in self.replicas.values() for each in some}

    def close(self):
        self.over.set()
        for door in self.doors:
            door.close()
        for some in self.replicas.values():
            for each in some:
                each.lost = True
                each.disconnect()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(params=[False, True], ids=["by Ray", "by doors"])
def shards_of(request):
    made = []

    def make(**said):
        made.append(Shards(request.param, said))
        return made[-1]

    make.by_doors = request.param
    yield make
    for each in made:
        each.close()


REFUSED = packed((False, hashret.FormatError("damaged")))
TROUBLES = {"late": None, "refused": REFUSED, "ended": ENDS, "not to be read": b"no pickle"}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("where", "abc")
def test_one_that_fails_is_gone_on_with_and_no_other_is_asked_twice(shards_of, trouble, where):
    said = {name: [good(number), good(9)] for number, name in enumerate("abc")}
    said[where] = [TROUBLES[trouble], good(2)]
    shards = shards_of(**said)
    assert shards.ask(patience=5 if trouble != "late" else 0.5) == (
        False,
        [2 if name == where else number for number, name in enumerate("abc")],
    )
    assert sorted(shards.asked) == sorted(["a0", "b0", "c0", f"{where}1"])
    # One that is late has its call still.
    late = {f"{where}0"} if trouble == "late" else set()
    assert {name for name, count in shards.waiting.items() if count} == late
    shards.over.set()
    if shards_of.by_doors:
        wait_until(lambda: not any(shards.waiting.values()), 20)


def test_all_that_answer_in_time_are_found(shards_of):
    shards = shards_of(a=[good(1), None], b=[good(2), None])
    # What goes by Ray is waited for by the event loop.
    assert shards.ask() == (shards_of.by_doors, [1, 2])
    assert shards.asker.questions([], 1) == []
    assert shards.asker.answered([])
    assert set(shards.waiting.values()) == {0}


@pytest.mark.parametrize("method", ["search", "groups"])
def test_answers_that_came_are_kept_when_time_is_up(shards_of, method):
    shards = shards_of(a=[good(1)], b=[None], c=[good(3)])
    at_once, (a, b, c) = shards.ask(method, patience=1, timeout=1)
    assert not at_once
    assert (a, c) == (1, 3)
    assert isinstance(b, hashret.UnavailableError)


@pytest.mark.parametrize("patience", [0.1, 1.0])
def test_one_that_says_nothing_is_asked_by_ray_the_next_time(shards_of, patience):
    """What lies between may drop what is sent without a word; Ray has its own connections."""
    shards = shards_of(a=[None])
    [replica] = shards.replicas["a"]
    replica.handle.call.remote = lambda message: Reference(good(1))
    at_once, [found] = shards.ask(patience=patience, timeout=0.3)
    if shards_of.by_doors:
        assert isinstance(found, hashret.UnavailableError)
        assert not replica.is_near
        at_once, [found] = shards.ask()
    assert (at_once, found) == (False, 1)
    shards.over.set()
    wait_until(lambda: replica.waiting == 0, 20)


def test_nobody_waits_for_a_connection_to_be_made(shards_of, monkeypatch):
    """A process that is frozen is connected to by the system, and never shows the key."""
    if not shards_of.by_doors:
        return
    shards = shards_of(a=[None, good(2)])
    first, _ = shards.replicas["a"]
    line = first._line
    monkeypatch.setattr(wire, "_GREETING", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        line._address = frozen.getsockname()
        # Somebody else waits by the one connection that there is.
        exchange = line.ask(b"")
        start = time.monotonic()
        assert shards.ask(patience=0.1) == (False, [2])
        assert time.monotonic() < start + 2.5
        assert line._is_growing
        exchange.forget(lambda: None)
        wait_until(lambda: not line._is_growing, 20)


def test_a_replica_whose_connection_ends_is_asked_by_ray_if_it_is_the_last(shards_of):
    shards = shards_of(a=[ENDS])
    [replica] = shards.replicas["a"]
    replica.handle.call.remote = lambda message: Reference(good(1))
    ranks = []
    ask = replica.ask
    replica.ask = lambda message: ranks.append(replica.rank) or ask(message)
    assert shards.ask() == (False, [1])
    # Others would be asked before it, until it is known again that it lives.
    assert ranks == [(False, False, 1), (False, True, 1)][: 1 + shards_of.by_doors]
    assert replica.rank == (False, False, 0)


def test_how_long_calls_take_is_seen_of_each(shards_of, monkeypatch):
    shards = shards_of(a=[good(1)], b=[None, good(2)], c=[good(3)])
    noted = []
    monkeypatch.setattr(shards.asker, "note", lambda call, seconds: noted.append(seconds))
    shards.ask(patience=0.5)
    assert len(noted) == 3
    # Those in time are not as late as the one that was waited for.
    assert max(noted) < 0.5


def test_what_cannot_be_sent_is_an_error_and_nobody_waits(shards_of):
    shards = shards_of(a=[good(1)], b=[good(2)])

    def fails(message):
        raise RuntimeError("no cluster")

    shards.replicas["b"][0].disconnect()
    shards.replicas["b"][0].handle.call.remote = fails
    with pytest.raises(RuntimeError, match="no cluster"):
        shards.ask()
    assert set(shards.waiting.values()) == {0}
