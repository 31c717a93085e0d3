"""A fitted encoder in its file, and encoding by it without scikit-learn."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..checks import as_array
from ..codes import check_bits
from ..errors import DTypeError, FormatError, HashretError, ShapeError
from ..extras import import_extra
from ..files import write_bytes
from ..ranking import HasRanking, rule_from
from ..types import Codes, Floats
from .blocks import Table
from .margins import Projection, rounding

__all__ = [
    "FORMAT",
    "MALFORMED",
    "FittedProjection",
    "as_finite",
    "as_json",
    "fingerprint_of",
    "header_of",
]

FORMAT = 1
# What a file that is none of ours may raise while it is taken apart.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)
# Encoders whose margins are ``(x - mean_) @ projection_`` and nothing more.
_PLAIN = frozenset({"ITQ", "PCAHashing", "RandomProjectionLSH"})


class FittedProjection(HasRanking):
    """The encoder in a file of :meth:`hashret.encoders.Encoder.save`, to encode with.

    It gives the codes and margins, and has the fingerprint, of the encoder that was saved, and
    does nothing else: scikit-learn, which takes longer to import than a folder of photographs
    takes to search, stays out.

    Parameters
    ----------
    kind : str
        Class of the encoder.
    parameters : mapping
        Of its constructor.
    arrays : mapping
        ``mean_`` (d,) and ``projection_`` (d, code_bits), float64.
    data : bytes
        The file.
    """

    def __init__(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        arrays: Mapping[str, Floats],
        data: bytes,
    ) -> None:
        self._kind, self._parameters, self._arrays = kind, parameters, arrays
        self._data = data

    @classmethod
    def read(cls, data: bytes, path: object) -> Self | None:
        """Read the bytes of a file; None if it has more than a projection, or names of columns.

        Raises
        ------
        FormatError
            If the file is not a complete and undamaged encoder of this format.
        """
        safetensors = import_extra("safetensors", "images")
        load = import_extra("safetensors.numpy", "images").load
        try:
            card = json.loads(header_of(data)["__metadata__"]["hashret"])
            if card["format"] != FORMAT:
                raise FormatError(f"format {card['format']}, this version reads {FORMAT}")
            if card["class"] not in _PLAIN or "names" in card:
                return None
            arrays = _arrays_of(load(data), card["features"])
            encoder = cls(card["class"], card["parameters"], arrays, data)
            check_bits(encoder.code_bits)
            if "ranking" in card:
                encoder.ranking = rule_from(card["ranking"])
            whole = encoder.fingerprint == card.get("fingerprint")
        except (safetensors.SafetensorError, HashretError, *MALFORMED) as error:
            raise FormatError(f"{path}: not a saved encoder: {error!r}") from error
        if not whole:
            raise FormatError(f"{path}: damaged: the fingerprint does not fit the contents")
        return encoder

    @property
    def code_bits(self) -> int:
        """Length of a code."""
        return int(self._arrays["projection_"].shape[1])

    @cached_property
    def codes_fingerprint(self) -> str:
        """That of the encoder which was saved."""
        return fingerprint_of(self._kind, self._parameters, self._arrays)

    def transform(self, X: npt.ArrayLike, /) -> Codes:
        """Return the packed codes of feature vectors, uint8 (n, ceil(code_bits / 8))."""
        return self._projection.codes(self._table(X))

    def project(self, X: npt.ArrayLike, /) -> npt.NDArray[np.float32]:
        """Return the margins of feature vectors, float32 (n, code_bits): bit j is margin j > 0."""
        return self._projection.margins(self._table(X))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file that it was read from."""
        write_bytes(path, self._data)

    @cached_property
    def _projection(self) -> Projection:
        mean, axes = self._arrays["mean_"], self._arrays["projection_"]
        return Projection(mean, axes, _as_they_are, rounding(axes), 0.0)

    def _table(self, X: npt.ArrayLike) -> Table:
        table: Table = as_array("X", X)
        width = len(self._arrays["mean_"])
        if table.ndim != 2 or table.shape[1] != width:
            raise ShapeError(f"X: expected (n, {width}), got {table.shape}")
        if table.dtype.kind not in "biuf":
            raise DTypeError(f"X: expected real numbers, got {table.dtype}")
        return table


def _as_they_are(products: Floats, bits: Any) -> Floats:
    return products


def fingerprint_of(kind: str, parameters: Mapping[str, Any], arrays: Mapping[str, Floats]) -> str:
    """Return SHA-256 of a class, its parameters and fitted arrays, without the random state."""
    settings = {**parameters, "random_state": None}
    digest = hashlib.sha256(f"{kind} {as_json(settings)}".encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], "<f8")
        digest.update(f" {name} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def header_of(data: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file, JSON before the tensors."""
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header


def as_finite(array: npt.NDArray[Any], name: str) -> Floats:
    """Return an array of a file, or say that it is not of finite float64."""
    if array.dtype != np.float64 or not np.isfinite(array).all():
        raise FormatError(f"{name}: expected finite float64, got {array.dtype}")
    return array


def as_json(value: Any) -> str:
    """Return JSON that is the same for the same values."""
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    """Return a number of numpy as Python's."""
    if isinstance(value, np.floating):
        return float(value)
    return int(value)


def _arrays_of(found: Mapping[str, npt.NDArray[Any]], features: int) -> dict[str, Floats]:
    arrays = {name: as_finite(found[name], name) for name in ("mean_", "projection_")}
    bits = arrays["projection_"].shape[-1]
    for name, shape in (("mean_", (features,)), ("projection_", (features, bits))):
        if arrays[name].shape != shape or not all(shape):
            raise FormatError(f"{name}: expected shape {shape}")
    return arrays
