"""What callers give as arrays: taken as it is meant, or refused by an error that names it."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import types
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret import CodeError, DTypeError, HashretError, IdError, Index, ShapeError, codes, rerank

BITS, N = 16, 6
CODES = np.array([[i, 255 - i] for i in range(N)], np.uint8)
IDS = np.arange(N) * 10
VECTORS = np.array([[i, 1.0, -i] for i in range(N)], np.float64)
MARGINS = np.where(np.unpackbits(CODES, axis=1) > 0, 1.0, -1.0)


def index(kind="auto", **options):
    made = Index(BITS, kind, **options)
    made.add(CODES, IDS)
    return made


# Each takes the array by the name of the argument, and tells what came out.
PLACES = {
    "codes of add": ("codes", CODES, lambda x: index().add(x).tolist()),
    "codes of update": ("codes", CODES, lambda x: index().update(x, IDS)),
    "queries": ("queries", CODES, lambda x: plain(index().search(x, 2))),
    "queries of a radius": ("queries", CODES, lambda x: plain(index().range_search(x, 3))),
    "query": ("query", CODES[:1], lambda x: index().explain(x, 2).distance),
    "ids of add": ("ids", IDS + 1, lambda x: index().add(CODES, x).tolist()),
    "ids of remove": ("ids", IDS, lambda x: index().remove(x)),
    "ids of get": ("ids", IDS, lambda x: index().get(x).tolist()),
    "filter": ("filter", IDS[:3], lambda x: plain(index().search(CODES, 2, filter=x))),
    "mask": (
        "filter",
        np.array([True, False] * 3),
        lambda x: plain(index().search(CODES, 2, filter=x)),
    ),
    "exclude": ("exclude", IDS, lambda x: plain(index().search(CODES, 2, exclude=x))),
    "margins": (
        "margins",
        MARGINS,
        lambda x: plain(index("lsh", tables=2).search(CODES, 2, margins=x, probes=3)),
    ),
    "values": ("values", MARGINS, lambda x: codes.pack(x).tolist()),
    "codes to unpack": ("codes", CODES, lambda x: codes.unpack(x, BITS).tolist()),
    "codes to words": ("codes", CODES, lambda x: codes.to_words(x, BITS).tolist()),
    "codes from faiss": ("codes", CODES, lambda x: codes.from_lsb_first(x, BITS).tolist()),
    "int8": ("values", CODES.view(np.int8), lambda x: codes.from_int8(x, BITS).tolist()),
    "integers": ("values", IDS, lambda x: codes.from_ints(x, BITS).tolist()),
    "vectors": (
        "vectors",
        VECTORS,
        lambda x: plain(rerank.by_vectors(VECTORS, [[0, 1, 2]] * N, x, 2, metric="euclidean")),
    ),
    "queries of vectors": (
        "queries",
        VECTORS,
        lambda x: plain(rerank.by_vectors(x, [[0, 1, 2]] * N, VECTORS, 2)),
    ),
    "candidates": (
        "candidates",
        np.array([[0, 1, 2]] * N),
        lambda x: plain(rerank.by_vectors(VECTORS, x, VECTORS, 2)),
    ),
    "margins to rank": (
        "margins",
        MARGINS,
        lambda x: plain(rerank.by_margins(x, [[0, 1, 2]] * N, CODES, 2)),
    ),
    "codes to rank": (
        "codes",
        CODES,
        lambda x: plain(rerank.by_margins(MARGINS, [[0, 1, 2]] * N, x, 2)),
    ),
}


def plain(found):
    return [part.tolist() for part in found]


def torch():
    return pytest.importorskip("torch")


def pandas():
    return pytest.importorskip("pandas")


def far_apart(value):
    """The same values in every other place of memory."""
    wide = np.zeros((*value.shape[:-1], value.shape[-1] * 2), value.dtype)
    wide[..., ::2] = value
    return wide[..., ::2]


def mapped(value, folder):
    target = np.memmap(folder / "m", value.dtype, "w+", shape=value.shape)
    target[:] = value
    return target


def read_only(value):
    value = value.copy()
    value.flags.writeable = False
    return value


def framed(value):
    return pandas().DataFrame(value) if value.ndim == 2 else pandas().Series(value)


class Wrapped:
    """What a library of its own makes of arrays."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype)


SAME = {
    "far apart": lambda v, _: far_apart(v),
    "column order": lambda v, _: np.asfortranarray(v),
    "read only": lambda v, _: read_only(v),
    "memory map": mapped,
    "other byte order": lambda v, _: v.astype(v.dtype.newbyteorder()),
    "mask that hides nothing": lambda v, _: np.ma.masked_array(v, np.zeros(v.shape, bool)),
    "subclass": lambda v, _: v.view(type("Own", (np.ndarray,), {})),
    "list of arrays": lambda v, _: list(v),
    "tensor": lambda v, _: torch().tensor(v),
    "tensor far apart": lambda v, _: (
        torch().tensor(far_apart(v)) if v.ndim == 1 else torch().tensor(v.T.copy()).T
    ),
    "list of tensors": lambda v, _: [torch().tensor(row) for row in v],
    "pandas": lambda v, _: framed(v),
    "pandas with an index of its own": lambda v, _: framed(v).sort_index(ascending=False)[::-1],
    "__array__": lambda v, _: Wrapped(v),
}


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize("place", PLACES)
def test_forms_of_an_array_are_the_array(tmp_path, place, form):
    _, value, use = PLACES[place]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert use(SAME[form](value, tmp_path)) == use(value)


REAL = [place for place in PLACES if PLACES[place][1].dtype.kind == "f"]


@pytest.mark.parametrize("form", ["float16", "float32", "bfloat16", "grad", "int8", "negated"])
@pytest.mark.parametrize("place", REAL)
def test_tensors_of_real_numbers(place, form):
    _, value, use = PLACES[place]
    if form == "grad":
        tensor = torch().tensor(value, requires_grad=True)
    elif form == "negated":
        tensor = torch().view_as_complex(torch().tensor(np.stack([value, -value], -1))).conj().imag
    else:
        tensor = torch().tensor(value).to(getattr(torch(), form))
    assert use(tensor) == use(value)


def masked(value):
    mask = np.zeros(value.shape, bool)
    mask[0] = True
    return np.ma.masked_array(value, mask)


def generated(value):
    yield from value


NO_ARRAYS = {
    "None in a list": lambda v: [None] * len(v),
    "text": lambda v: "codes",
    "list of text": lambda v: ["a"] * len(v),
    "bytes": lambda v: v.tobytes(),
    "list of bytes": lambda v: [row.tobytes() for row in v],
    "generator": generated,
    "iterator": lambda v: iter(v.tolist()),
    "zip": lambda v: zip(v, v, strict=True),
    "set": lambda v: {1, 2},
    "dict": lambda v: {0: 1},
    "keys": lambda v: {0: 1}.keys(),
    "deque of lists": lambda v: collections.deque([[1], [1, 2]]),
    "ragged": lambda v: [[1, 2], [1]],
    "ragged arrays": lambda v: [np.zeros(2, v.dtype), np.zeros(3, v.dtype)],
    "object": lambda v: object(),
    "function": lambda v: len,
    "module": lambda v: types,
    "array of objects": lambda v: np.array([{}] * len(v)),
    "masked": masked,
    "list of masked": lambda v: list(masked(v)) if v.ndim == 2 else [np.ma.masked] * len(v),
    "complex": lambda v: v.astype(complex),
    "times": lambda v: np.array([np.datetime64("2020-01-01")] * len(v)),
    "dates": lambda v: [datetime.date(2020, 1, 1)] * len(v),
    "decimals": lambda v: [decimal.Decimal(1)] * len(v),
    "fractions": lambda v: [fractions.Fraction(1, 2)] * len(v),
    "records": lambda v: np.zeros(len(v), [("a", "u1"), ("b", "u1")]),
    "wrong shape": lambda v: np.zeros((2, 2, 2, 2), v.dtype),
    "none at all": lambda v: np.array(None),
    "huge": lambda v: [[2**200] * 2] * len(v) if v.ndim == 2 else [2**200] * len(v),
    "NaN": lambda v: np.full(v.shape, np.nan),
    "sparse tensor": lambda v: torch().tensor(v).to_sparse(),
    "tensor without memory": lambda v: torch().tensor(v).to("meta"),
    "quantised tensor": lambda v: torch().quantize_per_tensor(
        torch().ones(v.shape), 0.1, 0, torch().quint8
    ),
    "categories": lambda v: pandas().Series(["a"] * len(v), dtype="category"),
    "missing values": lambda v: pandas().Series([1, None] * (len(v) // 2 or 1), dtype="Int64"),
    "missing booleans": lambda v: pandas().Series([True, None] * 3, dtype="boolean"),
    "raises": lambda v: Raises(),
    "raises what it likes": lambda v: Raises(ZeroDivisionError),
}


class Raises:
    """An array that cannot be read."""

    def __init__(self, error=RuntimeError):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error("not now")


@pytest.mark.parametrize("form", NO_ARRAYS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.filterwarnings("ignore:converting a masked element to nan")
@pytest.mark.filterwarnings("ignore:.*quantize:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
def test_what_is_no_array_is_refused_by_name(place, form):
    name, value, use = PLACES[place]
    with pytest.raises(HashretError) as caught:
        use(NO_ARRAYS[form](value))
    assert str(caught.value).startswith((f"{name}:", f"{name} ", "queries:"))


def test_none_is_no_codes():
    for use in (index().add, index().remove, index().get, codes.pack):
        with pytest.raises(DTypeError, match="got NoneType"):
            use(None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=4))
def test_numbers_in_lists_are_bytes_whatever_their_values(values):
    made = Index(64)
    rows = [[value] for value in values]
    with pytest.raises(ShapeError if all(0 <= v <= 255 for v in values) else DTypeError) as caught:
        made.add(rows)
    if caught.type is DTypeError:
        assert "from_ints" in str(caught.value)
    assert len(made) == 0
    as_bytes = Index(8)
    if all(0 <= value <= 255 for value in values):
        as_bytes.add(rows)
        assert as_bytes.get(as_bytes.ids).tolist() == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_words_in_lists_are_words_whatever_their_values(values):
    words = np.array(values, np.uint64)[:, None]
    assert (codes.from_words([[v] for v in values], 64) == codes.from_words(words, 64)).all()
    assert (codes.from_words([list(w) for w in words], 64) == codes.from_words(words, 64)).all()
    other = words.astype(">u8")
    assert (codes.as_codes(other, 64) == codes.as_codes(words, 64)).all()


@pytest.mark.parametrize(
    ("given_codes", "hint"),
    [
        (np.zeros((1, 8), np.int8), "from_int8"),
        (np.zeros((1, 1), np.int64), "from_ints"),
        (np.zeros(3, np.uint64), "from_ints"),
        (np.zeros((1, 2), np.uint32), "from_ints"),
        (np.array(["8f373714acfcf4d0"]), "from_hex"),
        (np.zeros((1, 64), bool), "codes.pack"),
        (np.zeros((1, 64)), "codes.pack"),
    ],
)
def test_refusals_name_what_makes_codes_of_it(given_codes, hint):
    with pytest.raises((DTypeError, ShapeError), match=hint):
        Index(64).add(given_codes)


def test_masked_entries_are_refused_where_single_queries_pass_quickly():
    hidden = np.ma.masked_array(CODES, np.eye(N, 2, dtype=bool))
    with pytest.raises(CodeError, match="codes: some entries are masked"):
        Index(BITS).add(hidden)


def test_standard_arrays():
    made = Index(BITS)
    made.add(memoryview(CODES), array.array("q", IDS))
    assert made.ids.tolist() == IDS.tolist()
    made.remove(range(0, 30, 10))
    assert len(made) == N - 3


def test_real_numbers_beyond_float32_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CodeError, match="margins"):
            index("lsh", tables=2).search(CODES, 1, margins=MARGINS * 1e300)


@pytest.mark.parametrize(
    "ids", [[2**63], [0, 2**63], [-1, 2**63], [2**70], [-(2**63) - 1], (0, 2**64), [0.0, 2**70]]
)
def test_ids_that_no_integer_has_room_for(ids):
    """numpy makes unsigned ones, floats or objects of them, as they come."""
    made, error = index(), DTypeError if 0.0 in ids and type(ids[0]) is float else IdError
    for call in (
        lambda: made.remove(ids),
        lambda: made.get(ids),
        lambda: made.add(CODES[: len(ids)], ids),
        lambda: made.search(CODES, 1, filter=ids),
        lambda: made.search(CODES[: len(ids)], 1, exclude=ids),
        lambda: rerank.by_vectors(VECTORS[:1], [ids], VECTORS, 1),
    ):
        with pytest.raises(error, match=r"does not fit int64|expected integers"):
            call()
    assert len(made) == N
