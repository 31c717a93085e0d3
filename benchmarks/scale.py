"""Tail latency against shards, replicas and hedging, simulated from seconds that were measured.

    python -m benchmarks.scale --latencies docs/scale-latencies.jsonl --out docs/scale-tail.jsonl \
        --picture docs/images/scale-tail.png

simulates the grid of docs/scale.md. `--latencies` has a number a line: the seconds that a shard
needed for a query, such as `benchmarks.scale_costs` writes. A cluster that was measured is compared
with what the simulation says of it:

    python -m benchmarks.scale --latencies shard.jsonl --measured cluster.jsonl --shards 3 --rate 20

where `cluster.jsonl` has the seconds of whole queries, a number a line, too: `benchmarks.cluster
--tail` writes both. The rows go to the standard output; those of docs/scale.md are in
docs/scale-cluster.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hashret
from hashret.evaluation.canvas import frame, line_style, new_figure, save
from hashret.files import replacing

from .fanout import Cluster, Outcome, Seconds, simulate

SHARDS = (1, 3, 10, 30, 100, 300)
QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
# Name, replicas, and at which quantile of a shard's own answers another replica is asked.
POLICIES: tuple[tuple[str, int, float | None], ...] = (
    ("1 replica", 1, None),
    ("2 replicas", 2, None),
    ("2 replicas, hedged", 2, 0.95),
)
# Of the rate that one replica can take; pauses are a share of tries, and so many medians long.
LOAD, PAUSES, PAUSE = 0.3, 0.001, 20.0


def main(arguments: list[str] | None = None) -> int:
    """Simulate the grid, or one cluster beside its measured seconds."""
    options = _parser().parse_args(arguments)
    work = read_seconds(options.latencies)
    if options.measured:
        _compare(work, read_seconds(options.measured), options)
        return 0
    rows = list(grid(work, options.queries, options.seed))
    with replacing(options.out) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    if options.picture:
        draw(rows, options.picture)
    return 0


def read_seconds(path: Path) -> Seconds:
    """Read a positive number a line."""
    try:
        seconds = np.array([json.loads(line) for line in path.read_text().splitlines()], float)
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: expected a number of seconds a line: {error}") from None
    if seconds.ndim != 1 or not len(seconds) or not (np.isfinite(seconds) & (seconds > 0)).all():
        raise SystemExit(f"{path}: expected numbers of seconds above 0, one a line")
    return seconds


def grid(work: Seconds, queries: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each number of shards and policy, in medians of one shard's work."""
    median, mean = float(np.median(work)), float(work.mean())
    for name, replicas, share in POLICIES:
        for shards in SHARDS:
            cluster = Cluster(shards, replicas, pauses=PAUSES, pause=PAUSE * median)
            rate = LOAD / (mean + PAUSES * PAUSE * median)
            if share is not None:
                alone = simulate(Cluster(1, replicas), work, rate, queries, seed)
                cluster = Cluster(
                    shards,
                    replicas,
                    hedge=alone.quantile(share),
                    pauses=cluster.pauses,
                    pause=cluster.pause,
                )
            outcome = simulate(cluster, work, rate, queries, seed)
            yield {
                "policy": name,
                "shards": shards,
                "replicas": replicas,
                "load": LOAD,
                "hedge": share,
                "pauses": PAUSES,
                "pause": PAUSE,
                "queries": queries,
                "seed": seed,
                "median_seconds": median,
                "tries": round(outcome.tries, 4),
                **{key: round(outcome.quantile(q) / median, 3) for key, q in QUANTILES.items()},
            }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the picture: p50 and p99 against the number of shards."""
    figure = new_figure(9, 3.6)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(panels, ("p50", "p99"), strict=True):
        for number, (name, _, _) in enumerate(POLICIES):
            mine = [row for row in rows if row["policy"] == name]
            points = [row["shards"] for row in mine], [row[key] for row in mine]
            axes.plot(*points, label=name, **line_style(number))
        frame(axes, key, "shards", "medians of a shard's work")
        axes.set_xscale("log")
        axes.set_yscale("log")
    panels[0].legend(frameon=False, fontsize=9)
    save(figure, path)


def _compare(work: Seconds, measured: Seconds, options: argparse.Namespace) -> None:
    cluster = Cluster(
        options.shards,
        options.replicas,
        options.at_once,
        options.hedge,
        options.pauses,
        options.pause,
        same_work=not options.own_work,
    )
    found = simulate(cluster, work, options.rate, options.queries, options.seed)
    seen = Outcome(measured, 0.0)
    about = {
        **{name: getattr(options, name) for name in ("shards", "replicas", "rate", "hedge")},
        "queries": len(measured),
        "instruction set": hashret.cpu()["isa"],
        # Above the cores, others had them, too.
        "load": os.getloadavg()[1],
        "cores": len(os.sched_getaffinity(0)),
    }
    for key, share in QUANTILES.items():
        if len(measured) * (1 - share) < 1:
            # Of too few there is no such quantile.
            continue
        simulated, real = found.quantile(share), seen.quantile(share)
        row = {"quantile": key, "simulated": simulated, "measured": real, "ratio": real / simulated}
        print(json.dumps(row | about))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--latencies", type=Path, required=True, help="seconds of a shard, a number a line")
    add("--out", type=Path, default=Path("docs/scale-tail.jsonl"), help="rows of the grid")
    add("--picture", type=Path, help="the grid as a PNG")
    add("--queries", type=int, default=4000, help="queries that are told of each cluster")
    add("--seed", type=int, default=0)
    add("--measured", type=Path, help="seconds of whole queries of a cluster, a number a line")
    add("--shards", type=int, default=3, help="of that cluster")
    add("--replicas", type=int, default=1, help="of that cluster")
    add("--at-once", type=int, default=1, help="queries that its replicas work on at a time")
    add("--hedge", type=float, help="seconds until it asks another replica")
    add("--rate", type=float, default=1.0, help="queries a second that it was asked")
    add("--pauses", type=float, default=0.0, help="share of the tries that are held up")
    add("--pause", type=float, default=0.0, help="mean seconds of a pause")
    add("--own-work", action="store_true", help="each replica draws its own seconds for a query")
    return parser


if __name__ == "__main__":
    sys.exit(main())
