"""faiss, usearch, LanceDB and Arrow themselves hold the codes, and find the same neighbours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from bridge_cases import bridge, random_codes, same

from hashret import FormatError, IdError, Index, ParameterError
from hashret.codes import from_lsb_first, to_lsb_first

each_length = pytest.mark.parametrize("bits", [12, 100, 256])


def ranked(distances, ids):
    """Each row by (distance, id): systems order ties otherwise."""
    distances, ids = np.asarray(distances, int), np.asarray(ids, int)
    order = np.lexsort((ids, distances))
    return np.take_along_axis(distances, order, 1), np.take_along_axis(ids, order, 1)


def expected(codes, bits, ids, queries):
    index = Index(bits)
    index.add(codes, ids)
    return index.search(codes[:queries], len(codes))


@each_length
def test_faiss_finds_the_same(bits, tmp_path, rng):
    faiss = pytest.importorskip("faiss")
    codes, ids = random_codes(rng, 200, bits), np.arange(200) * 2
    bridge("faiss").write(tmp_path / "codes", codes, bits, ids)
    index = faiss.read_index_binary(str(tmp_path / "codes"))
    found = ranked(*index.search(codes[:9], 200))
    assert np.array_equal(found, expected(codes, bits, ids, 9))


@pytest.mark.parametrize("kind", ["Flat", "HNSW", "IVF"])
@pytest.mark.parametrize("named", [False, True])
def test_indexes_that_faiss_made_are_read(kind, named, tmp_path, rng):
    faiss = pytest.importorskip("faiss")
    codes, ids = random_codes(rng, 300, 24), np.arange(300) * 5 + 1
    make = {
        "Flat": lambda: faiss.IndexBinaryFlat(24),
        "HNSW": lambda: faiss.IndexBinaryHNSW(24, 8),
        "IVF": lambda: faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(24), 24, 4),
    }[kind]
    inner = make()
    inner.train(codes)
    index = faiss.IndexBinaryIDMap(inner) if named else inner
    if named:
        index.add_with_ids(codes, ids)
    else:
        index.add(codes)
    faiss.write_index_binary(index, str(tmp_path / "codes"))
    same(bridge("faiss").read(tmp_path / "codes"), codes, 24, ids if named else np.arange(300))


def test_ids_within_lists_of_faiss_are_read(rng):
    faiss = pytest.importorskip("faiss")
    codes, ids = random_codes(rng, 300, 24), rng.permutation(300) + 10**12
    flat = faiss.IndexBinaryFlat(24)
    index = faiss.IndexBinaryIVF(flat, 24, 4)
    index.train(codes)
    index.add_with_ids(codes, ids)
    order = np.argsort(ids)
    same(bridge("faiss").from_index(index), codes[order], 24, ids[order])


def test_indexes_without_codes_are_refused():
    faiss = pytest.importorskip("faiss")
    with pytest.raises(FormatError, match="IndexBinaryHash"):
        bridge("faiss").from_index(faiss.IndexBinaryHash(16, 4))
    with pytest.raises(FormatError, match="expected a binary index"):
        bridge("faiss").from_index(faiss.IndexFlatL2(4))


def test_an_index_lives_without_what_it_was_made_of(rng):
    pytest.importorskip("faiss")
    codes = random_codes(rng, 20, 16)
    index = bridge("faiss").to_index(codes, 16, np.arange(20))
    del codes
    assert index.search(np.zeros((1, 2), np.uint8), 3)[1].shape == (1, 3)


def test_what_faiss_packs_has_the_first_bit_least_significant():
    faiss = pytest.importorskip("faiss")
    # By hand: bits 0, 1 and 7 of 8.
    vector = np.array([[1, 1, -1, -1, -1, -1, -1, 1]], np.float32)
    index = faiss.IndexLSH(8, 8, False, False)
    index.add(vector)
    packed = faiss.vector_to_array(index.codes)[None]
    assert packed[0, 0] == 0b10000011
    assert to_lsb_first([[0b11000001]], 8)[0, 0] == packed[0, 0]
    assert from_lsb_first(packed, 8)[0, 0] == 0b11000001


@each_length
def test_usearch_finds_the_same(bits, tmp_path, rng):
    usearch = pytest.importorskip("usearch.index")
    codes, ids = random_codes(rng, 200, bits), np.arange(200) * 2
    bridge("usearch").write(tmp_path / "codes", codes, bits, ids)
    index = usearch.Index.restore(str(tmp_path / "codes"))
    assert index.ndim == bits
    matches = index.search(codes[:9], 200, exact=True)
    found = ranked(matches.distances, matches.keys)
    assert np.array_equal(found, expected(codes, bits, ids, 9))


def test_usearch_takes_bits_as_numpy_packs_them():
    usearch = pytest.importorskip("usearch.index")
    # By hand: bits 0, 1 and 11 of 12; the distance to none is 3, and the bytes are ours.
    bits = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    index = usearch.Index(ndim=12, metric="hamming", dtype="b1")
    index.add(3, np.packbits(bits))
    same(bridge("usearch").from_index(index), [[0b11000000, 0b00010000]], 12, [3])
    assert index.search(np.zeros(2, np.uint8), 1).distances[0] == 3


def test_other_indexes_of_usearch_are_refused():
    usearch = pytest.importorskip("usearch.index")
    for index in (
        usearch.Index(ndim=8, metric="cos"),
        usearch.Index(ndim=8, metric="hamming", dtype="b1", multi=True),
        None,
    ):
        with pytest.raises(FormatError):
            bridge("usearch").from_index(index)


def test_usearch_with_bits_rounded_up(rng):
    usearch = pytest.importorskip("usearch.index")
    codes = random_codes(rng, 5, 12)
    index = usearch.Index(ndim=16, metric="hamming", dtype="b1")
    index.add(np.arange(5, dtype=np.uint64), codes)
    same(bridge("usearch").from_index(index, 12), codes, 12, range(5))


@each_length
def test_lancedb_finds_the_same(bits, tmp_path, rng):
    lancedb = pytest.importorskip("lancedb")
    codes, ids = random_codes(rng, 200, bits), np.arange(200) * 2
    bridge("lancedb").write(tmp_path / "codes", codes, bits, ids)
    table = lancedb.connect(str(tmp_path / "codes")).open_table("codes")
    distances, near = expected(codes, bits, ids, 3)
    for row, code in enumerate(codes[:3]):
        query = table.search(code.tolist(), vector_column_name="code").distance_type("hamming")
        found = query.limit(200).to_arrow()
        found = ranked([found["_distance"].to_pylist()], [found["id"].to_pylist()])
        assert np.array_equal(found[0][0], distances[row])
        assert np.array_equal(found[1][0], near[row])


def test_tables_of_lancedb(tmp_path, rng):
    pytest.importorskip("lancedb")
    lance = bridge("lancedb")
    with pytest.raises(FormatError, match="no folder"):
        lance.read(tmp_path / "none")
    lance.write(tmp_path, [[1]], 8, table="first")
    lance.write(tmp_path, [[2]], 8, table="second")
    lance.write(tmp_path, [[3], [4]], 8, table="first")
    same(lance.read(tmp_path, table="first"), [[3], [4]], 8, range(2))
    same(lance.read(tmp_path, table="second"), [[2]], 8, range(1))
    with pytest.raises(ParameterError, match="got 'a/b'"):
        lance.write(tmp_path, [[1]], 8, table="a/b")
    with pytest.raises(ParameterError, match="first, second"):
        lance.read(tmp_path)
    for file in (tmp_path / "second.lance" / "data").iterdir():
        file.write_bytes(file.read_bytes()[:9])
    with pytest.raises(FormatError, match="no table that can be read"):
        lance.read(tmp_path, table="second")


def test_parquet_says_bits_and_compresses(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    bridge("parquet").write(tmp_path / "codes", np.zeros((9, 2), np.uint8), 12)
    file = parquet.ParquetFile(tmp_path / "codes")
    assert file.schema_arrow.metadata[b"hashret.bits"] == b"12"
    assert str(file.schema_arrow.field("code").type) == "fixed_size_binary[2]"
    assert file.metadata.row_group(0).column(1).compression == "ZSTD"


def test_parquet_of_others_is_read(rng):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    codes = random_codes(rng, 7, 16)
    listed = arrow.FixedSizeListArray.from_arrays(arrow.array(codes.ravel()), 2)
    text = arrow.array([code.tobytes() for code in codes], arrow.binary(2))
    for column in (listed, text):
        table = arrow.table({"name": ["x"] * 7, "id": arrow.array(range(7)), "code": column})
        file = io.BytesIO()
        parquet.write_table(table, file, row_group_size=3)
        same(bridge("parquet").read(io.BytesIO(file.getvalue())), codes, 16, range(7))
    nulls = table.set_column(1, "id", arrow.array([None, *range(6)]))
    loose = table.set_column(2, "code", text.cast(arrow.binary()))
    for unfit in (table.drop(["id"]), nulls, loose):
        file = io.BytesIO()
        parquet.write_table(unfit, file)
        with pytest.raises(FormatError):
            bridge("parquet").read(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(
    ("codes", "kind", "bits"),
    [
        ([[1, None], [2, 3]], "uint8", None),
        ([[True, False], [True, True]], "bool_", None),
        ([[1.0, 2.0], [2.0, 3.0]], "float32", None),
        ([[1, 0], [2, 3]], "uint8", "9" * 5000),
    ],
)
def test_parquet_of_no_codes_is_a_format_error(codes, kind, bits):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    column = arrow.array(codes, arrow.list_(getattr(arrow, kind)(), 2))
    table = arrow.table({"id": arrow.array([1, 2]), "code": column})
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({"hashret.bits": bits} if bits else {}), file)
    with pytest.raises(FormatError, match="codes"):
        bridge("parquet").read(io.BytesIO(file.getvalue()))


def test_damaged_parquet_is_noticed(rng):
    pytest.importorskip("pyarrow")
    codes, file = random_codes(rng, 400, 256), io.BytesIO()
    bridge("parquet").write(file, codes, 256)
    data = bytearray(file.getvalue())
    for place in range(0, len(data), 97):
        data[place] ^= 0x10
        try:
            stored = bridge("parquet").read(io.BytesIO(bytes(data)))
            same(stored, codes, 256, range(400))
        except FormatError:
            pass
        data[place] ^= 0x10


def test_ids_of_others_that_no_index_takes_are_refused():
    faiss = pytest.importorskip("faiss")
    for ids in ([7, 7], [-1, 2]):
        index = faiss.IndexBinaryIDMap(faiss.IndexBinaryFlat(8))
        index.add_with_ids(np.array([[1], [2]], np.uint8), np.array(ids))
        with pytest.raises(IdError):
            bridge("faiss").from_index(index)
