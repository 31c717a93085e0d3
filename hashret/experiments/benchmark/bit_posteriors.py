"""What the bits of a code tell of its class, for codes that were not made to tell it.

:class:`~hashret.ranking.SameClass` ranks by the probability that two codes are of one class, which
cells of classes are made for. So that no method is judged by a rule that it lacks, others get it in
a form that is at least as good for them: the probabilities of each code by itself, by regression on
its bits, not those of the nearest of some centres.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codes import hamming_distances, pack
from ...evaluation.two_axis import Ranker
from ...extras import import_extra

__all__ = ["by_posteriors"]

Margins = npt.NDArray[Any]
# Where products of probabilities end, so that logarithms are finite.
_LEAST = 1e-9
_ROUNDS = 200


def by_posteriors(
    trained: Margins, labels: npt.NDArray[np.int64]
) -> Callable[[float], Callable[[Margins, Margins], Ranker]]:
    """Return rankings by ``-weight * log P + d``, for margins of queries and of a database.

    P is the probability that both are of one class, by softmax regression on the signs of the first
    bits, as many as `trained` has; rounded as the rule does. d is Hamming distance of whole codes.

    Parameters
    ----------
    trained : ndarray, shape (n, prefix_bits)
        Margins of training images.
    labels : ndarray of int64, shape (n,)
        -1 where one is missing.

    Returns
    -------
    ranking : callable
        Called with the weight.
    """
    linear = import_extra("sklearn.linear_model", "images")
    own, known = trained.shape[1], labels >= 0
    model = linear.LogisticRegression(max_iter=_ROUNDS).fit(_signs(trained[known]), labels[known])

    def between(queries: Margins, database: Margins, weight: float) -> Ranker:
        of_queries, of_database = (
            model.predict_proba(_signs(part[:, :own])) for part in (queries, database)
        )
        packed, codes, bits = pack(queries), pack(database), queries.shape[1]

        def rank(rows: slice) -> npt.NDArray[Any]:
            nats = np.log(np.maximum(of_queries[rows] @ of_database.T, _LEAST))
            ranked: npt.NDArray[Any] = np.rint(-weight * nats)
            return ranked + hamming_distances(packed[rows], codes, bits)

        return rank

    return lambda weight: partial(between, weight=weight)


def _signs(margins: Margins) -> npt.NDArray[np.float64]:
    return np.where(margins > 0, 1.0, -1.0)
