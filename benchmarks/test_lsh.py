"""Bucket tables over HOG codes of Fashion-MNIST: time and recall beside faiss's hash indexes.

faiss's IndexBinaryMultiHash cuts the code into the same tables as ours, so that probing all buckets
within so many flipped bits compares the same candidates and finds the same neighbours.
"""

from __future__ import annotations

import pytest

from . import check, data, lsh, peers
from .sizes import SIZES


@pytest.mark.parametrize("flips", [0, 1, 2])
@pytest.mark.parametrize(("bits", "tables"), [(16, 8), (16, 16)])
def test_equal_buckets(duel, benchmark, size, bits, tables, flips):
    real = data.fashion_mnist_codes(bits, tables, whole=size >= SIZES["medium"])
    exact = check.nearest(real.queries, real.codes, lsh.K)[0]
    index = peers.build(real.codes, real.bits, kind="lsh", tables=tables)
    ours = lsh.ours(index, real, lsh.probes(bits, flips), exact, margins=False)
    multi = lsh.theirs(peers.multi_hash(real), real, flips, exact)
    lsh.same_found(ours, multi)
    assert ours.recall == multi.recall
    flat = peers.faiss_flat(real.codes, real.bits)
    benchmark.extra_info |= {"recall": ours.recall, "candidates": ours.checked, "data": real.source}
    duel(
        {
            "hashret": ours.search,
            "faiss MultiHash": multi.search,
            "faiss flat": lambda: flat.search(real.queries, lsh.K),
        },
        5,
        units=len(real.queries),
    )


def test_margins_reach_the_recall_of_one_table(duel, benchmark, size):
    """IndexBinaryHash flips up to 3 of 16 bits: 697 buckets of one table."""
    real = data.fashion_mnist_codes(16, 16, whole=size >= SIZES["medium"])
    exact = check.nearest(real.queries, real.codes, lsh.K)[0]
    single = lsh.theirs(peers.single_hash(real), real, 3, exact)
    index = peers.build(real.codes, real.bits, kind="lsh", tables=16)
    for probes in (1, 2, 4, 8, 16, 32):
        ours = lsh.ours(index, real, probes, exact, margins=True)
        if ours.recall >= single.recall:
            break
    assert ours.recall >= single.recall
    benchmark.extra_info |= {"recall": [ours.recall, single.recall], "probes": probes}
    duel({"hashret": ours.search, "faiss Hash": single.search}, 5, units=len(real.queries))
