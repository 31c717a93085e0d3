"""What is exported is read back by the real libraries, row for row."""

from __future__ import annotations

import csv
import json
import os
import re
from importlib import import_module

import numpy as np
import pytest
from collection_photos import photos, write

from hashret import HashretError, MissingExtraError
from hashret.codes import from_hex
from hashret.collection import Collection
from hashret.collection.exporting import FORMATS, export, rows
from hashret.collection.indexes import codes_of
from hashret.collection.labels import set_labels

ODD = os.fsencode('od"d,\n\t\\ name \xe9').replace(b"\xc3\xa9", b"\xff") + b".png"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 4)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A collection for all tests: an export changes nothing of it."""
    root = photos(tmp_path_factory.mktemp("collection") / "photos", 5)
    write(root / "x.png", 77)
    os.rename(root / "x.png", os.path.join(os.fsencode(root), ODD))
    with Collection.create([root]) as opened:
        opened.update(workers=1)
        set_labels(opened.catalogue, "kind\u00e9", {1: "cat", 2: 'a "b"\t\n\\'})
        set_labels(opened.catalogue, "path", {1: "p"})
        yield opened


def exported(collection, format, path, ids=None):
    row = collection.row("perceptual")
    count = export(collection.catalogue, row, format, path, ids)
    known, codes = codes_of(collection.catalogue, row)
    assert count == (len(known) if ids is None else len(ids))
    return known, codes


def test_npy_and_npz(collection, tmp_path):
    ids, codes = exported(collection, "npy", tmp_path / "a.npy")
    assert (np.load(tmp_path / "a.npy") == codes).all()
    exported(collection, "npz", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert (found["ids"] == ids).all()
        assert (found["codes"] == codes).all()
        assert found["bits"] == 256
        assert found["encoder"] == collection.row("perceptual").fingerprint
        assert np.isfinite(found["quality"]).all()
        assert os.path.join(os.fsencode(collection.roots[0]), ODD) in found["paths"].tolist()


def test_csv(collection, tmp_path):
    ids, codes = exported(collection, "csv", tmp_path / "a.csv")
    with open(tmp_path / "a.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        found = list(csv.DictReader(file))
    assert [int(row["id"]) for row in found] == ids.tolist()
    assert (from_hex([row["code"] for row in found], 256) == codes).all()
    assert found[1]["kind\u00e9"] == 'a "b"\t\n\\'
    assert found[0]["label:path"] == "p"
    assert all(os.path.exists(row["path"]) for row in found)


def test_pgvector_is_a_copy_as_postgresql_reads_it(collection, tmp_path):
    ids, codes = exported(collection, "pgvector", tmp_path / "a.sql")
    text = (tmp_path / "a.sql").read_text(encoding="utf-8")
    head, body = text.split("FROM stdin;\n")
    assert "bit(256)" in head
    assert all(line.startswith(("--", "COPY")) for line in head.splitlines())
    assert body.endswith("\n\\.\n")
    table = [line.split("\t") for line in body.removesuffix("\\.\n").splitlines()]
    assert [int(row[0]) for row in table] == ids.tolist()
    bits = [[int(bit) for bit in row[2]] for row in table]
    assert (np.packbits(bits, axis=1) == codes).all()
    named = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    labels = json.loads(re.sub(r"\\(.)", lambda found: named[found[1]], table[1][5]))
    assert labels == {"kind\u00e9": 'a "b"\t\n\\'}


def test_faiss(collection, tmp_path):
    faiss = pytest.importorskip("faiss")
    ids, codes = exported(collection, "faiss", tmp_path / "a.faiss")
    index = faiss.read_index_binary(str(tmp_path / "a.faiss"))
    distances, found = index.search(codes, 2)
    assert (found[:, 0] == ids).all()
    expected, near = collection.index("perceptual").search(codes, 2)
    assert (distances == expected).all()
    assert (found == near).all()


def test_usearch(collection, tmp_path):
    usearch = pytest.importorskip("usearch.index")
    ids, codes = exported(collection, "usearch", tmp_path / "a.usearch")
    index = usearch.Index.restore(str(tmp_path / "a.usearch"))
    found = index.search(codes, 1)
    assert (np.asarray(found.keys).ravel() == ids).all()
    assert not np.asarray(found.distances).any()


BRIDGES = {
    "pgcopy": "pgvector",
    **{name: name for name in ("parquet", "faiss", "usearch", "lancedb")},
    **{name: name for name in ("milvus", "vespa", "opensearch")},
}


def test_every_bridge(collection, tmp_path):
    lacking = []
    for format, name in BRIDGES.items():
        bridge = import_module(f"hashret.bridges.{name}")
        for number, chosen in enumerate((None, [2, 4], [])):
            path = tmp_path / f"{format}{number}"
            try:
                ids, codes = exported(collection, format, path, chosen)
            except MissingExtraError as error:
                lacking.append(str(error))
                break
            wanted = ids if chosen is None else np.array(chosen, np.int64)
            stored = bridge.read(path, 256)
            assert (stored.ids == wanted).all(), format
            assert (stored.codes == codes[np.isin(ids, wanted)]).all(), format
    if lacking:
        pytest.skip("; ".join(lacking))


def test_parquet(collection, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    ids, codes = exported(collection, "parquet", tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    found = table.to_pylist()
    assert [row["id"] for row in found] == ids.tolist()
    assert [row["code"] for row in found] == [code.tobytes() for code in codes]
    assert dict(found[0]["labels"]) == {"kind\u00e9": "cat", "path": "p"}
    assert table.schema.metadata[b"hashret.bits"] == b"256"
    assert found[-1]["path"].endswith(r"\xff.png")


def test_chosen_ids_and_what_is_refused_leaves_the_old_file(collection, tmp_path):
    path = tmp_path / "a.npy"
    _, codes = exported(collection, "npy", path, [4, 2, 4][:2])
    assert (np.load(path) == codes[[1, 3]]).all()
    row = collection.row("perceptual")
    for format, ids in (("npy", [1, 99]), ("nope", None)):
        with pytest.raises(HashretError):
            export(collection.catalogue, row, format, path, ids)
    assert len(np.load(path)) == 2
    assert os.listdir(tmp_path) == ["a.npy"]


def test_an_empty_choice_is_an_empty_file(collection, tmp_path):
    for format in ("npy", "npz", "csv", "pgvector"):
        exported(collection, format, tmp_path / f"a.{format}", [])
    assert np.load(tmp_path / "a.npy").shape == (0, 32)
    assert len(FORMATS) == 12
