"""Kind "approximate" tells the recall that new queries find, and that is the wanted one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

import hashret
from hashret.index.tuning import Tuning

Codes = npt.NDArray[np.uint8]
Draw = Callable[[np.random.Generator, int, int], Codes]

# Recalls of single queries differ by .2: the mean of so many has a standard error of .002.
N, ASKED, K = 20_000, 10_000, 10
WANTED = (0.9, 0.95, 0.99)
OFF, ERROR = 0.01, 0.0025


def near_centres(rng: np.random.Generator, n: int, bits: int) -> Codes:
    """Codes of 25 a centre, of which an eighth of the bits is flipped."""
    centres = rng.integers(0, 256, (N // 25, bits // 8), np.uint8)
    flipped = np.bitwise_and.reduce(rng.integers(0, 256, (3, n, bits // 8), np.uint8))
    return centres[rng.integers(len(centres), size=n)] ^ flipped


def signs(rng: np.random.Generator, n: int, bits: int) -> Codes:
    """Signs of projections from few dimensions: no clusters."""
    points = rng.standard_normal((n, 8), np.float32)
    return np.packbits(points @ rng.standard_normal((8, bits), np.float32) > 0, axis=1)


def copies(rng: np.random.Generator, n: int, bits: int) -> Codes:
    """Codes near centres, of which some have hundreds of copies, and half have none."""
    different = near_centres(rng, n, bits)
    often = np.minimum(rng.zipf(1.5, n // 2), n) % n
    return np.concatenate([different[: n - n // 2], different[often]])[rng.permutation(n)]


def mixed(rng: np.random.Generator, n: int, bits: int) -> Codes:
    """Dense and thin places: half near centres, half between neighbours in few dimensions."""
    return np.concatenate([near_centres(rng, n - n // 2, bits), signs(rng, n // 2, bits)])[
        rng.permutation(n)
    ]


SETS: dict[str, tuple[Draw, int]] = {
    "centres, 256 bits": (near_centres, 256),
    "centres, 1,024 bits": (near_centres, 1024),
    "signs, 256 bits": (signs, 256),
    "copies, 256 bits": (copies, 256),
    "mixed, 512 bits": (mixed, 512),
}


class Cell(NamedTuple):
    wanted: float
    told: Tuning
    found: float


def cells(draw: Draw, bits: int) -> list[Cell]:
    """What an index of each wanted recall tells, and what new queries find."""
    drawn = draw(np.random.default_rng(11), N + ASKED, bits)
    queries, codes = drawn[:ASKED], drawn[ASKED:]
    scan = hashret.Index(bits, "scan")
    scan.add(codes)
    farthest = scan.search(queries, K)[0][:, -1:]
    made = []
    for wanted in WANTED:
        index = hashret.Index(bits, "approximate", recall=wanted)
        index.add(codes)
        told = index.tuning(K)
        # A larger batch may be compared with all codes.
        parts = [index.search(queries[i : i + 8], K)[0] for i in range(0, ASKED, 8)]
        made.append(Cell(wanted, told, float((np.concatenate(parts) <= farthest).mean())))
    return made


@pytest.fixture(scope="module")
def measured() -> dict[str, list[Cell]]:
    return {name: cells(*drawn) for name, drawn in SETS.items()}


@pytest.mark.parametrize("name", SETS)
def test_new_queries_find_what_is_told(measured, name):
    for wanted, told, found in measured[name]:
        assert not told.exact
        assert abs(told.measured - found) <= OFF
        assert found > wanted - ERROR


@pytest.mark.parametrize("name", SETS)
def test_so_many_codes_ask_that_it_is_no_luck(measured, name):
    for wanted, told, _ in measured[name]:
        assert told.low > wanted - ERROR
        assert told.measured - 0.7 * OFF < told.low < told.high < told.measured + 0.7 * OFF
    # The lower the recall, the more they differ.
    asked = [told.queries for _, told, _ in measured[name]]
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] == 2000


def test_what_is_told_leans_to_neither_side(measured):
    off = [told.measured - found for made in measured.values() for _, told, found in made]
    assert abs(np.mean(off)) < ERROR


def test_what_has_no_neighbours_is_found_whole():
    codes = np.random.default_rng(11).integers(0, 256, (N + 100, 32), np.uint8)
    index, scan = hashret.Index(256, "approximate", recall=0.9), hashret.Index(256, "scan")
    for one in (index, scan):
        one.add(codes[100:])
    assert index.tuning(K).exact
    for got, want in zip(index.search(codes[:7], K), scan.search(codes[:7], K), strict=True):
        np.testing.assert_array_equal(got, want)
