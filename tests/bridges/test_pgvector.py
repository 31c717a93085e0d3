"""PostgreSQL itself takes the codes, gives them back, and finds the same neighbours."""

from __future__ import annotations

import io

import numpy as np
import postgres
import pytest
from bridge_cases import BITS, random_codes, same
from collection_photos import photos

from hashret import FormatError, Index
from hashret.bridges import pgvector
from hashret.codes import unpack


@pytest.fixture(scope="module")
def server():
    if not postgres.installed():
        pytest.skip(f"needs {postgres.WHEEL}")
    with postgres.running() as running:
        yield running


@pytest.fixture
def database(server):
    """A server without tables of ours."""
    yield server
    server.ask("DROP TABLE IF EXISTS codes, images")


def load(database, path, bits):
    database.ask(pgvector.schema(bits))
    database.ask(f"\\copy codes (id, code) FROM '{path}' WITH (FORMAT binary)")


@pytest.mark.parametrize("bits", BITS)
def test_round_trip_is_equal_byte_by_byte(database, bits, tmp_path, rng):
    codes, ids = random_codes(rng, 500, bits), np.arange(500) - 7
    ids[ids == -1] = 2**62
    ids.sort()
    pgvector.write(tmp_path / "in", codes, bits, ids)
    load(database, tmp_path / "in", bits)
    select = "SELECT id, code FROM codes ORDER BY id"
    database.ask(f"\\copy ({select}) TO '{tmp_path / 'out'}' WITH (FORMAT binary)")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    same(pgvector.read(tmp_path / "out"), codes, bits, ids)


@pytest.mark.parametrize("bits", [12, 100, 256])
def test_its_operator_finds_the_same_neighbours(database, bits, tmp_path, rng):
    codes = random_codes(rng, 300, bits)
    pgvector.write(tmp_path / "in", codes, bits)
    load(database, tmp_path / "in", bits)
    rows = database.ask(
        "SELECT near.id, distance FROM codes AS query CROSS JOIN LATERAL (SELECT id, "
        "code <~> query.code AS distance FROM codes ORDER BY distance, id LIMIT 20) AS near "
        "WHERE query.id < 50 ORDER BY query.id, distance, near.id"
    )
    index = Index(bits)
    index.add(codes)
    distances, ids = index.search(codes[:50], 20)
    assert [int(row[0]) for row in rows] == ids.ravel().tolist()
    assert [float(row[1]) for row in rows] == distances.ravel().tolist()


def test_the_first_bit_is_the_leftmost(database, tmp_path):
    # By hand: bits 0, 3 and 11.
    codes = np.array([[0b10010000, 0b00010000]], np.uint8)
    assert np.flatnonzero(unpack(codes, 12)).tolist() == [0, 3, 11]
    pgvector.write(tmp_path / "in", codes, 12, [5])
    load(database, tmp_path / "in", 12)
    (row,) = database.ask(
        "SELECT id, code, get_bit(code, 0), get_bit(code, 1), get_bit(code, 11) FROM codes"
    )
    assert row == ["5", "100100000001", "1", "0", "1"]


def test_golden_bytes():
    file = io.BytesIO()
    pgvector.write(file, [[0xFF, 0xF0]], 12, [7])
    assert file.getvalue() == (
        b"PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        b"\x00\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07"
        b"\x00\x00\x00\x06\x00\x00\x00\x0c\xff\xf0\xff\xff"
    )


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("SELECT id::int, code FROM codes", "id::bigint"),
        ("SELECT id, code, id FROM codes", "id::bigint"),
        ("SELECT id, NULLIF(code, '1111'::bit(4)) FROM codes ORDER BY id", "row"),
        (
            "SELECT id, code::varbit FROM codes UNION SELECT 9, '11111'::varbit ORDER BY 1",
            "row|length",
        ),
        ("SELECT id, id FROM codes", "first row"),
    ],
)
def test_other_rows_are_refused(database, select, said, tmp_path):
    pgvector.write(tmp_path / "in", [[0xA0], [0xF0]], 4)
    load(database, tmp_path / "in", 4)
    database.ask(f"\\copy ({select}) TO '{tmp_path / 'out'}' WITH (FORMAT binary)")
    with pytest.raises(FormatError, match=said):
        pgvector.read(tmp_path / "out")


def test_what_a_collection_exports_is_loaded(database, tmp_path):
    pytest.importorskip("pathspec")
    from hashret.collection import Collection
    from hashret.collection.exporting import export
    from hashret.collection.labels import set_labels

    with Collection.create([photos(tmp_path / "it's 5 \\photos", 5)]) as opened:
        opened.update()
        set_labels(opened.catalogue, "kind", {1: 'a "b"\t\n\\', 2: "é"})
        row = opened.row("perceptual")
        export(opened.catalogue, row, "pgvector", tmp_path / "images.sql")
        export(opened.catalogue, row, "pgcopy", tmp_path / "images.pgcopy")
        distances, ids = opened.index("perceptual").search(opened.index("perceptual").get([1]), 5)
    text = (tmp_path / "images.sql").read_text(encoding="utf-8")
    comment = [line[3:] for line in text.splitlines() if line.startswith("-- ")]
    making, searching = "\n".join(comment).split("SELECT", 1)
    database.ask(making)
    database.load(tmp_path / "images.sql")
    found = database.ask(f"SET enable_indexscan = off; SELECT {searching}")
    assert sorted((float(row[2]), int(row[0])) for row in found) == list(
        zip(distances[0].tolist(), ids[0].tolist(), strict=True)
    )
    labels = database.ask(
        "SELECT id, labels->>'kind' = E'a \"b\"\\t\\n\\\\' FROM images WHERE id = 1"
    )
    assert labels == [["1", "t"]]
    load(database, tmp_path / "images.pgcopy", 256)
    same_codes = "SELECT count(*) FROM codes JOIN images USING (id, code)"
    assert database.ask(same_codes) == [["5"]]
