"""Answers compared with the oracle of the tests, at any size, before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tests import oracle

from .data import Codes

# Bytes of codes that the oracle compares at once; it takes 8 times as much room.
PIECE_BYTES = 1 << 21
# Queries of a batch to check: the oracle needs 50 ns a code and word.
CHECKED = 3


def nearest(queries: Codes, codes: Codes, k: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The k nearest by (distance, id), ids being row numbers."""
    step = max(PIECE_BYTES // codes.shape[1], 1)
    parts = [
        oracle.search(queries, codes[start : start + step], _ids(start, start + step, codes), k)
        for start in range(0, len(codes), step)
    ]
    distances = np.concatenate([part[0] for part in parts], axis=1)
    ids = np.concatenate([part[1] for part in parts], axis=1)
    # A missing neighbour has the largest distance, so it sorts last whatever its id.
    order = np.lexsort((ids, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(ids, order, 1)


def answers(engines: Any, queries: Codes, codes: Codes, k: int) -> None:
    """Assert that ours gives the oracle's distances and ids, and rivals its distances."""
    expected = nearest(queries[:CHECKED], codes, k)
    for name, search in engines.items():
        distances, ids = search(queries[:CHECKED], k)
        assert np.array_equal(distances, expected[0]), f"{name}: wrong distances"
        # Ids of equal distances come in any order elsewhere.
        assert not _ours(name) or np.array_equal(ids, expected[1]), f"{name}: wrong ids"


def within(engines: Any, queries: Codes, codes: Codes, radius: int) -> None:
    """Assert that range searches find what the oracle does."""
    ids = _ids(0, len(codes), codes)
    lims, distances, named = oracle.range_search(queries[:CHECKED], codes, ids, radius)
    for name, search in engines.items():
        found = search(queries[:CHECKED], radius)
        assert np.array_equal(found[0], lims), f"{name}: wrong number of hits"
        if _ours(name):
            assert np.array_equal(found[1], distances)
            assert np.array_equal(found[2], named)


def agree(answers: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> None:
    """Assert that all found the same distances, and ours the same ids: where the oracle is slow."""
    (first, expected), *others = answers.items()
    for name, (distances, ids) in others:
        assert np.array_equal(distances, expected[0]), f"{name}: other distances than {first}"
        assert not (_ours(name) and _ours(first)) or np.array_equal(ids, expected[1]), (
            f"{name}: other ids than {first}"
        )


def recall(distances: npt.NDArray[Any], exact: npt.NDArray[Any]) -> float:
    """Share of the exact k nearest that were found; any code as near as the k-th will do."""
    return float(np.mean(distances <= exact[:, -1:]))


def _ours(name: str) -> bool:
    return name.startswith("hashret")


def _ids(start: int, stop: int, codes: Codes) -> npt.NDArray[np.int64]:
    return np.arange(start, min(stop, len(codes)), dtype=np.int64)
