"""Calls to replicas: what is sent, and who is waited for. Real ones are in test_replicas."""

from __future__ import annotations

import asyncio
import concurrent.futures
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


class Late:
    """What waits for answers as Ray does."""

    def get(self, references, timeout):
        return [each.result(timeout) for each in references]


def answer(value):
    future = concurrent.futures.Future()
    if value is not None:
        future.set_result(value)
    return SimpleNamespace(future=lambda: future, result=future.result)


@pytest.mark.parametrize("trouble", ["late", "refused", "none"])
def test_who_fails_to_answer_is_gone_on_with(trouble):
    """All are waited for at once; then each on its own, and nobody is asked twice."""
    told = {
        "late": None,
        "refused": packed((False, hashret.FormatError("damaged"))),
        "none": packed((True, 7)),
    }
    asked = []

    def replica(value):
        def call(message):
            asked.append(value)
            return answer(value)

        return Replica("x", "node", SimpleNamespace(call=SimpleNamespace(remote=call)))

    good = packed((True, 7))
    replicas = {"a": [replica(good)], "b": [replica(told[trouble]), replica(packed((True, 8)))]}
    keeper = SimpleNamespace(replicas=lambda shard: replicas[shard])
    asker = Asker(Late(), keeper)
    shards = [SimpleNamespace(name=name, index=SimpleNamespace(name=name)) for name in "ab"]
    questions = asker.questions([Call(shard, "search", ()) for shard in shards], 10)
    for question in questions:
        question.patience = 0.05
    at_once = asker.answered(questions)
    assert at_once == (trouble == "none")
    found = (
        [each.found for each in questions]
        if at_once
        else [asyncio.run(each.answer()) for each in questions]
    )
    assert found == [7, 7 if trouble == "none" else 8]
    assert len(asked) == 2 + (trouble != "none")
    # One that is late has its call still.
    assert [each.waiting for each in replicas["b"]] == [int(trouble == "late"), 0]
    assert replicas["a"][0].waiting == 0
