"""ITQ of what is left of vectors when what tells their classes apart is taken out, or damped."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags

from ..checks import check_int, check_number
from ..codes import check_bits
from ..errors import ParameterError, ShapeError
from ..evaluation.labels import MISSING, parse_labels
from ..types import Floats
from .base import Encoder
from .blocks import Table, blocks, centred, column_means
from .itq import ITQ
from .pca import check_dimensions

_EPS = float(np.finfo(np.float64).eps)


class ResidualITQ(Encoder):
    r"""ITQ of the differences within classes: codes of how things look, not of what they are.

    With the means of the classes, P the projection onto the span of their differences from the
    mean of all, and c the centred vectors, this is ITQ of

    .. math:: c - (1 - \gamma) P c

    At `gamma` 1 it is ITQ. At 0 nothing is left of the directions that the class means span:
    beside codes of the classes no bit is spent on them, but an image of a class that was not in
    training is told by what is left alone. In between they are damped.

    Margins are linear in the vectors, as ITQ's. Fitting takes ``8 n d`` bytes beside what ITQ
    takes. A class of one image has no mean but the image, and is left out of P, as are images
    whose label is missing: -1, None or NaN; see :mod:`hashret.evaluation.labels`.

    Parameters
    ----------
    bits : int, default 16
        Length of a code; at most as many as there are features. More bits than what is left has
        rank add nothing: they are refused, or at `gamma` 1 warned of, as ITQ does.
    gamma : float, default 0.5
        0 to 1: what part of the class directions is kept.
    rounds : int, default 50
        Of ITQ.
    random_state : int, RandomState or None

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, bits)
    n_features_in_ : int

    References
    ----------
    Gong, Lazebnik: Iterative quantization, CVPR 2011, for the rotation. Taking out the span of
    the class means is the complement of Fisher's discriminant directions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(100) % 2
    >>> X = rng.normal(size=(100, 20)) + 9 * y[:, None]
    >>> codes = ResidualITQ(bits=12, gamma=0, random_state=0).fit(X, y).transform(X)
    >>> codes.shape
    (100, 2)
    """

    def __init__(
        self,
        bits: int = 16,
        gamma: float = 0.5,
        rounds: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.bits = bits
        self.gamma = gamma
        self.rounds = rounds
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_bits(self.bits)
        check_int("rounds", self.rounds, 1)
        check_number("gamma", self.gamma, least=0)
        if self.gamma > 1:
            raise ParameterError(f"gamma: expected 0 to 1, got {self.gamma}")

    def _fit(self, features: Table, y: object) -> None:
        check_dimensions(features, self.bits)
        mean = column_means(features)
        if self.gamma == 1:
            itq = ITQ(self.bits, self.rounds, self.random_state).fit(features)
            self.mean_, self.projection_ = itq.mean_, itq.projection_
            return
        span = _class_span(features, mean, class_numbers(y, len(features)))
        left = np.empty(features.shape)
        for rows in blocks(*features.shape):
            left[rows] = centred(features[rows], mean)
            left[rows] -= (1 - self.gamma) * (left[rows] @ span) @ span.T
        _check_rank(left, self.bits, self.gamma)
        itq = ITQ(self.bits, self.rounds, self.random_state).fit(left)
        kept = itq.projection_ - (1 - self.gamma) * span @ (span.T @ itq.projection_)
        self.mean_, self.projection_ = mean, kept

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.gamma < 1
        return tags


def class_numbers(y: object, count: int, name: str = "y") -> npt.NDArray[np.int64]:
    """Return the classes of rows as numbers, -1 where there is none to learn a mean from.

    Raises
    ------
    ParameterError, ShapeError, DTypeError
        If `y` is missing, or not a label a row.
    """
    if y is None:
        raise ParameterError(
            f"{name}: expected labels, a class of each row (with gamma=1 none are needed): "
            "requires y to be passed, but the target y is None"
        )
    given = parse_labels(cast(npt.ArrayLike, y), name)
    if given.values.shape != (count,):
        raise ShapeError(f"{name}: expected ({count},), a label a row, got {given.values.shape}")
    numbers = given.numbered(given.classes())
    sizes = np.bincount(numbers[given.known], minlength=1)
    return np.where(given.known & (sizes[numbers] > 1), numbers, MISSING)


def _class_span(features: Table, mean: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """Return an orthonormal basis of the class means, less the mean of all: (d, rank)."""
    classes, numbers = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(classes), features.shape[1]))
    for rows in blocks(*features.shape):
        np.add.at(sums, numbers[rows], centred(features[rows], mean))
    kept = classes != MISSING
    if kept.sum() < 2:
        raise ParameterError(
            f"y: expected two classes of two images or more, got {int(kept.sum())}"
        )
    means = sums[kept] / np.bincount(numbers)[kept, None]
    _, values, axes = np.linalg.svd(means, full_matrices=False)
    rank = int((values > max(means.shape) * _EPS * max(values[0], 1e-300)).sum())
    return np.asarray(axes[:rank].T)


def _check_rank(left: Floats, bits: int, gamma: float) -> None:
    """Raise if fewer directions than bits are left."""
    products = left.T @ left if len(left) >= left.shape[1] else left @ left.T
    values = np.sqrt(np.linalg.eigvalsh(products).clip(min=0))
    # Products square the singular values, and lose those below the root of the precision.
    rank = int((values > np.sqrt(max(left.shape) * _EPS) * values[-1]).sum())
    if bits > rank:
        raise ParameterError(
            f"bits: what gamma={gamma} leaves of the features has rank {rank}, "
            f"so that more bits add nothing, got {bits}"
        )
