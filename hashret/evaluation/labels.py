"""The labels of images: training, scoring and pictures take the same forms, and read them here.

One label an image
    Integers or booleans of any type, floats that are whole numbers, or strings; in arrays, lists,
    tensors, series or categories. Missing: -1, None, NaN, NA, or masked. Any other value is a
    class, the empty string and other negative numbers included.
Several labels an image
    A table of 0 and 1 with a column a class, of two classes or more. Missing: a whole row of -1,
    None, NaN, NA, or masked. It may be a sparse matrix.

An image whose label is missing is relevant to nothing and similar to nothing, as is one whose row
names no class. It still is in the database, where it counts as an item that is not relevant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DTypeError, ParameterError, ShapeError
from ..types import Bools

__all__ = ["Labels", "bears_label", "match_labels", "parse_labels", "share_a_label"]

Numbers = npt.NDArray[np.int64]

MISSING = -1
# Past that, float64 rounds, and two labels may have become one.
_EXACT = 2**53
_WORDS = "UST"
_WHOLE = (int, np.integer, np.bool_)
_REAL = (float, np.floating)


@dataclass(frozen=True)
class Labels:
    """Labels as they were given, in one of three forms.

    Attributes
    ----------
    values : ndarray
        int64 (n,), -1 where missing; or objects (n,), strings or integers past int64, None where
        missing; or bool (n, classes), all False where missing.
    known : ndarray of bool, shape (n,)
        Which are not missing.
    dtype : numpy.dtype
        Of the classes.
    columns : list, optional
        Names of a table's columns, where it has any.
    """

    values: npt.NDArray[Any]
    known: Bools
    dtype: np.dtype[Any]
    columns: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def form(self) -> str | None:
        """What they are, in words; None where all are missing, which agrees with any form."""
        if not self.known.any():
            return None
        if self.values.ndim == 2:
            return f"a table of {self.values.shape[1]} classes"
        words = isinstance(self.values[np.argmax(self.known)], str)
        return "strings" if words else "integers"

    def classes(self) -> list[Any]:
        """Return the distinct ones of labels in one dimension, sorted."""
        return sorted(set(self.values[self.known].tolist()))

    def numbered(self, classes: Iterable[Any]) -> Numbers:
        """Return the number of each among `classes`, -1 where missing: int64 (n,)."""
        numbers = {label: number for number, label in enumerate(classes)}
        found = (numbers.get(label, MISSING) for label in self.values.tolist())
        return np.where(self.known, np.fromiter(found, np.int64, len(self)), MISSING)


def parse_labels(labels: npt.ArrayLike, name: str = "labels", count: int | None = None) -> Labels:
    """Read labels of any form that the module's description names.

    Parameters
    ----------
    labels : array_like, shape (n,) or (n, classes)
    name : str
        How errors call them.
    count : int, optional
        How many there have to be.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If they have no such form.

    Examples
    --------
    >>> parse_labels(["cat", None, ""]).known
    array([ True, False,  True])
    >>> parse_labels(np.array([3.0, np.nan, -1.0])).values
    array([ 3, -1, -1])
    >>> parse_labels([[1, 0], [-1, -1]]).values
    array([[ True, False],
           [False, False]])
    """
    array, masked = _as_array(labels, name)
    _check_shape(array, name, count)
    if array.dtype.kind not in "biufO" + _WORDS:
        raise DTypeError(f"{name}: expected integers or strings, got {array.dtype}")
    if array.ndim == 2:
        table = _parse_table(array, masked, name)
        return replace(table, columns=_column_names(labels))
    if array.dtype.kind in "O" + _WORDS:
        return _parse_objects(array.tolist(), masked, name)
    if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
        return _parse_objects(array.tolist(), masked, name)
    dtype = array.dtype
    if dtype.kind == "f":
        masked = masked | np.isnan(array)
        _check_whole(array, masked, name)
        dtype = np.dtype(np.int64)
    # Filled first: NaN has no integer.
    values = np.array(np.where(masked, 0, array) if masked.any() else array, np.int64)
    values[masked] = MISSING
    return Labels(values, values != MISSING, dtype)


def match_labels(
    query_labels: npt.ArrayLike,
    labels: npt.ArrayLike,
    n_queries: int | None = None,
    n: int | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Read the labels of queries and of a database together, so that equal ones are equal.

    Parameters
    ----------
    query_labels, labels : array_like, shape (n_queries,) or (n_queries, classes), and of n likewise
        In the same form, data frames with the same columns; see the module's description.
    n_queries, n : int, optional
        How many there have to be.

    Returns
    -------
    query_labels, labels : ndarray
        Both int64, -1 where missing, or both tables of bool, all False where missing. Read again,
        they stay as they are.

    Raises
    ------
    ShapeError, DTypeError, ParameterError
        If they are unfit or their forms differ.

    Examples
    --------
    >>> match_labels(["dog", None], ["cat", "dog", "eel"])
    (array([ 1, -1]), array([0, 1, 2]))
    """
    wanted = parse_labels(query_labels, "query_labels", n_queries)
    present = parse_labels(labels, "labels", n)
    if None in (wanted.form, present.form):
        # Nothing is shared, so that only what is missing counts.
        return _missing_or_not(wanted), _missing_or_not(present)
    if wanted.form != present.form:
        error = DTypeError if wanted.values.ndim == present.values.ndim == 1 else ShapeError
        raise error(f"query_labels: expected {present.form} like labels, got {wanted.form}")
    if None not in (wanted.columns, present.columns) and wanted.columns != present.columns:
        raise ShapeError(
            f"query_labels: expected the columns of labels, {_shortened(present.columns)}, in "
            f"their order, got {_shortened(wanted.columns)}"
        )
    if wanted.values.dtype == present.values.dtype != np.object_:
        return wanted.values, present.values
    classes = sorted({*wanted.classes(), *present.classes()})
    return wanted.numbered(classes), present.numbered(classes)


def _shortened(columns: list[Any] | None) -> str:
    return ", ".join(str(column) for column in (columns or [])[:8])


def _missing_or_not(labels: Labels) -> Numbers:
    named = labels.values.any(axis=1) if labels.values.ndim == 2 else labels.known
    return np.where(named, 0, MISSING)


def share_a_label(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Bools:
    """Compare labels of :func:`match_labels`, or rows of them, which broadcast.

    Two are equal and not missing, or True in a column of both.

    Examples
    --------
    >>> share_a_label(np.array([3, 5, -1]), np.array(5))
    array([False,  True, False])
    >>> share_a_label(np.array([-1]), np.array(-1))
    array([False])
    >>> share_a_label(np.array([[True, False], [False, False]]), np.array([True, True]))
    array([ True, False])
    """
    if first.dtype == np.bool_:
        return np.asarray((first & second).any(axis=-1))
    return np.asarray((first == second) & (second != MISSING))


def bears_label(labels: npt.NDArray[Any]) -> Bools:
    """Return which of the labels of :func:`match_labels` name a class, bool (n,)."""
    return np.asarray(labels.any(axis=1) if labels.ndim == 2 else labels != MISSING)


def _as_array(labels: Any, name: str) -> tuple[npt.NDArray[Any], Bools]:
    """Return an array, and which of its entries are masked."""
    if isinstance(labels, np.ma.MaskedArray):
        return np.asarray(labels.data), np.ma.getmaskarray(labels)
    if hasattr(labels, "toarray"):
        labels = labels.toarray()  # a sparse table, as scikit-learn's binarizers make them
    try:
        # A tensor may be on a GPU, or be part of a graph.
        array = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
        if isinstance(labels, (list, tuple)) and _is_altered(array):
            array = np.array(labels, dtype=object)
    except ValueError as error:
        raise ShapeError(f"{name}: expected (n,), or (n, classes) of 0 and 1: {error}") from error
    except (TypeError, RuntimeError) as error:
        raise DTypeError(f"{name}: expected integers or strings: {error}") from error
    return array, np.zeros(array.shape, np.bool_)


def _column_names(labels: Any) -> list[Any] | None:
    """Return the names of a data frame's columns, unless they are but numbers of columns."""
    columns = list(getattr(labels, "columns", ()))
    return None if columns == list(range(len(columns))) else columns


def _is_altered(array: npt.NDArray[Any]) -> bool:
    """Tell whether numpy, making this of a list, may have written NaN as "nan" or rounded."""
    if array.dtype.kind == "f":
        return bool((np.abs(array) > _EXACT).any())
    return array.dtype.kind in _WORDS


def _check_shape(array: npt.NDArray[Any], name: str, count: int | None) -> None:
    n = "n" if count is None else count
    fits = array.ndim in (1, 2) and (count is None or len(array) == count)
    if fits and (array.ndim == 1 or array.shape[1] > 1):
        return
    got = f"shape {array.shape}" if array.ndim else type(array[()]).__name__
    # One column of 0 and 1 could be read either way.
    raise ShapeError(
        f"{name}: expected ({n},) or ({n}, classes) with two classes or more, "
        f"one label or row each, got {got}"
    )


def _parse_table(array: npt.NDArray[Any], masked: Bools, name: str) -> Labels:
    if array.dtype.kind in "O" + _WORDS:
        array = _as_numbers(array, name)
    if array.dtype.kind == "b" and not masked.any():
        return Labels(array, np.ones(len(array), np.bool_), array.dtype)
    ones = (array == 1) & ~masked
    plain = ones | ((array == 0) & ~masked)
    known = ~(masked | (array == MISSING) | np.isnan(array)).all(axis=1)
    bad = known & ~plain.all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        value = np.ma.array(array[row], mask=masked[row])[~plain[row]][0]
        raise ParameterError(
            f"{name}: expected 0 and 1 in a table, or -1 in a whole row where labels are missing, "
            f"got {value} in row {row}"
        )
    return Labels(ones, known, np.dtype(np.int64))


def _as_numbers(table: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    """Return a table of objects as floats, NaN where they say that there is nothing."""
    flat = [np.nan if _is_missing(value) else value for value in table.ravel().tolist()]
    for kind in {type(value) for value in flat}:
        if not issubclass(kind, _WHOLE + _REAL):
            raise DTypeError(f"{name}: expected a table of 0 and 1, got {kind.__name__}")
    # Not through int64, which a large integer would not fit.
    return np.array([float(value) for value in flat], np.float64).reshape(table.shape)


def _parse_objects(labels: list[Any], masked: Bools, name: str) -> Labels:
    """Read strings, bytes, or numbers; what a masked entry holds does not matter."""
    missing = [hidden or _is_missing(v) for v, hidden in zip(labels, masked.tolist(), strict=True)]
    kinds = {type(v) for v, gone in zip(labels, missing, strict=True) if not gone}
    found = [None if gone else v for v, gone in zip(labels, missing, strict=True)]
    if all(issubclass(kind, str) for kind in kinds):
        values = _objects(None if v is None else str(v) for v in found)
        return Labels(values, ~np.array(missing, np.bool_), np.dtype(np.str_))
    if all(issubclass(kind, bytes) for kind in kinds):
        return _parse_objects([_decoded(v, name) for v in found], masked, name)
    if not all(issubclass(kind, _WHOLE + _REAL) for kind in kinds):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DTypeError(
            f"{name}: expected integers, or strings and None where one is missing, got {names}"
        )
    return _of_integers(_as_integers(found, name))


def _of_integers(numbers: list[int]) -> Labels:
    known = np.array([number != MISSING for number in numbers], np.bool_)
    limits = np.iinfo(np.int64)
    if all(limits.min <= number <= limits.max for number in numbers):
        values: npt.NDArray[Any] = np.array(numbers, np.int64)
        return Labels(values, known, values.dtype)
    values = _objects(None if number == MISSING else number for number in numbers)
    return Labels(values, known, values.dtype)


def _objects(values: Iterable[Any]) -> npt.NDArray[Any]:
    listed = list(values)
    array = np.empty(len(listed), object)
    array[:] = listed
    return array


def _is_missing(label: Any) -> bool:
    # Those of pandas are told by their names, as pandas need not be there.
    return (
        label is None
        or (isinstance(label, _REAL) and bool(np.isnan(label)))
        or type(label).__name__ in ("NAType", "NaTType")
    )


def _decoded(label: bytes | None, name: str) -> str | None:
    try:
        return None if label is None else label.decode()
    except UnicodeDecodeError as error:
        raise DTypeError(f"{name}: expected strings, or bytes in UTF-8: {error}") from error


def _as_integers(labels: list[Any], name: str) -> list[int]:
    """Return numbers as integers of any size, -1 for None."""
    floats = [row for row, label in enumerate(labels) if isinstance(label, _REAL)]
    for row in floats:
        _check_whole(np.array([labels[row]]), np.zeros(1, np.bool_), name, row)
    return [MISSING if label is None else int(label) for label in labels]


def _check_whole(array: npt.NDArray[Any], missing: Bools, name: str, start: int = 0) -> None:
    """Raise unless floats are whole, and so small that their type has rounded none."""
    exact = min(2 ** (np.finfo(array.dtype).nmant + 1), _EXACT)
    unfit = ~missing & ~((np.abs(array) <= exact) & (np.trunc(array) == array))
    if unfit.any():
        row = int(np.argmax(unfit))
        raise DTypeError(
            f"{name}: expected integers or strings, or floats that are whole numbers up to "
            f"{exact}, got {array[row]} in row {start + row}"
        )
