"""Vectors that another program made of images, as codes by which the images are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import CodeError, DTypeError, FormatError, ParameterError, ShapeError
from ..catalogue import Catalogue, EncoderRow, encoder_rows
from ..encoders import fit_quantizer, load_quantizer
from ..images import images_of
from ..places import Placed, place
from ..store import folder_in
from .arrays import Array, read_arrays
from .codes import IMPORTED, check_name, write_codes

__all__ = ["Embeddings", "import_embeddings", "read_embeddings"]

_VECTORS = ("embeddings", "embedding", "features", "vectors", "img_emb", "arr_0", "")
_FITTED_ON = 20_000
_BITS = 256
_AT_ONCE = 10_000


class Embeddings(NamedTuple):
    """Vectors, shape (n, d), and the image of each: by path, or by id."""

    vectors: Array
    paths: list[str] | None
    ids: npt.NDArray[np.int64] | None


def read_embeddings(
    path: str | os.PathLike[str], paths: str | os.PathLike[str] | None = None
) -> Embeddings:
    """Read vectors from npy or npz.

    Parameters
    ----------
    path : path
        An npz with ``embeddings`` (or features, vectors, img_emb) and ``paths`` or ``ids``; or an
        npy.
    paths : path, optional
        A text file with the path of a row a line, needed with an npy.

    Raises
    ------
    FormatError
        If a file is damaged or lacks what is needed.
    ShapeError, DTypeError, CodeError
        If the vectors are no table of finite real numbers, or rows and paths differ in number.
    """
    arrays, where = read_arrays(path), os.fspath(path)
    name = next((name for name in _VECTORS if name in arrays), None)
    if name is None:
        found = ", ".join(arrays) or "none"
        raise FormatError(f"{where}: expected an array called embeddings, got {found}")
    vectors = _checked(arrays[name], where)
    listed = None if paths is None else _read_lines(paths)
    if listed is None and "paths" in arrays:
        listed = _texts(arrays["paths"])
    ids = _integers(arrays["ids"]) if "ids" in arrays and listed is None else None
    rows = ids if ids is not None else listed
    if rows is None:
        raise FormatError(
            f"{where}: nothing says whose the vectors are: expected paths or ids in it, or a text "
            "file of paths beside it"
        )
    if len(rows) != len(vectors):
        raise ShapeError(f"{where}: {len(vectors)} vectors, but {len(rows)} paths or ids")
    return Embeddings(vectors, listed, ids)


def import_embeddings(
    catalogue: Catalogue,
    name: str,
    embeddings: Embeddings,
    *,
    bits: int | None = None,
    base: str | os.PathLike[str] | None = None,
) -> Placed[int]:
    """Make codes of vectors, under the name of an encoder of their own.

    The first time ITQ is fitted on them, on up to 20,000, and kept in the store; vectors that come
    later under this name are encoded by it.

    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    name : str
    embeddings : Embeddings
    bits : int, optional
        Length of a code; by default 256, or as many as the vectors have numbers.
    base : path, optional
        What paths are relative to, if not to a root.

    Returns
    -------
    placed : Placed
        The row of each image, and the paths of which there is no image.

    Raises
    ------
    ParameterError
        If no row is of an image of the collection, or the name or `bits` is unfit.
    ShapeError
        If the vectors have not the length of those before.
    """
    check_name(catalogue, name)
    placed = _placed(catalogue, embeddings, base)
    if not placed.values:
        first = f", the first {placed.refused[0][0]}" if placed.refused else ""
        raise ParameterError(
            f"paths: none of {len(embeddings.vectors)} is an image of the collection{first}"
        )
    known = encoder_rows(catalogue).get(name)
    itq = _fitted(embeddings.vectors, bits) if known is None else _kept(catalogue, known)
    rows = np.fromiter(placed.values.values(), np.int64)
    codes: dict[int, bytes] = {}
    images = list(placed.values)
    for start in range(0, len(rows), _AT_ONCE):
        part = np.asarray(embeddings.vectors[rows[start : start + _AT_ONCE]], np.float32)
        packed = itq.transform(part)
        codes |= {
            image: code.tobytes()
            for image, code in zip(images[start : start + _AT_ONCE], packed, strict=True)
        }
    file = f"{itq.fingerprint}.safetensors"
    itq.save(os.path.join(folder_in(catalogue.store, "encoders"), file))
    # By its name here the store knows that the file is needed.
    settings = {"from": "embeddings", "length": int(embeddings.vectors.shape[1]), "quantizer": file}
    write_codes(catalogue, name, itq.fingerprint, itq.code_bits, settings, codes)
    return placed


def _placed(
    catalogue: Catalogue, embeddings: Embeddings, base: str | os.PathLike[str] | None
) -> Placed[int]:
    if embeddings.paths is not None:
        return place(catalogue, ((path, row) for row, path in enumerate(embeddings.paths)), base)
    assert embeddings.ids is not None
    known = {image.id for image in images_of(catalogue, embeddings.ids.tolist())}
    placed: Placed[int] = Placed({}, [])
    for row, image in enumerate(embeddings.ids.tolist()):
        if image not in known:
            placed.refused.append((str(image), "no image of the collection"))
        elif image in placed.values:
            placed.refused.append((str(image), "came before"))
        else:
            placed.values[image] = row
    return placed


def _fitted(vectors: Array, bits: int | None) -> Any:
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), _FITTED_ON)).astype(np.int64)
    if bits is not None and bits > vectors.shape[1]:
        raise ParameterError(
            f"bits: expected at most {vectors.shape[1]}, as vectors have, got {bits}"
        )
    return fit_quantizer(np.asarray(vectors[rows], np.float32), bits or _BITS)


def _kept(catalogue: Catalogue, known: EncoderRow) -> Any:
    if known.settings.get("kind") != IMPORTED or known.settings.get("from") != "embeddings":
        raise ParameterError(f"name: {known.name!r} has codes that are not of embeddings")
    return load_quantizer(os.path.join(catalogue.store, "encoders", known.settings["quantizer"]))


def _checked(vectors: Array, where: str) -> Array:
    if vectors.dtype.kind not in "fiu" or vectors.dtype.itemsize > 8:
        raise DTypeError(f"{where}: expected real numbers, got {vectors.dtype}")
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ShapeError(f"{where}: expected a row an image, (n, d), got {vectors.shape}")
    for start in range(0, len(vectors), _AT_ONCE):
        block = vectors[start : start + _AT_ONCE]
        with np.errstate(over="ignore"):
            unfit = ~np.isfinite(np.asarray(block, np.float32)).all(axis=1)
        if unfit.any():
            row = start + int(np.flatnonzero(unfit)[0])
            raise CodeError(f"{where}: NaN, infinite or beyond float32 in row {row}")
    return vectors


def _texts(array: Array) -> list[str]:
    if array.dtype.kind == "S":
        return [os.fsdecode(one) for one in array.ravel().tolist()]
    if array.dtype.kind != "U":
        raise DTypeError(f"paths: expected text, got {array.dtype}")
    return [str(one) for one in array.ravel().tolist()]


def _integers(array: Array) -> npt.NDArray[np.int64]:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DTypeError(f"ids: expected whole numbers (n,), got {array.dtype} {array.shape}")
    return array.astype(np.int64)


def _read_lines(path: str | os.PathLike[str]) -> list[str]:
    lines: Sequence[bytes] = Path(path).read_bytes().removesuffix(b"\n").split(b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines]
