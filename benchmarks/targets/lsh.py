"""Target of the bucket tables."""

from __future__ import annotations

from collections.abc import Iterator

from .. import check, data, lsh, peers
from ..duel import Duel
from ..sizes import SIZES
from . import Row, ratio, target

FLIPS = (0, 1, 2)


@target(15, "LSH tables of HOG codes, at the recall of faiss MultiHash")
def tables(size: int) -> Iterator[Row]:
    for bits, count in ((16, 8), (16, 16)):
        real = data.fashion_mnist_codes(bits, count, whole=size >= SIZES["medium"])
        exact = check.nearest(real.queries, real.codes, lsh.K)[0]
        index = peers.build(real.codes, real.bits, kind="lsh", tables=count)
        multi = peers.multi_hash(real)
        for flips in FLIPS:
            ours = lsh.ours(index, real, lsh.probes(bits, flips), exact, margins=False)
            theirs = lsh.theirs(multi, real, flips, exact)
            lsh.same_found(ours, theirs)
            contest = Duel({"hashret": ours.search, "faiss MultiHash": theirs.search}).play(5)
            case = (
                f"{real.source}, {count} x {bits} bits, recall {ours.recall:.3f}, "
                f"{ours.checked:,.0f} candidates"
            )
            yield ratio(case, contest, "faiss MultiHash", 5.0)
