"""The simulation of a cluster against what queueing theory knows."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

if not (Path(__file__).parents[1] / "benchmarks").exists():
    pytest.skip("benchmarks/ is not beside the tests", allow_module_level=True)

from benchmarks.fanout import Cluster, simulate
from benchmarks.scale import grid, main, read_seconds

EXPONENTIAL = np.random.default_rng(1).exponential(1.0, 200_000)
UNIFORM = np.random.default_rng(2).random(200_000)
SELDOM = 1e-6


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_one_server_with_exponential_work(load):
    """Time in an M/M/1 queue is exponential, of mean 1 / (1 - load)."""
    outcome = simulate(Cluster(1), EXPONENTIAL, load, 40_000, 0)
    mean = 1 / (1 - load)
    assert outcome.latencies.mean() == pytest.approx(mean, rel=0.06)
    assert outcome.quantile(0.99) == pytest.approx(-math.log(0.01) * mean, rel=0.12)
    assert outcome.tries == 1


def test_two_servers_with_exponential_work():
    """An M/M/2 queue at load 1/2: a third of all wait (Erlang C), 1 in the mean."""
    outcome = simulate(Cluster(1, at_once=2), EXPONENTIAL, 1.0, 60_000, 0)
    assert outcome.latencies.mean() == pytest.approx(1 + 1 / 3, rel=0.04)


def test_replicas_share_the_queries():
    """Chosen at random, each of two replicas is an M/M/1 queue of half the rate."""
    outcome = simulate(Cluster(1, replicas=2), EXPONENTIAL, 1.0, 60_000, 0)
    assert outcome.latencies.mean() == pytest.approx(2, rel=0.06)


@pytest.mark.parametrize("shards", [1, 10, 100])
def test_the_slowest_shard_counts(shards):
    """Without queues a query is within x if all shards are: the distribution to the power."""
    outcome = simulate(Cluster(shards), UNIFORM, SELDOM, 1500, 0)
    for share in (0.1, 0.5, 0.9):
        assert outcome.quantile(share) == pytest.approx(share ** (1 / shards), abs=0.03)


def test_hedging_helps_against_pauses_and_not_against_work():
    pausing = Cluster(1, replicas=2, pauses=0.1, pause=1000.0)
    hedged = Cluster(1, replicas=2, hedge=2.0, pauses=0.1, pause=1000.0)
    ones = np.ones(1)
    alone = simulate(pausing, ones, SELDOM, 20_000, 0)
    both = simulate(hedged, ones, SELDOM, 20_000, 0)
    # Late if the first pauses; then if both do.
    assert (alone.latencies > 3.1).mean() == pytest.approx(0.1, rel=0.1)
    assert (both.latencies > 3.1).mean() == pytest.approx(0.01, rel=0.3)
    assert both.tries == pytest.approx(1.1, rel=0.01)
    slow = simulate(Cluster(1, replicas=2, hedge=2.0), np.array([5.0]), SELDOM, 100, 0)
    assert slow.latencies == pytest.approx(5.0)
    assert slow.tries == 2


def test_two_that_are_asked_at_once_answer_by_the_quicker():
    """Each with work of its own: both are later than x with (1 - x) squared."""
    cluster = Cluster(1, replicas=2, hedge=0.0, same_work=False)
    outcome = simulate(cluster, UNIFORM, SELDOM, 4000, 0)
    for share in (0.1, 0.5, 0.9):
        assert outcome.quantile(share) == pytest.approx(1 - math.sqrt(1 - share), abs=0.03)


def test_what_waits_when_it_is_answered_is_dropped():
    """Two replicas, hedged at once, full: tries in the queue cost nothing, so that it is stable."""
    outcome = simulate(Cluster(1, replicas=2, hedge=0.0), EXPONENTIAL, 0.8, 20_000, 0)
    assert outcome.latencies.mean() < 10
    assert outcome.tries > 1


def test_a_seed_is_a_result():
    cluster = Cluster(3, replicas=2, hedge=1.0, pauses=0.01, pause=10.0)
    one, same, other = (simulate(cluster, EXPONENTIAL, 0.5, 500, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.latencies, same.latencies)
    assert not np.array_equal(one.latencies, other.latencies)


def test_the_grid_says_that_more_shards_are_slower():
    rows = list(grid(UNIFORM[:1000], 60, 0))
    by_policy = {}
    for row in rows:
        by_policy.setdefault(row["policy"], []).append(row["p50"])
    assert all(times == sorted(times) for times in by_policy.values())


def test_a_cluster_that_was_measured(tmp_path, capsys):
    """Seconds of a queue with a known answer, against the simulation of it."""
    rng = np.random.default_rng(3)
    shard, whole = tmp_path / "shard.jsonl", tmp_path / "cluster.jsonl"
    shard.write_text("".join(f"{one}\n" for one in UNIFORM[:20_000] + 1e-9))
    whole.write_text("".join(f"{one}\n" for one in rng.random((5000, 3)).max(axis=1)))
    arguments = ["--latencies", str(shard), "--measured", str(whole), "--rate", "1e-6"]
    assert main([*arguments, "--shards", "3"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["quantile"] for row in rows] == ["p50", "p99", "p999"]
    assert all(row["ratio"] == pytest.approx(1, rel=0.05) for row in rows)


@pytest.mark.parametrize("text", ["", "x\n", "-1\n", "NaN\n", "[1, 2]\n", "0.1\nnull\n"])
def test_what_are_no_seconds_is_refused(text, tmp_path):
    (tmp_path / "a").write_text(text)
    with pytest.raises(SystemExit, match="expected"):
        read_seconds(tmp_path / "a")
