"""Calls to replicas: what is sent, and who is waited for. Real ones are in test_replicas."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
from types import SimpleNamespace

import numpy as np
import pytest

import hashret
from hashret.cluster.fleet import Call
from hashret.cluster.replicas.asking import Asker
from hashret.cluster.replicas.messages import packed, unpacked
from hashret.cluster.replicas.replica import Replica


@pytest.mark.parametrize("codes", [10, 100_000])
def test_messages_keep_arrays_of_any_size(rng, codes):
    array = rng.integers(0, 256, (codes, 8), np.uint8)
    message = packed(("near", array, array[::2], None))
    # Large ones are left to Ray, which does not copy them.
    assert isinstance(message, bytes) == (codes == 10)
    name, whole, half, nothing = unpacked(message)
    assert (name, nothing) == ("near", None)
    np.testing.assert_array_equal(whole, array)
    np.testing.assert_array_equal(half, array[::2])


class Reference:
    """The answer of an actor: a value, an error of Ray's, or nothing yet."""

    def __init__(self, value):
        self._future = concurrent.futures.Future()
        if isinstance(value, Exception):
            self._future.set_exception(value)
        elif value is not None:
            self._future.set_result(value)

    def future(self):
        return self._future


class Waiting:
    """What waits for answers as Ray does."""

    def get(self, references, timeout):
        if isinstance(references, Reference):
            return references.future().result(timeout)
        return [each.future().result(timeout) for each in references]

    def wait(self, references, num_returns, timeout):
        done = [each for each in references if each.future().done()]
        return done, [each for each in references if each not in done]


def good(value):
    return packed((True, value))


class Shards:
    """Shards of two replicas each, by what these say; notes who is asked."""

    def __init__(self, **said):
        self.asked = []
        self.replicas = {
            name: [self._replica(f"{name}{turn}", value) for turn, value in enumerate(each)]
            for name, each in said.items()
        }
        self.asker = Asker(
            Waiting(), SimpleNamespace(replicas=self.replicas.get, lose=lambda replica: None)
        )

    def _replica(self, name, value):
        def call(message):
            self.asked.append(name)
            return Reference(value)

        handle = SimpleNamespace(call=SimpleNamespace(remote=call))
        return Replica(name, "node", handle)

    def ask(self, method="search", patience=0.05, timeout=10):
        """Return whether all answered at once, and what is found in the end."""
        shards = [SimpleNamespace(name=n, index=SimpleNamespace(name=n)) for n in self.replicas]
        calls = [Call(shard, method, ()) for shard in shards]
        questions = self.asker.questions(calls, timeout)
        for question in questions:
            question.patience = min(patience, timeout)
        if self.asker.answered(questions):
            return True, [each.found for each in questions]

        async def all_of():
            return await asyncio.gather(*(each.answer() for each in questions))

        return False, asyncio.run(all_of())

    @property
    def waiting(self):
        return {each.shard: each.waiting for some in self.replicas.values() for each in some}


REFUSED = packed((False, hashret.FormatError("damaged")))
TROUBLES = {
    "late": None,
    "refused": REFUSED,
    "ended": RuntimeError("its actor ended"),
    "not to be read": b"no pickle",
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_that_fails_is_gone_on_with_and_no_other_is_asked_twice(trouble, seed):
    random.seed(seed)
    shards = Shards(a=[good(1), good(9)], b=[TROUBLES[trouble], good(2)], c=[good(3), good(9)])
    assert shards.ask() == (False, [1, 2, 3])
    assert sorted(shards.asked) == ["a0", "b0", "b1", "c0"]
    # One that is late has its call still.
    late = {"b0"} if trouble == "late" else set()
    assert {name for name, count in shards.waiting.items() if count} == late


def test_all_that_answer_in_time_are_found_at_once():
    shards = Shards(a=[good(1), None], b=[good(2), None])
    assert shards.ask() == (True, [1, 2])
    assert shards.asker.questions([], 1) == []
    assert shards.asker.answered([])
    assert set(shards.waiting.values()) == {0}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", ["search", "groups"])
def test_answers_that_came_are_kept_when_time_is_up(method, seed):
    random.seed(seed)
    shards = Shards(a=[good(1)], b=[None], c=[good(3)])
    at_once, (a, b, c) = shards.ask(method, patience=0.1, timeout=0.1)
    assert not at_once
    assert (a, c) == (1, 3)
    assert isinstance(b, hashret.UnavailableError)


@pytest.mark.parametrize("late", [False, True])
def test_how_long_calls_take_is_seen_of_one_a_query(monkeypatch, late):
    """Late ones would else count more than those in time, and nobody be asked for them."""
    shards = Shards(a=[good(1)], b=[None if late else good(2), good(2)], c=[good(3)])
    noted = []
    monkeypatch.setattr(shards.asker, "note", lambda call, seconds: noted.append(call))
    shards.ask()
    assert len(noted) == 1


def test_what_cannot_be_sent_is_an_error_and_nobody_waits():
    shards = Shards(a=[good(1)], b=[good(2)])

    def fails(message):
        raise RuntimeError("no cluster")

    shards.replicas["b"][0].handle.call.remote = fails
    with pytest.raises(RuntimeError, match="no cluster"):
        shards.ask()
