"""What searches by ranking rules take, beside the plain exact search of the same index.

Codes of 64 bits, 16 of them the prefix: uniform; and collapsed, with the prefixes of 100 classes, a
bit of them flipped now and then, and rests that are uniform, or of few values. Every answer is
compared with the rule's distances to all codes first. Run with ``python -m benchmarks.ranking``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import hashret
from hashret.ranking import ClassAware, FloatQuery, Hamming, Rule, SameClass, WeightedPrefix

from . import data, machine
from .data import Codes
from .duel import OURS, Duel
from .sizes import size

BITS, PREFIX, CLASSES = 64, 16, 100
K = 10
ROUNDS = 9
QUERIES = 50


def uniform(count: int) -> Codes:
    """Draw every bit independently."""
    return data.uniform(count, BITS, queries=0).codes


def classes(count: int, values: int | None = None) -> Codes:
    """Draw prefixes near those of classes, and rests, of so many values if that is given."""
    rng = np.random.default_rng(1)
    codes = uniform(count)
    flips = np.packbits(rng.random((count, PREFIX)) < 0.02, axis=1)
    codes[:, : PREFIX // 8] = centres()[rng.integers(CLASSES, size=count)] ^ flips
    return codes if values is None else codes[rng.integers(min(values, count), size=count)]


def centres() -> Codes:
    """Draw the prefixes of classes."""
    return data.uniform(CLASSES, PREFIX, queries=0, seed=2).codes


DATA = {
    "uniform": uniform,
    "classes": classes,
    "collapsed": partial(classes, values=5000),
}


def rules() -> dict[str, Rule]:
    """Return the rules that are measured."""
    weights = (0.5, 1, 4, 64)
    plain = {f"weight {weight:g}": WeightedPrefix(BITS, PREFIX, weight) for weight in weights}
    aware = ClassAware(BITS, PREFIX, 4, centres=centres())
    cells = SameClass(
        BITS, PREFIX, 32, centres=centres(), posteriors=0.9 * np.eye(CLASSES) + 0.1 / CLASSES
    )
    return {
        **plain,
        "class-aware, weight 4": aware,
        "same class, weight 32": cells,
        "float query": FloatQuery(Hamming(BITS)),
        "float query, weight 4": FloatQuery(plain["weight 4"]),
        "float query, class-aware": FloatQuery(aware),
    }


def compare(codes: Codes, rounds: int) -> Iterator[tuple[str, float, float]]:
    """Yield what each rule takes, in times of a plain search: single queries, and a batch."""
    index = hashret.Index(BITS)
    index.add(codes)
    rng = np.random.default_rng(3)
    asked = codes[rng.integers(len(codes), size=QUERIES)]
    # Bits of which the query is not sure, some of them wrong.
    signs = np.where(hashret.codes.unpack(asked, BITS), 1, -1)
    margins = signs * rng.normal(0.8, 0.5, (QUERIES, BITS))
    plain = hashret.codes.pack(margins)
    for name, rule in rules().items():
        ranked, queries = index.ranked(rule), rule.queries_of(margins)
        check(rule, queries[:3], codes, ranked.search(queries[:3], K))
        single, batch = (
            Duel({"rule": in_steps(ranked, queries, step), OURS: in_steps(index, plain, step)})
            .play(rounds)
            .ratio("rule")
            for step in (1, QUERIES)
        )
        yield name, single, batch


def in_steps(index: Any, queries: npt.NDArray[Any], step: int) -> Callable[[], None]:
    """Return the search for all queries, so many at a time."""
    parts = [queries[start : start + step] for start in range(0, len(queries), step)]

    def search() -> None:
        for part in parts:
            index.search(part, K, threads=1)

    return search


def check(rule: Rule, queries: npt.NDArray[Any], codes: Codes, found: tuple[Any, Any]) -> None:
    """Compare an answer with the distances to all codes."""
    wanted = rule.distances(queries, codes)
    order = np.argsort(wanted, axis=1, kind="stable")[:, :K]
    np.testing.assert_array_equal(found[1], order)
    np.testing.assert_array_equal(found[0], np.take_along_axis(wanted, order, axis=1))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=size, default="small", help="codes (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns (default: %(default)s)")
    given = parser.parse_args()
    facts = machine.facts()
    print(f"{given.size:,} codes of {BITS} bits, prefix {PREFIX}, k = {K}, one thread;", end=" ")
    print(f"{facts['processor']}, {facts['instruction set']}")
    print("times the plain exact search of the same index takes: single queries, batch")
    for name, make in DATA.items():
        print(f"\n{name}")
        for rule, single, batch in compare(make(given.size), given.rounds):
            print(f"  {rule:26} {single:7.2f} {batch:7.2f}", flush=True)


if __name__ == "__main__":
    main()
