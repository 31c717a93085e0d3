"""What docs/scale.md says around the figures that docs/make_scale.py puts in."""

from __future__ import annotations

PAGE = """\
# A billion images, and a hundred billion

This page is written by

    python -m benchmarks.scale_costs --size {size} --out docs/scale.jsonl \\
        --latencies docs/scale-latencies.jsonl
    python -m benchmarks.scale --latencies docs/scale-latencies.jsonl \\
        --out docs/scale-tail.jsonl --picture docs/images/scale-tail.png
    python docs/make_scale.py

The first measures what one thread, one file and one answer cost. The second simulates many shards.
The third does the sums; no cluster of this size was run. {machine}

What is assumed, not measured, is in `docs/scale_sums.py`, to be changed there:

{assumed}

## What breaks first

At the larger of the two, with codes of 256 bits:

{breaks}

## What was measured

{measured}

"Clustered" codes are drawn around a thousandth as many centres with each bit flipped one time in
eight, "uniform" ones without any centre: codes of real images lie between. A query asks for the {k}
nearest.

## Bytes

{bytes}

{bytes_said}

## A query

All shards are asked, each for its {k} nearest, and the nearest of these are the answer: exactly
that of one index. A scan costs the same for a code however many there are. Tables were measured in
shards of {table_codes} codes: {growth}

{query}

## Nodes

Two replicas of everything, in memory, and {rate} queries a second:

{nodes}

A query by itself reads all codes; those of a batch read them together. What tables read is a small
part, here and there, and was not counted as bandwidth, but where a query by tables costs more than
half of a scan: there the planner has scanned.

{first}

## Network, and who merges

Shards of {shard_codes} codes. A query goes to each and brings {k} distances and ids back, in
pickled arrays; the front end merges them on one thread.

{network}

What {shards} messages a query cost the two sides, beside their bytes, is not in it.

## Rebuild

Encoding by `perceptual`, from files that are elsewhere; then the index. On as many nodes as the
table above has for 256 bits, by scan:

{rebuild}

{rebuild_said}

## Replication

Two replicas of a shard lie on different nodes. When a node is gone, others fetch what it held,
check its SHA-256, and map it. As fast as one node receives or checks:

{replication}

A shard that is mapped answers at once and reads its pages as it needs them, so that the first
queries wait for the disk. With {replicas} replicas a query is answered as long as one of each shard
is left. {spread}

## The tail

A query is as late as its latest shard. Each shard draws its work of {samples} that were measured
for single queries ({median}); one try in {pauses} is held up, {pause} medians long in
the mean, exponentially: a page that has to be read, another process. The rate is {load} of what one
replica can take. Hedged: a shard that has not answered within the {hedge}th percentile of a single
shard is asked again, of its other replica. {queries} queries a row, seed {seed}. Times in medians
of a shard's work:

{tail}

![p50 and p99 against shards: one replica, two, and hedged](images/scale-tail.png)

{tail_said}

`benchmarks/fanout.py` is the simulation, and says what it leaves out; its tests compare it with
queues whose answer is known.

### Beside a real cluster

    python -m benchmarks.cluster --tail shard.jsonl cluster.jsonl

measures whole queries of one shard, and of three shards with two replicas each, whose seconds it
writes, a number a line. It ends with the command that simulates such a cluster from the one shard's
and compares, `python -m benchmarks.scale --latencies shard.jsonl --measured cluster.jsonl ...`,
whose rows are `docs/scale-cluster.jsonl`:

{real}

{real_said}
"""
