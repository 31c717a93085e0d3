"""A prefix of few bits that says which classes an image may be of, and how surely."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..checks import check_int
from ..codes import pack
from ..deep import DeepHasher
from ..encoders.base import with_seed
from ..errors import CodeError, FormatError, ParameterError
from ..extras import import_extra
from ..ranking import SameClass
from ..types import Codes, Floats
from .parts import malformed, open_part, part_of, read_parts, write_parts

__all__ = ["ClassCells"]

_KIND = "encoder of class cells"
# Of so many bits, cells are as many as a rule takes.
MAX_BITS = 11
# Coordinates are whole multiples of this: products of them are exact, and so is the nearest cell.
_UNITS = 1024
# Rows that are compared with all cells at a time.
_ROWS = 4096
# Of k-means: passes are of so many images, which is enough for 2,048 cells.
_BATCH, _ROUNDS = 4096, 30


class ClassCells:
    r"""A classifier's probabilities, quantised: a code is the number of a cell.

    With the probabilities :math:`p_c(x)` of a classifier, cells are those of k-means of
    :math:`\sqrt{p}`, whose distance is Hellinger's. So 10 bits tell not only which class is the
    most probable, as a class's number would, but also which others are, and how sure that is:
    what :class:`~hashret.ranking.SameClass` needs to tell how probable it is that two images are
    of one class. Numbers of cells are no codes to be compared bit by bit.

    It is made to be the `prefix` of a :class:`Prism`.

    Parameters
    ----------
    classifier : DeepHasher
        Of the loss ``classifier``; `fit` trains a copy.
    bits : int
        1 to 11: there are ``2 ** bits`` cells, or as many as training images differ in their
        probabilities.
    random_state : int, optional
        Of k-means; the classifier has its own.

    Attributes
    ----------
    classifier_ : DeepHasher
    centroids_ : ndarray of float64, shape (n_cells, n_classes)
        In units of 1/1024 of :math:`\sqrt{p}`.
    posteriors_ : ndarray of float64, shape (n_cells, n_classes)
        The mean probabilities of the training images in each cell.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(size=(200, 24)) + y[:, None]
    >>> classifier = DeepHasher("linear", "classifier", 1, epochs=4, batch_size=50, random_state=0)
    >>> cells = ClassCells(classifier, bits=3, random_state=0).fit(X, y)
    >>> cells.posteriors_.shape, cells.transform(X).shape
    ((8, 2), (200, 1))
    """

    classifier_: DeepHasher
    centroids_: Floats
    posteriors_: Floats
    _fitted_with: dict[str, Any]

    def __init__(
        self, classifier: DeepHasher, bits: int = 10, random_state: int | None = None
    ) -> None:
        self.classifier = classifier
        self.bits = bits
        self.random_state = random_state

    @property
    def code_bits(self) -> int:
        """Length of a code; once fitted, of those it makes."""
        return int(self._fitted_with["bits"]) if self._is_fitted() else self._asked_bits()

    def _asked_bits(self) -> int:
        if check_int("bits", self.bits, 1) > MAX_BITS:
            raise ParameterError(f"bits: expected 1 to {MAX_BITS} for cells, got {self.bits}")
        return self.bits

    @property
    def card_(self) -> dict[str, Any]:
        """What the classifier was made from, and how well it did."""
        self._check_fitted()
        return self.classifier_.card_

    @property
    def input_shape_(self) -> tuple[int, ...]:
        """Shape of an image: (height, width, channels), or (d,) for vectors."""
        return self._fitted_classifier().input_shape_

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        checkpoint: str | Path | None = None,
        **learned: Any,
    ) -> Self:
        """Train the classifier, then find the cells of the same images' probabilities.

        Parameters
        ----------
        images, labels, checkpoint, learned
            As of :meth:`hashret.deep.DeepHasher.fit`.

        Raises
        ------
        ParameterError, ShapeError, DTypeError
            As there, if `bits` is out of range, or the loss is another; what was fitted before
            stays.
        """
        bits = self._asked_bits()
        loss = self.classifier.loss
        if (loss if isinstance(loss, str) else loss.name) != "classifier":
            raise ParameterError(f'classifier: expected one of the loss "classifier", got {loss!r}')
        made = copy.copy(self)
        made._fitted_with = with_seed({"bits": bits, "random_state": self.random_state})
        made.classifier_ = copy.copy(self.classifier)
        made.classifier_.fit(images, labels, checkpoint=checkpoint, **learned)
        made._find_cells(made.probabilities(images))
        vars(self).update(vars(made))
        return self

    def _find_cells(self, probabilities: Floats) -> None:
        cluster = import_extra("sklearn.cluster", "images")
        points = _coordinates(probabilities)
        count = min(1 << self._asked_bits(), len(np.unique(points, axis=0)))
        found = cluster.MiniBatchKMeans(
            count, batch_size=_BATCH, max_iter=_ROUNDS, n_init=1, random_state=self.random_state
        ).fit(points)
        self.centroids_ = np.rint(found.cluster_centers_).astype(np.float64)
        cells = _nearest(points, self.centroids_)
        sizes = np.bincount(cells, minlength=count)
        sums = np.zeros((count, probabilities.shape[1]))
        np.add.at(sums, cells, probabilities)
        # A cell that is nearest to no image is what its centroid says.
        own = np.square(self.centroids_)
        self.posteriors_ = np.where(sizes[:, None] > 0, sums, own)
        self.posteriors_ /= self.posteriors_.sum(axis=1, keepdims=True)

    def probabilities(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Floats:
        """Return the classifier's probabilities of its classes, float64 (n, n_classes)."""
        return self._fitted_classifier().probabilities(images, batch_size=batch_size)

    def cells(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.int64]:
        """Return the number of each image's cell, int64 (n,)."""
        self._check_fitted()
        probabilities = self.probabilities(images, batch_size=batch_size)
        return _nearest(_coordinates(probabilities), self.centroids_)

    def project(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """Return margins, float32 (n, bits): 1 where a bit of the cell's number is 1, else -1."""
        numbers = self.cells(images, batch_size=batch_size)
        return np.where(_bits_of(numbers, self.code_bits), np.float32(1), np.float32(-1))

    def transform(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> Codes:
        """Return the packed codes: the cell's number, its highest bit first."""
        return pack(self.project(images, batch_size=batch_size))

    def features(self, images: npt.ArrayLike, *, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """Return what the classifier's last layer is given."""
        return self._fitted_classifier().features(images, batch_size=batch_size)

    def rule(self, bits: int, weight: float) -> SameClass:
        """Return the rule for codes of `bits` bits that begin with a cell's number."""
        self._check_fitted()
        numbers = np.arange(len(self.centroids_))
        centres = pack(np.where(_bits_of(numbers, self.code_bits), 1.0, -1.0))
        return SameClass(bits, self.code_bits, weight, centres=centres, posteriors=self.posteriors_)

    @property
    def codes_fingerprint(self) -> str:
        """SHA-256 of classifier and cells: equal fingerprints give equal codes."""
        self._check_fitted()
        words = f"{self.classifier_.codes_fingerprint} {self.code_bits} {self.centroids_.shape}"
        return hashlib.sha256(words.encode() + self.centroids_.tobytes()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write classifier and cells to one safetensors file, atomically."""
        self._check_fitted()
        header = {
            **self._fitted_with,
            "fingerprint": self.codes_fingerprint,
        }
        arrays = {
            "classifier": part_of(self.classifier_),
            "centroids": self.centroids_,
            "posteriors": self.posteriors_,
        }
        write_parts(path, _KIND, header, arrays)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Raises
        ------
        FormatError
            If the file is not a complete and undamaged one of this kind.
        """
        header, arrays = read_parts(path, _KIND)
        with malformed(path, _KIND):
            with open_part(arrays["classifier"]) as part:
                classifier = DeepHasher.load(part, device=device)
            settings = {name: header[name] for name in ("bits", "random_state")}
            encoder = cls(classifier, **settings)
            encoder.classifier_, encoder._fitted_with = classifier, settings
            encoder.centroids_, encoder.posteriors_ = arrays["centroids"], arrays["posteriors"]
            shape = encoder.centroids_.shape
            fit = len(shape) == 2 and 1 <= shape[0] <= 1 << encoder._asked_bits()
            if not fit or shape != encoder.posteriors_.shape:
                raise CodeError(f"cells: {shape} and {encoder.posteriors_.shape}")
            if shape[1] != len(classifier.classes_) or encoder.centroids_.dtype != np.float64:
                raise CodeError(f"cells: {shape}, {encoder.centroids_.dtype}")
            encoder.rule(encoder.code_bits, 1)
            fingerprint = encoder.codes_fingerprint
        if fingerprint != header.get("fingerprint"):
            raise FormatError(f"{path}: damaged: the fingerprint does not fit the contents")
        return encoder

    def _is_fitted(self) -> bool:
        return hasattr(self, "centroids_")

    def _check_fitted(self) -> None:
        if not self._is_fitted():
            raise ParameterError("ClassCells: not fitted yet, call fit or load first")

    def _fitted_classifier(self) -> DeepHasher:
        if not hasattr(self, "classifier_"):
            raise ParameterError("ClassCells: not fitted yet, call fit or load first")
        return self.classifier_


def _coordinates(probabilities: Floats) -> Floats:
    """Return the square roots, whose distances are Hellinger's, as whole numbers."""
    whole: Floats = np.rint(np.sqrt(probabilities) * _UNITS)
    return whole


def _nearest(points: Floats, centroids: Floats) -> npt.NDArray[np.int64]:
    """Return the number of the nearest centroid, of several the first: sums are exact."""
    norms = np.square(centroids).sum(axis=1)
    found = np.empty(len(points), np.int64)
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        found[rows] = (norms - 2 * points[rows] @ centroids.T).argmin(axis=1)
    return found


def _bits_of(numbers: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.bool_]:
    ones: npt.NDArray[np.bool_] = numbers[:, None] >> np.arange(bits)[::-1] & 1 == 1
    return ones
