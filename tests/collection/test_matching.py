"""Every pair within the radius, none else, whatever the blocks are."""

from __future__ import annotations

import numpy as np
import pytest
from collection_photos import photos

from hashret import EncoderMismatchError, HashretError, Index, ShapeError
from hashret.codes import hamming_distances
from hashret.collection import Collection, matching
from hashret.collection.importing import HashList
from hashret.collection.indexes import codes_of


def hash_list(codes):
    n = len(codes)
    return HashList(8 * codes.shape[1], codes, np.full(n, np.nan), [""] * n, [*range(1, n + 1)])


@pytest.mark.parametrize("results", [1, 7, 2**20])
@pytest.mark.parametrize("radius", [0, 3, 16])
def test_matches_are_all_pairs_within_the_radius(monkeypatch, results, radius):
    monkeypatch.setattr(matching, "_RESULTS", results)
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 256, (n, 2)).astype(np.uint8) for n in (60, 25))
    queries[:5] = codes[0]
    index = Index(16)
    index.add(codes)
    found = [*matching.match_codes(index, queries, np.arange(25), radius)]
    table = hamming_distances(queries, codes, 16)
    expected = [
        (row, image, table[row, image])
        for row in range(25)
        for image in np.lexsort((np.arange(60), table[row]))
        if table[row, image] <= radius
    ]
    assert found == expected


def test_lists_and_collections(tmp_path):
    one, other = photos(tmp_path / "one", 5), photos(tmp_path / "other", 5, first=3)
    with Collection.open(one) as mine, Collection.open(other) as theirs:
        _, codes = codes_of(mine.catalogue, mine.row("perceptual"))
        found = [*matching.match_list(mine, "perceptual", hash_list(codes[2:]), 0)]
        assert [(row, distance) for row, _, distance in found] == [(0, 0), (1, 0), (2, 0)]
        pairs = [*matching.match_collection(mine, "perceptual", theirs, 0)]
        assert len(pairs) == 2
        with pytest.raises(ShapeError, match="256 bits"):
            matching.match_list(mine, "perceptual", hash_list(codes[:, :8]), 0)
        with pytest.raises(HashretError, match="another collection"):
            matching.match_collection(mine, "perceptual", mine, 0)


def test_codes_of_different_encoders_do_not_meet(tmp_path):
    one, other = photos(tmp_path / "one", 2), photos(tmp_path / "other", 2)
    with Collection.change(other) as collection:
        collection.catalogue.execute("UPDATE encoders SET fingerprint = 'another'")
    with (
        Collection.open(one) as mine,
        Collection.open(other) as theirs,
        pytest.raises(EncoderMismatchError, match="another"),
    ):
        matching.match_collection(mine, "perceptual", theirs, 0)
