"""Arrays in npy and npz files, of which nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError

__all__ = ["read_arrays"]

Array = npt.NDArray[Any]
# Bytes of an array that unpack from one byte of its file, at most, by deflate.
_MOST_INFLATED = 1032


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the arrays of an npz file, or that of an npy file, mapped, under the name "".

    Raises
    ------
    FormatError
        If it is none, is truncated or damaged, or holds Python objects.
    OSError
        If it cannot be read.
    """
    size = os.stat(path).st_size
    with _format_errors(path):
        if not zipfile.is_zipfile(path):
            return {"": np.lib.format.open_memmap(path, mode="r")}
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > _MOST_INFLATED * size:
                raise ValueError("its arrays are larger than such a file can hold")
            return {
                one.filename.removesuffix(".npy"): _member(archive, one)
                for one in archive.infolist()
                if one.filename.endswith(".npy")
            }


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if header is None:
            raise ValueError(f"an array of version {version}")
        shape, _, dtype = header(file)
        if int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize > info.file_size:
            raise ValueError(f"an array of shape {shape} in {info.file_size} bytes")
    with archive.open(info) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


@contextmanager
def _format_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (ValueError, EOFError, MemoryError, OverflowError, NotImplementedError) as error:
        hint = " (objects are never unpickled)" if "pickle" in str(error).lower() else ""
        raise FormatError(
            f"{os.fspath(path)}: no npy or npz that can be read: {error}{hint}"
        ) from None
    except (RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{os.fspath(path)}: no npy or npz that can be read: {error}") from None
