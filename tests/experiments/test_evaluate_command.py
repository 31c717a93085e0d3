"""``hashret eval``: any form of codes, the same figures; what is unfit is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import hashret
from hashret.codes import pack, to_words
from hashret.errors import (
    CodeError,
    DTypeError,
    FormatError,
    ParameterError,
    ShapeError,
)
from hashret.evaluation import average_precision, distance_histograms
from hashret.experiments import evaluate as module
from hashret.experiments.evaluate import COLUMNS, evaluate, evaluate_files
from hashret.experiments.given import read_array

BITS = 20


@pytest.fixture
def data(rng):
    values = rng.choice([-1.0, 1.0], (120, BITS))
    labels = rng.integers(0, 4, 120)
    values[np.arange(120), labels] = 1
    return values[:100], labels[:100], values[100:], labels[100:]


@pytest.fixture
def undrawn(monkeypatch):
    """Figures and notes without pictures, which take longer than all else; others draw them."""
    monkeypatch.setattr(module, "_pictures", lambda *_: [])
    monkeypatch.setattr(module, "write_code_map", lambda *given, **_: given[4])


def forms(values):
    packed = pack(values)
    return {
        "packed": packed,
        "words": to_words(packed, BITS),
        "signs": values,
        "int8": values.astype(np.int8),
        "booleans": values > 0,
        "bits": (values > 0).astype(np.uint8),
        "margins": values.astype("f4") * 0.3,
    }


@pytest.mark.parametrize(
    "form", ["packed", "words", "signs", "int8", "booleans", "bits", "margins"]
)
def test_every_form_of_codes_gives_the_same_figures(tmp_path, data, undrawn, form):
    values, labels, queries, query_labels = data
    bits = BITS if form in ("packed", "words") else None
    made = evaluate(
        forms(values)[form], labels, forms(queries)[form], query_labels, bits, out=tmp_path
    )
    found = json.loads((tmp_path / "eval.json").read_text())
    histograms = distance_histograms(pack(queries), pack(values), BITS, query_labels, labels)
    expected = average_precision(histograms).means()
    assert (found["map_all"], found["map_all_low"], found["map_all_high"]) == expected
    assert (found["bits"], found["database"], found["queries"]) == (BITS, 100, 20)
    assert found["version"] == hashret.__version__
    row = dict(zip(COLUMNS, next(r for r in made.rows if r[0] == "mAP@all"), strict=True))
    assert float(row["value"]) == round(expected[0], 4)


def test_figures_and_pictures_are_written(tmp_path, data):
    values, labels, queries, query_labels = data
    made = evaluate(values, labels, queries, query_labels, out=tmp_path)
    assert {path.name for path in made.files} == {
        "eval.json",
        "precision-recall.png",
        "distances.png",
        "code-map.png",
    }
    assert all(path.stat().st_size for path in made.files)


def test_several_labels_have_figures_and_no_map(tmp_path, data):
    values, labels, queries, query_labels = data
    tables = (np.eye(4, dtype=int)[labels], np.eye(4, dtype=bool)[query_labels])
    one = evaluate(values, labels, queries, query_labels, out=tmp_path)
    other = evaluate(values, tables[0], queries, tables[1], out=tmp_path)
    assert one.rows == other.rows
    assert {p.name for p in one.files} - {p.name for p in other.files} == {"code-map.png"}


def test_files_of_each_kind(tmp_path, data, undrawn):
    values, labels, queries, query_labels = data
    parts = {
        "codes": pack(values),
        "labels": labels,
        "query_codes": pack(queries),
        "query_labels": query_labels,
    }
    for name, part in parts.items():
        np.save(tmp_path / f"{name}.npy", part)
    np.savez(tmp_path / "all.npz", **parts)
    separate = [tmp_path / f"{name}.npy" for name in parts]
    one = evaluate_files(*separate, BITS, out=tmp_path / "a")
    other = evaluate_files(tmp_path / "all.npz", bits=BITS, out=tmp_path / "b")
    assert one.rows == other.rows
    with pytest.raises(ParameterError, match=r"labels: expected a file, as codes\.npy holds"):
        evaluate_files(separate[0], out=tmp_path / "c")
    np.savez(tmp_path / "some.npz", codes=parts["codes"])
    with pytest.raises(FormatError, match=r"expected an array labels, got codes"):
        evaluate_files(tmp_path / "some.npz", out=tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_what_is_no_array_is_a_format_error(tmp_path, content):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.npy: expected \.npy or \.npz"):
        read_array(path, "codes")


def test_a_truncated_array_and_pickled_objects_are_format_errors(tmp_path):
    whole = tmp_path / "x.npy"
    np.save(whole, np.arange(1000))
    whole.write_bytes(whole.read_bytes()[:-8])
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    for path in (whole, tmp_path / "o.npy"):
        with pytest.raises(FormatError, match=r"expected \.npy"):
            read_array(path, "codes")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.zeros(99, int)}, ShapeError, r"labels: expected \(100,\)"),
        ({"query_labels": np.full(20, 0.5)}, DTypeError, "query_labels: expected integers"),
        ({"query_codes": np.zeros((20, 4), np.uint8)}, ShapeError, "query_codes: expected uint8"),
        ({"codes": np.full((100, BITS), np.nan)}, CodeError, "NaN in row 0"),
        ({"codes": np.zeros(100)}, ShapeError, "codes: expected a row a code"),
        ({"codes": np.zeros(100, np.int64)}, ShapeError, "codes.from_ints"),
        ({"codes": np.zeros((0, 4), np.uint8)}, ShapeError, "codes: expected at least one"),
        ({"codes": [[1, 0], [1]]}, ShapeError, "codes: expected a row a code"),
        ({"codes": np.full((100, 4), -128, np.int8)}, ParameterError, "bits: expected for codes"),
        ({"codes": np.full((100, 1), 2**40)}, ParameterError, "codes.from_ints"),
        ({"query_codes": np.full((20, BITS), np.nan)}, CodeError, "query_codes: NaN in row 0"),
        ({"codes": np.zeros((100, 9)), "bits": BITS}, ShapeError, f"expected {BITS} columns"),
        ({"codes": np.full((100, 3), 255, np.uint8), "bits": BITS}, CodeError, "must be zero"),
        ({"bits": 0}, ParameterError, "bits: expected 1 to 4096, got 0"),
        ({"plane": "lda"}, ParameterError, "plane: expected pca or tsne, got 'lda'"),
        (
            {"query_codes": np.zeros((0, BITS)), "query_labels": np.zeros(0, int)},
            ShapeError,
            "query_codes: expected at least one",
        ),
    ],
)
def test_unfit_input_is_named_and_writes_nothing(tmp_path, data, change, error, message):
    names = ("codes", "labels", "query_codes", "query_labels")
    given = dict(zip(names, data, strict=True)) | change
    with pytest.raises(error, match=message):
        evaluate(**given, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_whole_numbers_are_packed_bytes_or_margins_as_bits_say(tmp_path, rng, undrawn):
    packed = rng.integers(0, 256, (40, 8), np.uint8)
    labels = rng.integers(0, 3, 40)
    expected = evaluate(packed, labels, packed[:9], labels[:9], out=tmp_path).rows
    forms = {"int8": packed.view(np.int8), "big-endian": packed.view(np.uint64).astype(">u8")}
    for codes in forms.values():
        found = evaluate(codes, labels, codes[:9], labels[:9], 64, out=tmp_path).rows
        assert found == expected
    margins = np.where(np.unpackbits(packed, axis=1), 5, -3)
    assert evaluate(margins, labels, margins[:9], labels[:9], 64, out=tmp_path).rows == expected


def test_bytes_that_are_all_zero_are_packed_where_those_of_queries_are(tmp_path, rng, undrawn):
    queries = rng.integers(2, 256, (5, 8), np.uint8)
    made = evaluate(np.zeros((9, 8), np.uint8), [1] * 9, queries, [1] * 5, out=tmp_path)
    assert json.loads(made.files[0].read_text())["bits"] == 64


@pytest.mark.parametrize("rows", [slice(None), slice(0, 7), slice(30, None), slice(None, None, -3)])
@pytest.mark.parametrize("shared", [False, True])
def test_queries_that_lie_in_the_database_are_told(tmp_path, rng, undrawn, rows, shared):
    codes = rng.integers(0, 256, (40, 8), np.uint8)
    labels = rng.integers(0, 3, 40)
    notes = evaluate(codes, labels, codes[rows], labels[rows], out=tmp_path).notes
    assert any("queries are the same as" in note for note in notes)
    # Codes that many items share say nothing of whose they are.
    codes = codes[labels] if shared else rng.permuted(codes, axis=0)
    others = codes[rng.integers(0, 40, 7)] if shared else rng.integers(0, 256, (7, 8), np.uint8)
    notes = evaluate(codes, labels, others, rng.integers(0, 3, 7), out=tmp_path).notes
    assert not any("queries are the same as" in note for note in notes)


def test_files_that_hold_no_array_say_what_writes_one(tmp_path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**13, 8)}
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    (tmp_path / "labels.csv").write_text("cat\ndog\n")
    with pytest.raises(FormatError, match=r"large\.npy: no room"):
        read_array(tmp_path / "large.npy", "codes")
    with pytest.raises(FormatError, match=r"labels\.csv: expected .* numpy\.save"):
        read_array(tmp_path / "labels.csv", "labels")
