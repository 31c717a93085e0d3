"""Weights out of a file that torch wrote, without torch and without unpickling anything of it."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError

__all__ = ["read_weights"]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


def read_weights(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a state dict by name.

    The file is in the form of torch before 1.6: a pickle that says which tensor lies where, then
    the numbers. Of the pickle only what such a file holds is built, and nothing else is called.

    Parameters
    ----------
    path : path
        Of a file of float32 and int64 tensors.

    Raises
    ------
    FormatError
        If it is another file.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, LookupError, ValueError, TypeError, EOFError) as error:
        raise FormatError(f"{path}: no weights in the form of torch before 1.6: {error}") from error


class _Tensor:
    """Where in a storage a tensor lies."""

    def __init__(
        self, key: str, offset: int, shape: tuple[int, ...], strides: Any, *rest: Any
    ) -> None:
        self.key, self.offset, self.shape, self.strides = key, offset, shape, strides

    def within(self, storage: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the tensor's numbers; strided as it was written, but never past the storage."""
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((*self.shape, 1)) < 1 or min((self.offset, *self.strides)) < 0:
            raise ValueError("a tensor that is none")
        if last >= len(storage):
            raise ValueError("a tensor past the end of its storage")
        strides = [step * storage.itemsize for step in self.strides]
        part = storage[self.offset :]
        return np.array(np.lib.stride_tricks.as_strided(part, self.shape, strides), order="C")


class _Tables(pickle.Unpickler):
    """Builds numbers, names, ordered dictionaries and the places of tensors."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        }
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self.dtypes[str(key)] = _DTYPES[kind]
        return str(key)


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    head = [_Tables(file).load() for _ in range(3)]
    if head[:2] != [_MAGIC, _PROTOCOL]:
        raise ValueError("it begins otherwise")
    tables = _Tables(file)
    places: dict[str, _Tensor] = tables.load()
    storages: dict[str, npt.NDArray[Any]] = {}
    for key in _Tables(file).load():
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        kind = tables.dtypes[key]
        storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: place.within(storages[place.key]) for name, place in places.items()}
