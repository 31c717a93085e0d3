"""Indexes as bytes: pickled, copied, sent to other processes; any bytes are an index or refused."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashret

KINDS = ["scan", "mih", "auto", "approximate", "lsh"]
MADE = {
    "pickle": lambda index: pickle.loads(pickle.dumps(index)),
    "oldest pickle": lambda index: pickle.loads(pickle.dumps(index, 0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "bytes": lambda index: hashret.Index.from_bytes(index.to_bytes()),
    "bytearray": lambda index: hashret.Index.from_bytes(bytearray(index.to_bytes())),
    "memoryview": lambda index: hashret.Index.from_bytes(memoryview(index.to_bytes())),
    "file": lambda index: hashret.Index.from_bytes(written(index)),
}


def written(index):
    file = io.BytesIO()
    index.save(file)
    return file.getvalue()


def make(rng, kind, n, encoder=None):
    index = hashret.Index(64, kind, tables=4 if kind == "lsh" else None, encoder=encoder)
    codes = oracle.random_codes(rng, n, 64)
    index.add(codes, rng.permutation(2 * n)[:n])
    if n > 10:
        index.remove(index.ids[-5:])
        index.update(codes[:3], index.ids[:3])
    return index


@pytest.mark.parametrize("way", MADE)
@pytest.mark.parametrize("n", [0, 1, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_answers_as_the_index(rng, kind, n, way):
    index = make(rng, kind, n, encoder="abc")
    queries = oracle.random_codes(rng, 5, 64)
    before = [part.tolist() for part in index.search(queries, 7)]
    other = MADE[way](index)
    assert (other.bits, other.kind, other.tables, other.encoder) == (64, kind, index.tables, "abc")
    assert other.ids.tolist() == index.ids.tolist()
    assert [part.tolist() for part in other.search(queries, 7)] == before
    # They go on alike, and apart from each other.
    assert index.add(queries).tolist() == other.add(queries).tolist()
    other.remove(other.ids[:1])
    assert len(other) == len(index) - 1


@pytest.mark.parametrize("way", MADE)
def test_copies_of_a_mapped_index_outlive_it(rng, tmp_path, way):
    made = make(rng, "auto", 50)
    made.save(tmp_path / "index")
    index = hashret.Index.load(tmp_path / "index", mmap=True)
    other = MADE[way](index)
    del index
    assert other.get(other.ids).tolist() == made.get(made.ids).tolist()


class Own(hashret.Index):
    """An index of somebody else's."""


def test_pickles_from_before_the_folder_are_read(rng):
    index = hashret.Index(64)
    index.add(oracle.random_codes(rng, 9, 64))
    said = pickle.dumps(index, 0)
    assert b"hashret.index.index\n" in said
    loaded = pickle.loads(said.replace(b"hashret.index.index\n", b"hashret.index\n"))
    assert type(loaded) is hashret.Index
    assert loaded.to_bytes() == index.to_bytes()


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_subclasses_stay_what_they_are(way):
    assert type(MADE[way](Own(8))) is Own
    assert type(Own.from_bytes(Own(8).to_bytes())) is Own


def test_searchers(rng):
    pytest.importorskip("sklearn", reason="needs the extra 'images'")
    from hashret.encoders import PCAHashing

    vectors = rng.normal(size=(50, 16))
    searcher = hashret.Searcher(PCAHashing(8).fit(vectors))
    searcher.add(vectors)
    expected = [part.tolist() for part in searcher.search(vectors, 3)]
    for made in (copy.copy, copy.deepcopy, MADE["pickle"]):
        other = made(searcher)
        assert [part.tolist() for part in other.search(vectors, 3)] == expected
    deep = copy.deepcopy(searcher)
    deep.add(vectors[:1])
    assert (len(deep.index), len(searcher.index)) == (51, 50)


def ask(index):
    return index.search(index.get(index.ids[:2]), 1)[1].tolist()


def test_an_index_goes_to_a_process_of_its_own(rng):
    index = make(rng, "auto", 100)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(ask, (index,)) == ask(index)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_are_an_index_or_refused(data):
    rng = np.random.default_rng(0)
    kind = data.draw(st.sampled_from(KINDS))
    whole = bytearray(make(rng, kind, data.draw(st.sampled_from([0, 3, 40]))).to_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    part = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    mixed = data.draw(st.sampled_from([part, bytes(whole), part + part, data.draw(st.binary())]))
    try:
        index = hashret.Index.from_bytes(mixed)
    except hashret.FormatError as error:
        said = str(error)
    else:
        said = "data: " if len(index.search(index.get(index.ids), 2)) == 2 else ""
    assert said.startswith("data: ")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda i: hashret.Index.from_bytes("text"), hashret.DTypeError, "data: expected bytes"),
        (lambda i: hashret.Index.from_bytes(None), hashret.DTypeError, "data: expected bytes"),
        (lambda i: hashret.Index.from_bytes([1]), hashret.DTypeError, "data: expected bytes"),
        (lambda i: hashret.Index.from_bytes(np.zeros(3)), hashret.DTypeError, "data: expected"),
        (lambda i: hashret.Index.from_bytes(b""), hashret.FormatError, "data: "),
        (
            lambda i: hashret.Index.from_bytes(i.to_bytes(), encoder="b"),
            hashret.EncoderMismatchError,
            "data: its codes are of encoder a",
        ),
        (lambda i: i.save(io.StringIO()), hashret.DTypeError, "path: expected a file that takes"),
        (lambda i: i.save(None), hashret.DTypeError, "path: expected a path, got NoneType; to_b"),
        (lambda i: i.save(3), hashret.DTypeError, "path: expected a path, got int; to_bytes"),
        (lambda i: hashret.Index.load(io.BytesIO()), hashret.DTypeError, "from_bytes"),
    ],
)
def test_what_is_no_place_for_an_index_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(hashret.Index(8, encoder="a"))


def test_a_raw_file_that_takes_a_part_at_a_time(rng):
    class Slow(io.RawIOBase):
        def __init__(self):
            self.taken = bytearray()

        def writable(self):
            return True

        def write(self, some):
            self.taken += bytes(some[:100])
            return min(len(some), 100)

    index, file = make(rng, "auto", 100), Slow()
    index.save(file)
    assert bytes(file.taken) == index.to_bytes()


def test_text_paths_of_all_kinds(rng, tmp_path):
    index = make(rng, "auto", 20)
    for path in (tmp_path / "a", str(tmp_path / "b"), str(tmp_path / "c").encode()):
        index.save(path)
        assert hashret.Index.load(path).ids.tolist() == index.ids.tolist()


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda i: pickle.loads(pickle.dumps(i))])
def test_what_was_added_to_an_index_is_copied(way):
    index = Own(8)
    index.names = ["a", {"b": 1}]
    made = way(index)
    assert made.names == index.names
    assert (made.names is index.names) == (way is copy.copy)


@pytest.mark.parametrize("taken", [None, 0])
def test_a_raw_file_that_takes_nothing_is_an_error(taken):
    class Full(io.RawIOBase):
        def write(self, data):
            return taken

    with pytest.raises(BlockingIOError):
        hashret.Index(8).save(Full())
