"""What all encoders of feature vectors share: checks, packing, fingerprint, files."""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..codes import MAX_BITS, Codes, check_bits, pack
from ..errors import CodeError, FormatError, HashretError, ParameterError, ShapeError, import_extra
from ..files import write_bytes

Floats = npt.NDArray[np.float64]
Margins = npt.NDArray[np.float32]

FORMAT = 1
_CLASSES: dict[str, type[Encoder]] = {}
# Rows in work at once: with 4096 bits their margins take 64 MB.
_ROWS = 2048


class Encoder(TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base class of the encoders.

    A subclass has scikit-learn's constructor, sets the float64 arrays that `_fitted` names in
    `_fit`, and says what follows from them in `_margins`.
    """

    _fitted: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _CLASSES[cls.__name__] = cls

    @property
    @abstractmethod
    def code_bits(self) -> int:
        """Length of a code in bits: what ``hashret.Index`` takes as ``bits``."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise a ParameterError or DTypeError if a constructor parameter is out of range."""

    @abstractmethod
    def _fit(self, features: Floats) -> None:
        """Set the arrays named by `_fitted`."""

    @abstractmethod
    def _fitted_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array named by `_fitted`, for ``n_features_in_`` features."""

    @abstractmethod
    def _margins(self, features: Floats) -> Floats:
        """Return the values (n, code_bits) whose sign the bits are."""

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Fit to feature vectors.

        Parameters
        ----------
        X : array_like of real, shape (n, d)
        y : ignored

        Raises
        ------
        ParameterError
            If a constructor parameter is out of range.
        ShapeError
            If `X` is not a table with at least one row and one column.
        CodeError
            If a feature is NaN or infinite.
        """
        self._check_parameters()
        self._fit(self._features(X, reset=True))
        return self

    def transform(self, X: npt.ArrayLike) -> Codes:
        """Return the packed codes of feature vectors, uint8 (n, ceil(code_bits / 8))."""
        check_is_fitted(self)
        features = self._features(X, reset=False)
        codes = np.empty((len(features), (self.code_bits + 7) // 8), np.uint8)
        for rows in _blocks(len(features)):
            codes[rows] = pack(self._rounded_margins(features[rows]))
        return codes

    def project(self, X: npt.ArrayLike) -> Margins:
        """Return the margins of feature vectors, float32 (n, code_bits): bit j is margin j > 0."""
        check_is_fitted(self)
        features = self._features(X, reset=False)
        margins = np.empty((len(features), self.code_bits), np.float32)
        for rows in _blocks(len(features)):
            margins[rows] = self._rounded_margins(features[rows])
        return margins

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the class, its parameters and fitted arrays; equal codes, equal fingerprint.

        The random state is left out: its effect is in the arrays.
        """
        check_is_fitted(self)
        parameters = self.get_params() | {"random_state": None}
        digest = hashlib.sha256(f"{type(self).__name__} {_json(parameters)}".encode())
        for name in sorted(self._fitted):
            array = np.ascontiguousarray(getattr(self, name), "<f8")
            digest.update(f" {name} {array.shape} ".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the encoder to a safetensors file, replacing it only once complete."""
        safetensors = import_extra("safetensors.numpy", "images")
        check_is_fitted(self)
        card = {
            "format": FORMAT,
            "class": type(self).__name__,
            "parameters": _with_seed(self.get_params()),
            "features": self.n_features_in_,
            "fingerprint": self.fingerprint,
        }
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in self._fitted}
        write_bytes(path, safetensors.save(arrays, {"hashret": _json(card)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an encoder of this class; see :func:`load_encoder`."""
        encoder = load_encoder(path)
        if not isinstance(encoder, cls):
            raise FormatError(f"{path}: holds a {type(encoder).__name__}, not a {cls.__name__}")
        return encoder

    def _rounded_margins(self, features: Floats) -> Margins:
        """Margins as `project` gives them, so that bits are their sign to the last digit."""
        return self._margins(features).astype(np.float32)

    def _features(self, X: npt.ArrayLike, reset: bool) -> Floats:
        try:
            features: Floats = validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_all_finite=False
            )
        except ValueError as error:
            raise ShapeError(f"X: {error}") from error
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            raise CodeError(f"X: NaN or infinity (inf) in row {np.argmin(finite)}")
        return features

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
                setattr(encoder, name, _as_finite(file.get_tensor(name), name))
    except (safetensors.SafetensorError, HashretError, *_MALFORMED) as error:
        raise FormatError(f"{path}: not a saved encoder: {error!r}") from error
    if encoder.fingerprint != card.get("fingerprint"):
        raise FormatError(f"{path}: damaged: the fingerprint does not fit the contents")
    return encoder


_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def _blank(card: dict[str, Any]) -> tuple[Encoder, dict[str, tuple[int, ...]]]:
    """Return an unfitted encoder with the card's parameters, and the shapes of its arrays."""
    if card["format"] != FORMAT:
        raise FormatError(f"format {card['format']}, this version reads {FORMAT}")
    encoder = _CLASSES[card["class"]](**card["parameters"])
    encoder._check_parameters()
    if type(card["features"]) is not int or card["features"] < 1:
        raise FormatError(f"features: expected a positive int, got {card['features']!r}")
    encoder.n_features_in_ = card["features"]
    return encoder, encoder._fitted_shapes()


def _as_finite(array: npt.NDArray[Any], name: str) -> Floats:
    if array.dtype != np.float64 or not np.isfinite(array).all():
        raise FormatError(f"{name}: expected finite float64, got {array.dtype}")
    return array


def check_total_bits(bits: int, tables: int) -> None:
    """Raise unless `tables` tables of `bits` bits make a code of a length that hashret knows."""
    check_bits(bits)
    check_count(tables, "tables")
    if bits * tables > MAX_BITS:
        raise ParameterError(f"bits * tables: expected at most {MAX_BITS}, got {bits * tables}")


def check_count(value: Any, name: str) -> None:
    """Raise unless `value` is a positive int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ParameterError(f"{name}: expected a positive int, got {value!r}")


def _with_seed(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them: a generator as random state becomes None."""
    seed = parameters.get("random_state")
    if seed is None or isinstance(seed, (int, np.integer)):
        return parameters
    return parameters | {"random_state": None}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=int)  # default: numpy integers


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, count, _ROWS))
