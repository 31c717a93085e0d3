"""faiss: its binary indexes, as files and as objects.

Bytes of codes are those of the index. Distances need no order of bits; who compares codes with
those that faiss itself packs (``IndexLSH``, ``fvecs2bitvecs``), which has the first bit of a byte
least significant, calls :func:`hashret.codes.to_lsb_first`. An index knows whole bytes only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..extras import import_extra
from ..types import Codes, Ids
from .stored import Source, Stored, Target, bits_of, checked, dimension, reading, writing

__all__ = ["from_index", "read", "to_index", "write"]


def write(
    target: Target, codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None
) -> None:
    """Write the index that :func:`to_index` makes, as ``faiss.read_index_binary`` reads it.

    Parameters
    ----------
    target : path or binary file
    codes, bits, ids
        As of :func:`to_index`.
    """
    index = to_index(codes, bits, ids)
    faiss: Any = import_extra("faiss", "faiss")
    with writing(target) as file:
        faiss.write_index_binary(index, faiss.PyCallbackIOWriter(file.write))


def read(source: Source, bits: int | None = None) -> Stored:
    """Read a file of ``faiss.write_index_binary``; see :func:`from_index`.

    Raises
    ------
    FormatError
        If it is none, is truncated, or is of a kind that keeps no codes.
    ParameterError, CodeError, IdError
        If `bits` do not fit the codes, or an id is -1 or repeated.
    MissingExtraError
        If faiss is not installed.
    """
    faiss: Any = import_extra("faiss", "faiss")
    with reading(source) as (file, where):
        try:
            index = faiss.read_index_binary(faiss.PyCallbackIOReader(file.read))
        except (RuntimeError, MemoryError) as error:
            reason = str(error).partition("Error: ")[2] or str(error)
            raise FormatError(f"{where}: no binary index of faiss: {reason[:200]}") from None
    return from_index(index, bits)


def to_index(codes: npt.ArrayLike, bits: int, ids: npt.ArrayLike | None = None) -> Any:
    """Return an exact index of faiss: ``IndexBinaryFlat``, under ``IndexBinaryIDMap2`` with `ids`.

    Parameters
    ----------
    codes : array_like
        uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).
    bits : int
        Length of a code; the index has it rounded up to whole bytes.
    ids : array_like of int64, shape (n,), optional
        Unique and not -1; by default they count from 0, without a map.

    Raises
    ------
    ShapeError, DTypeError, CodeError, IdError
        If codes or ids are unfit.
    MissingExtraError
        If faiss is not installed.
    """
    faiss: Any = import_extra("faiss", "faiss")
    stored = checked(codes, bits, ids)
    index = faiss.IndexBinaryFlat(dimension(bits))
    if ids is None:
        index.add(stored.codes)
        return index
    mapped = faiss.IndexBinaryIDMap2(index)
    mapped.add_with_ids(stored.codes, stored.ids)
    # The map does not hold what it wraps alive.
    mapped.referenced_objects = [index]
    return mapped


def from_index(index: Any, bits: int | None = None) -> Stored:
    """Return the codes of a binary index of faiss.

    Parameters
    ----------
    index : faiss.IndexBinary
        ``IndexBinaryFlat``, ``IndexBinaryHNSW`` or ``IndexBinaryIVF``, also under an ``IDMap``.
    bits : int, optional
        Length of a code; by default all bits of its bytes.

    Returns
    -------
    stored : Stored
        In the order in which they were added; of ``IndexBinaryIVF`` in that of their ids.

    Raises
    ------
    FormatError
        If it is another index: hash tables keep no codes to be read.
    ParameterError, CodeError, IdError
        If `bits` do not fit the codes, or an id is -1 or repeated.
    MissingExtraError
        If faiss is not installed.
    """
    faiss: Any = import_extra("faiss", "faiss")
    if not isinstance(index, faiss.IndexBinary):
        raise FormatError(f"index: expected a binary index of faiss, got {type(index).__name__}")
    outer = faiss.downcast_IndexBinary(index)
    names: Ids | None = None
    if isinstance(outer, (faiss.IndexBinaryIDMap, faiss.IndexBinaryIDMap2)):
        names = faiss.vector_to_array(outer.id_map)
        outer = faiss.downcast_IndexBinary(outer.index)
    length = bits_of(outer.d // 8, bits)
    ids, codes = _held(faiss, outer)
    return checked(codes, length, ids if names is None else names[ids])


def _held(faiss: Any, index: Any) -> tuple[Ids, Codes]:
    """Return the codes of an index, with what it calls them."""
    if isinstance(index, faiss.IndexBinaryIVF):
        return _listed(faiss, index.invlists, index.d // 8)
    if not isinstance(index, (faiss.IndexBinaryFlat, faiss.IndexBinaryHNSW)):
        raise FormatError(
            "index: expected IndexBinaryFlat, IndexBinaryHNSW or IndexBinaryIVF, "
            f"got {type(index).__name__}"
        )
    return np.arange(index.ntotal, dtype=np.int64), index.reconstruct_n(0, index.ntotal)


def _listed(faiss: Any, lists: Any, width: int) -> tuple[Ids, Codes]:
    ids, codes = [np.empty(0, np.int64)], [np.empty((0, width), np.uint8)]
    for number in range(lists.nlist):
        size = lists.list_size(number)
        if size:
            ids.append(faiss.rev_swig_ptr(lists.get_ids(number), size).copy())
            held = faiss.rev_swig_ptr(lists.get_codes(number), size * width)
            codes.append(held.reshape(size, width).copy())
    known = np.concatenate(ids)
    order = np.argsort(known, kind="stable")
    return known[order], np.concatenate(codes)[order]
