"""The plain classifier ranked by its probabilities, which tells more than which class is first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...evaluation.histograms import DistanceHistograms
from ...evaluation.metrics import average_precision
from ..scoring import DEPTH, Scores, exact_scores, score_histograms
from ..steps import Advance
from .inputs import Inputs

__all__ = ["accuracy", "histograms_by_rank", "score_posteriors"]

Logits = npt.NDArray[np.floating[Any]]


def accuracy(classifier: Any, inputs: Inputs) -> dict[str, float]:
    """Return the shares of database and queries whose class a classifier tells."""
    sides = {
        "accuracy_database": (inputs.database, inputs.database_labels),
        "accuracy_queries": (inputs.queries, inputs.query_labels),
    }
    return {
        name: float(np.mean(_predicted(classifier, images) == labels))
        for name, (images, labels) in sides.items()
    }


def _predicted(classifier: Any, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    classes: npt.NDArray[Any] = classifier.classes_
    predicted: npt.NDArray[Any] = classes[classifier.outputs(images).argmax(axis=1)]
    return predicted


def score_posteriors(
    classifier: Any, inputs: Inputs, by_product: bool, seed: int, advance: Advance
) -> tuple[Scores, float | None]:
    """Score a database ranked by a classifier's softmax, and the median microseconds of a query.

    By the probability that the query's softmax gives the class that is an image's code; or, if
    `by_product`, by the inner product of the query's softmax and the image's, a ceiling that
    needs more than codes. The time is None for the former.
    """
    labels = inputs.database_labels, inputs.query_labels
    if not by_product:
        queries, database = classifier.outputs(inputs.queries), classifier.outputs(inputs.database)
        found, totals = histograms_by_rank(queries, database.argmax(axis=1), *labels)
        rest = {
            "candidates": float(len(database)),
            "map10_padded": average_precision(found, DEPTH, "hits").means()[0],
            "distinct_codes": len(np.unique(database.argmax(axis=1))),
        }
        return score_histograms(found, found, totals, **rest), None
    # Products may be equal: in the data set's order these would stand by class.
    order = np.random.default_rng(seed).permutation(len(inputs.database))
    database, queries = map(classifier.probabilities, (inputs.database[order], inputs.queries))
    return exact_scores(database, queries, labels[0][order], labels[1], advance, inner=True)


def histograms_by_rank(
    logits: Logits,
    predicted: npt.NDArray[np.int64],
    labels: npt.NDArray[Any],
    query_labels: npt.NDArray[Any],
) -> tuple[DistanceHistograms, npt.NDArray[np.int64]]:
    """Count a database by the rank of an image's predicted class among the query's logits.

    Images of one predicted class are ties. Returns the counts, where the rank stands for the
    distance, and how many images are relevant to each query.

    Examples
    --------
    The query takes itself for class 1, then 0; two images are taken for 1, one of them wrongly:

    >>> labels, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    >>> found, totals = histograms_by_rank(np.array([[1.0, 2.0]]), predicted, labels, np.array([0]))
    >>> found.items, found.relevant, totals
    (array([[2, 1]]), array([[1, 1]]), array([2]))
    """
    names = np.unique(np.concatenate([labels, query_labels]))
    table = np.zeros((logits.shape[1], len(names)), np.int64)
    np.add.at(table, (predicted, np.searchsorted(names, labels)), 1)
    ranked = np.argsort(-logits, axis=1, kind="stable")
    own = np.searchsorted(names, query_labels)
    counts = DistanceHistograms(table.sum(axis=1)[ranked], table[ranked, own[:, None]])
    return counts, table.sum(axis=0)[own]
