"""What the weight of classes, the bits of cells and gamma buy, on held-out training images.

Settings of `prism` were chosen by this, and no test image is looked at. Run with ``python -m
benchmarks.dials --data DATA --cache CACHE --out docs/dials.jsonl``; rows that are there stay.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hashret.experiments.benchmark.dials import measure_dial
from hashret.experiments.benchmark.inputs import Source
from hashret.experiments.benchmark.rows import append_row, read_rows
from hashret.experiments.benchmark.runs import list_runs
from hashret.experiments.steps import Steps

WEIGHTS = (1, 2, 4, 8, 16, 32, 64)
# Method, and what differs of its options.
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prism", {}),
    ("hashnet", {}),
    ("orthohash", {}),
    ("prism", {"cells": 6}),
    ("prism", {"gamma": 0.0}),
    ("prism", {"gamma": 1.0}),
    ("prism", {"cells": 8}),
    ("prism-unlabelled", {}),
)


def main() -> None:
    """Append the rows that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--protocol", default="cifar100-coarse-held-out")
    parser.add_argument("--data", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    steps, source = Steps(), None
    for name, changes in ASKED:
        (run,) = list_runs(
            "two-axis",
            [name],
            protocols=[given.protocol],
            network="linear",
            device="cpu",
            changes=changes,
        )
        known = read_rows(given.out)
        if any(all(row.get(key) == value for key, value in run.fields().items()) for row in known):
            continue
        source = source or Source(run.dataset, steps, given.cache, given.data)
        for row in list(measure_dial(run, source, steps, WEIGHTS)):
            append_row(given.out, row)
        steps.say(f"{name} {changes}")


if __name__ == "__main__":
    main()
