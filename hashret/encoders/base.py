"""What all encoders of feature vectors share: checks, packing, fingerprint, files."""

from __future__ import annotations

import hashlib
import json
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..checks import as_array, check_int, is_int
from ..codes import MAX_BITS, check_bits
from ..errors import DTypeError, FormatError, HashretError, ParameterError, ShapeError
from ..extras import import_extra
from ..files import write_bytes
from ..ranking import HasRanking, rule_from
from ..types import Codes, Floats
from .blocks import Table
from .fitted import FORMAT, MALFORMED, as_finite, as_json, fingerprint_of
from .margins import Projection, rounding

Margins = npt.NDArray[np.float32]

_ENCODERS: dict[str, type[Encoder]] = {}


class Encoder(HasRanking, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of the encoders: ``margins = finish((x - mean_) @ projection_)``.

    A subclass has scikit-learn's constructor with `bits`, sets in `_fit` the float64 arrays that
    `_fitted_shapes` names, those of the base among them, and may say in `_finish` and
    `_steepness` how products become margins.

    Tables may be of any real type, and lie in mapped files: they are read in blocks of 8 MB.
    Encoding takes its result and a few blocks; what fitting takes beside, each encoder says.
    Columns have names where the fitted table has: a table with others, or in another order, is
    refused, also by an encoder that was saved and loaded. A row has one code, whatever other
    rows, threads or memory order it is encoded with. Margins may differ in their last digit,
    never in their sign. Parameters that are set once it is fitted change nothing until it is fitted
    again.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (d,)
    projection_ : ndarray of float64, shape (d, code_bits)
    """

    bits: int
    mean_: Floats
    projection_: Floats

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _ENCODERS[cls.__name__] = cls

    @property
    def code_bits(self) -> int:
        """Length of a code in bits: what ``hashret.Index`` takes as ``bits``.

        Once fitted, of the codes it makes.
        """
        return self.projection_.shape[1] if hasattr(self, "projection_") else self._asked_bits()

    def _asked_bits(self) -> int:
        """Return the length of a code that the constructor's parameters ask for."""
        return self.bits

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise a ParameterError or DTypeError if a constructor parameter is out of range."""

    @abstractmethod
    def _fit(self, features: Table, y: object) -> None:
        """Set the arrays that `_fitted_shapes` names; most encoders leave `y` alone."""

    def _fitted_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each array that is fitted, for ``n_features_in_`` features."""
        features = self.n_features_in_
        return {"mean_": (features,), "projection_": (features, self.code_bits)}

    def _finish(self, products: Floats, bits: Any) -> Floats:
        """Return the margins of products with the axes of `bits`, element by element."""
        return products

    def _steepness(self) -> tuple[float, float]:
        """Return by how much a margin may grow with its product, and may be off by itself."""
        return 1.0, 0.0

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Fit to feature vectors.

        Parameters
        ----------
        X : array_like of real, shape (n, d)
        y : array_like, shape (n,), optional
            Labels, where the encoder learns from them; others ignore it.

        Raises
        ------
        ParameterError
            If a constructor parameter is out of range, or no generator comes of `random_state`.
        ShapeError
            If `X` is not a table with at least one row and one column.
        DTypeError
            If `X` holds no real numbers, or is sparse.
        CodeError
            If a feature is NaN, infinite or masked.
        """
        self._check_parameters()
        before = vars(self).copy()
        try:
            self._fit(self._table(X, reset=True), y)
            self._fitted_ready()
            self._ranking = None
        except BaseException:  # an encoder that was fitted before stays as it was
            self.__dict__ = before
            raise
        return self

    def transform(self, X: npt.ArrayLike) -> Codes:
        """Return the packed codes of feature vectors, uint8 (n, ceil(code_bits / 8)).

        After ``set_output(transform="pandas")`` as a table, a column a byte.
        """
        check_is_fitted(self)
        return self._projection().codes(self._table(X, reset=False))

    def project(self, X: npt.ArrayLike) -> Margins:
        """Return the margins of feature vectors, float32 (n, code_bits): bit j is margin j > 0."""
        check_is_fitted(self)
        return self._projection().margins(self._table(X, reset=False))

    @property
    def codes_fingerprint(self) -> str:
        """SHA-256 of the class, its parameters and fitted arrays; equal codes, equal fingerprint.

        The random state is left out: its effect is in the arrays. So are the names of columns.
        """
        check_is_fitted(self)
        arrays = {name: getattr(self, name) for name in self._fitted_shapes()}
        return fingerprint_of(type(self).__name__, self._fitted_with, arrays)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder and ranking to a safetensors file, replacing it only once complete."""
        safetensors = import_extra("safetensors.numpy", "images")
        check_is_fitted(self)
        card = {
            "format": FORMAT,
            "class": type(self).__name__,
            "parameters": self._fitted_with,
            "features": self.n_features_in_,
            "fingerprint": self.fingerprint,
        }
        if self.ranking is not None:
            card["ranking"] = self.ranking.as_dict()
        if hasattr(self, "feature_names_in_"):
            card |= _names_card(list(self.feature_names_in_))
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in self._fitted_shapes()}
        write_bytes(path, safetensors.save(arrays, {"hashret": as_json(card)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an encoder of this class; see :func:`load_encoder`."""
        encoder = load_encoder(path)
        if not isinstance(encoder, cls):
            raise FormatError(f"{path}: holds a {type(encoder).__name__}, not a {cls.__name__}")
        return encoder

    def _projection(self) -> Projection:
        return Projection(self.mean_, self.projection_, self._finish, *self._doubt)

    def _fitted_ready(self) -> None:
        """Keep the parameters it was fitted with, and what each call needs of the arrays."""
        self._fitted_with = with_seed(self.get_params())
        steepness, error = self._steepness()
        self._doubt = (steepness * rounding(self.projection_), error)

    def _table(self, X: npt.ArrayLike, reset: bool) -> Table:
        """Return a table as it lies in memory, once it is known to be one of real numbers."""
        # Tables with named columns are read by scikit-learn, which looks at the names.
        if not hasattr(X, "columns") and not hasattr(X, "__dataframe__"):
            X = as_array("X", X)
            if X.ndim == 1 and X.size:
                raise ShapeError(
                    f"X: expected (n, d), got {X.shape}. Reshape your data: "
                    "X[None] makes a table of one vector"
                )
            if not reset and self._is_plain(X):
                return X  # the common case, for the sake of single queries
        try:
            features: Table = validate_data(
                self, X, reset=reset, dtype="numeric", ensure_all_finite=False
            )
        except ValueError as error:
            raise ShapeError(f"X: {error}") from error
        except TypeError as error:
            raise DTypeError(f"X: {error}") from error
        if features.dtype.kind not in "biuf":
            raise DTypeError(f"X: expected real numbers, got {features.dtype}")
        return features

    def _is_plain(self, X: Table) -> bool:
        """Tell whether scikit-learn would take a table as it is, without a word."""
        return (
            X.dtype.kind == "f"
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")
        )

    @property
    def _n_features_out(self) -> int:
        """Bytes of a code: for scikit-learn, which names the columns of results."""
        return (self.code_bits + 7) // 8

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Codes are uint8 whatever the features are.
        tags.transformer_tags.preserves_dtype = []
        return tags


def load_encoder(path: str | os.PathLike[str]) -> Encoder:
    """Read an encoder written by :meth:`Encoder.save`, of whatever class.

    Nothing in the file is executed.

    Raises
    ------
    FormatError
        If the file is not a complete and undamaged encoder of this format.
    """
    safetensors = import_extra("safetensors", "images")
    Path(path).stat()  # a missing file is a FileNotFoundError, not a damaged one
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            card = json.loads((file.metadata() or {})["hashret"])
            encoder, shapes = _blank(card)
            for name, shape in shapes.items():
                if tuple(file.get_slice(name).get_shape()) != shape:
                    raise FormatError(f"{name}: expected shape {shape}")
                setattr(encoder, name, as_finite(file.get_tensor(name), name))
            encoder._fitted_ready()
            if "ranking" in card:
                encoder.ranking = rule_from(card["ranking"])
    except (safetensors.SafetensorError, HashretError, *MALFORMED) as error:
        raise FormatError(f"{path}: not a saved encoder: {error!r}") from error
    if encoder.fingerprint != card.get("fingerprint"):
        raise FormatError(f"{path}: damaged: the fingerprint does not fit the contents")
    return encoder


def _blank(card: dict[str, Any]) -> tuple[Encoder, dict[str, tuple[int, ...]]]:
    """Return an unfitted encoder with the card's parameters, and the shapes of its arrays."""
    if card["format"] != FORMAT:
        raise FormatError(f"format {card['format']}, this version reads {FORMAT}")
    encoder = _ENCODERS[card["class"]](**card["parameters"])
    encoder._check_parameters()
    if type(card["features"]) is not int or card["features"] < 1:
        raise FormatError(f"features: expected a positive int, got {card['features']!r}")
    encoder.n_features_in_ = card["features"]
    if "names" in card:
        encoder.feature_names_in_ = _names(card)
    return encoder, encoder._fitted_shapes()


def _names_card(names: list[str]) -> dict[str, Any]:
    """Return what a card says of the names of columns; the fingerprint does not cover them."""
    return {"names": names, "names_sha256": hashlib.sha256(as_json(names).encode()).hexdigest()}


def _names(card: dict[str, Any]) -> npt.NDArray[np.object_]:
    names = card["names"]
    if card != card | _names_card(names) or len(names) != card["features"]:
        raise FormatError(
            f"names: expected {card['features']} names of columns, or they are damaged"
        )
    if not all(isinstance(name, str) for name in names):
        raise FormatError("names: expected strings")
    return np.array(names, dtype=object)


def check_total_bits(bits: int, tables: int) -> None:
    """Raise unless `tables` tables of `bits` bits make a code of a length that hashret knows."""
    check_bits(bits)
    check_int("tables", tables, 1)
    if bits * tables > MAX_BITS:
        raise ParameterError(f"bits * tables: expected at most {MAX_BITS}, got {bits * tables}")


def generator(random_state: Any) -> np.random.RandomState:
    """Return the generator that scikit-learn makes of a seed, or say that there is none."""
    try:
        rng: np.random.RandomState = check_random_state(random_state)
    except ValueError as error:
        raise ParameterError(f"random_state: expected an int or a RandomState: {error}") from error
    return rng


def with_seed(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them: a generator as random state becomes None."""
    seed = parameters.get("random_state")
    if seed is None or is_int(seed):
        return parameters
    return parameters | {"random_state": None}
