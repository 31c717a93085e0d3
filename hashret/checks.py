"""Checks of numbers, arrays and pictures that callers hand in; each error names the argument."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CodeError, DTypeError, IdError, ParameterError, ShapeError
from .types import Ids

__all__ = [
    "all_ints",
    "as_array",
    "as_int64",
    "as_integers",
    "as_pixels",
    "as_real",
    "check_choice",
    "check_ids",
    "check_int",
    "check_k",
    "check_number",
    "check_pictures",
    "is_int",
]

# An index holds no more codes.
MAX_ROWS = 2**32 - 1


def is_int(value: object) -> bool:
    """Whether a value is a whole number by its type: Python's or numpy's, and no boolean."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_int(name: str, value: Any, least: int | None = None) -> int:
    """Return a whole number as an int.

    Raises
    ------
    DTypeError
        If it is of another type: a float, a boolean, text.
    ParameterError
        If it is less than `least`.
    """
    if not is_int(value):
        raise DTypeError(f"{name}: expected an int, got {type(value).__name__}")
    if least is not None and value < least:
        raise ParameterError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def check_number(
    name: str, value: float, *, least: float = -math.inf, above: float = -math.inf
) -> float:
    """Return a finite number of at least `least` and more than `above`, as it is, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise DTypeError(f"{name}: expected a number, got {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        raise ParameterError(
            f"{name}: expected a number that a float holds, got an int of "
            f"{int(value).bit_length()} bits"
        ) from None
    if not finite:
        raise ParameterError(f"{name}: expected a finite number, got {value}")
    if value < least:
        raise ParameterError(f"{name}: expected a number >= {least}, got {value}")
    if value <= above:
        raise ParameterError(f"{name}: expected a number > {above}, got {value}")
    return value


def check_choice(name: str, value: str, *choices: str) -> str:
    """Return one of the choices, or raise."""
    if value not in choices:
        listed = ", ".join(map(repr, choices[:-1]))
        raise ParameterError(f"{name}: expected {listed} or {choices[-1]!r}, got {value!r}")
    return value


def check_k(k: int) -> int:
    if type(k) is int and 1 <= k <= MAX_ROWS:
        return k  # the common case, for the sake of single queries
    k = check_int("k", k, 1)
    if k > MAX_ROWS:
        raise ParameterError(f"k: expected at most {MAX_ROWS}, got {k}")
    return k


def as_array(name: str, value: Any) -> npt.NDArray[Any]:
    """Return what a caller handed in as an array, without a copy where numpy needs none.

    Takes arrays, sequences, pandas, torch tensors of any device, and masked arrays of which
    nothing is masked.

    Raises
    ------
    DTypeError
        If it is no array: text, bytes, a set, an iterator, None, a sparse matrix; or of a type
        numpy lacks.
    ShapeError
        If its rows have several shapes.
    CodeError
        If an entry is masked: it is missing, and numpy would take what lies beneath.
    """
    if type(value) is np.ndarray:
        return value  # the common case, for the sake of single queries
    if hasattr(value, "toarray"):
        raise DTypeError(
            f"{name}: expected a dense array, got a sparse {type(value).__name__}; "
            f"{name}.toarray() makes it dense"
        )
    if isinstance(value, (str, bytes, Mapping, Set, Iterator, type(None))):
        raise DTypeError(f"{name}: expected an array, got {type(value).__name__}")
    rows = value if isinstance(value, (list, tuple)) else [value]
    for number, row in enumerate(rows):
        if np.ma.isMaskedArray(row) and np.ma.is_masked(row):
            where = f", in row {number}" if rows is value else ""
            raise CodeError(
                f"{name}: some entries are masked{where}; fill them, or leave their rows out"
            )
    try:
        plain = [_from_torch(row) for row in rows]
        _check_one_shape(name, plain)
        return np.asarray(plain if rows is value else plain[0])
    except ShapeError:
        raise
    except Exception as error:  # whatever another library's __array__ raises
        if isinstance(value, (list, tuple)) and "inhomogeneous" in str(error):
            raise ShapeError(f"{name}: expected rows of one shape, got {error}") from None
        raise DTypeError(
            f"{name}: expected an array, got {type(value).__name__} that numpy does not take "
            f"({error})"
        ) from None


def _check_one_shape(name: str, rows: list[Any]) -> None:
    shapes = sorted({tuple(row.shape) for row in rows if getattr(row, "ndim", 0)})
    if len(shapes) > 1:
        raise ShapeError(
            f"{name}: expected rows of one shape, got {', '.join(map(str, shapes[:3]))}"
            f"{', ...' if len(shapes) > 3 else ''}"
        )


def _from_torch(value: Any) -> Any:
    """Let numpy read a torch tensor: off its graph and device, in a type numpy has."""
    if not hasattr(value, "detach") or not hasattr(value, "resolve_conj"):
        return value
    plain = value.detach().cpu()
    # bfloat16 and the kinds of float8, and lazily conjugated or negated ones.
    if plain.is_floating_point() and plain.dtype.itemsize < 4:
        plain = plain.float()
    return plain.resolve_conj().resolve_neg()


def as_integers(name: str, value: object) -> npt.NDArray[Any]:
    """As `as_array`; lists of whole numbers stay whole, Python ints if no integer type has room.

    numpy makes floats of those that fit neither int64 nor uint64 together.
    """
    array = as_array(name, value)
    if array.dtype.kind == "f" and array.size and isinstance(value, (list, tuple)):
        exact = np.asarray(value, object)
        return exact if all_ints(exact) else array
    return array


def all_ints(array: npt.NDArray[Any]) -> bool:
    """Whether an array of objects holds Python ints only."""
    return array.dtype == object and all(type(value) is int for value in array.flat)


def as_real(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return real numbers or booleans as an array of any shape."""
    array = as_array(name, values)
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: expected real numbers or booleans, got {array.dtype}")
    return array


def as_int64(name: str, array: npt.NDArray[Any]) -> Ids:
    if array.size == 0 and array.dtype.kind in "fO":
        array = array.astype(np.int64)  # numpy makes [] a float array, pandas one of objects
    if array.size and all_ints(array):
        raise IdError(f"{name}: {max(array.flat, key=abs)} does not fit int64")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: expected integers, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise IdError(f"{name}: {array.max()} does not fit int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def check_ids(ids: npt.ArrayLike, count: int | None = None) -> Ids:
    array = np.atleast_1d(as_integers("ids", ids))
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(n,)" if count is None else f"({count},)"
        raise ShapeError(f"ids: expected shape {expected}, got {array.shape}")
    array = as_int64("ids", array)
    if (array == -1).any():
        raise IdError("ids: -1 stands for a missing neighbour and cannot be an id")
    return array


def as_pixels(images: Any) -> npt.NDArray[Any]:
    """Return pictures, or vectors of them, as an array; PIL images by their grey or colours.

    Raises
    ------
    ShapeError
        If the images of a sequence have several sizes, or there is one PIL image alone.
    DTypeError
        If a PIL image has a mode whose numbers are no grey levels or colours.
    CodeError
        If pixels are masked.
    """
    if hasattr(images, "getbands"):
        raise ShapeError("images: expected a batch, got one PIL image: [image] makes a batch of it")
    if isinstance(images, (list, tuple)) and any(hasattr(one, "getbands") for one in images):
        images = [_pil_pixels(one, f"images[{number}]") for number, one in enumerate(images)]
    return as_array("images", images)


def check_pictures(array: npt.NDArray[Any], expected: str = "") -> npt.NDArray[Any]:
    """Return a batch of pictures, shape (n, height, width) or (n, height, width, 1 or 3), as it is.

    Whether its dtype is that of pixels is the caller's to check; `expected` adds to what the
    message says is taken.

    Raises
    ------
    ShapeError
        If it has another shape. One picture alone is no batch: (height, width, 3) is refused as
        one in colour, so that grey pictures 3 wide are given as (n, height, 3, 1).
    """
    hint = _hint(array.shape)
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3))
    if hint or not fits or 0 in array.shape[1:]:
        raise ShapeError(
            "images: expected (n, height, width) or (n, height, width, 3)"
            f"{expected}, got {array.shape}{hint}"
        )
    return array


def _hint(shape: tuple[int, ...]) -> str:
    """Say what a shape that is no batch of pictures may be, and how to make it one."""
    if len(shape) == 1 and shape[0]:
        return ": one vector? images[None] makes a batch of it"
    if len(shape) == 2:
        return ": one grey picture? images[None] makes a batch of it"
    if len(shape) == 3 and (shape[2] == 3 or (shape[2] in (1, 4) and shape[1] > shape[2])):
        return (
            ": one picture? images[None] makes a batch of it "
            f"(and images[..., None] says that they are grey, {shape[2]} wide)"
        )
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        return ": channels first? images.transpose(0, 2, 3, 1) puts them last"
    if len(shape) == 4 and shape[3] == 4:
        return ": images[..., :3] leaves out the alpha channel"
    return ""


def _pil_pixels(image: Any, name: str) -> npt.NDArray[Any]:
    """Return the pixels of a PIL image whose numbers are grey levels or colours."""
    mode = getattr(image, "mode", None)
    if hasattr(image, "getbands") and mode not in ("L", "RGB", "I", "F", "I;16", "I;16B", "I;16L"):
        raise DTypeError(
            f"{name}: expected a PIL image of mode L or RGB, got {mode}; "
            'image.convert("RGB") makes one'
        )
    return as_array(name, image)
