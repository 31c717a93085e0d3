"""Searching: the nearest images that may be shown, against all distances counted out."""

from __future__ import annotations

import os

import numpy as np
import pytest
from photos import write_photo

from hashret import HashretError, ParameterError
from hashret.collection import Collection
from hashret.collection.queries import Query, of_files, of_ids, of_texts
from hashret.collection.searching import default_encoder, search

COUNT = 30


class Wide:
    """Codes and margins from the colours of a few places."""

    name, fingerprint, bits, side, code_of = "wide", "wide-1", 24, 64, None
    settings: dict = {"kind": "perceptual"}  # noqa: RUF012

    def project(self, pictures):
        return np.array([p[5:60:15, 5:60:30].astype(float).ravel() - 127.5 for p in pictures])

    def encode(self, pictures):
        return np.packbits(self.project(pictures) > 0, axis=1), None


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        write_photo(root / f"{number:02}.png", number)
    with Collection.create([root]) as made:
        made._encoders["wide-1"] = Wide()
        made.update(["perceptual"], workers=1)
        with made.catalogue.transaction():
            made.catalogue.execute(
                "INSERT INTO encoders (name, fingerprint, bits, settings, active) "
                "VALUES ('wide', 'wide-1', 24, '{\"kind\": \"perceptual\"}', 1)"
            )
        made.update()
        for number in range(0, COUNT, 2):
            os.remove(root / f"{number:02}.png")
        made.update()
        yield made


def counted(collection, code, ids):
    index = collection.index("perceptual")
    known = {int(id): index.get([id])[0] for id in index.ids}
    bits = {id: int(np.unpackbits(known[id] ^ code).sum()) for id in ids}
    return sorted((distance, id) for id, distance in bits.items())


def present(collection):
    query = """SELECT images.id FROM images JOIN files USING (content) WHERE state = 'present'"""
    return [id for (id,) in collection.catalogue.execute(query)]


@pytest.mark.parametrize("k", [1, 7, 15, 100])
@pytest.mark.parametrize("radius", [None, 0, 120, 256])
def test_the_nearest_that_are_there(collection, k, radius):
    (query,) = of_ids(collection, "perceptual", [present(collection)[3]])
    (answer,) = search(collection, "perceptual", [query], k=k, radius=radius)
    nearest = counted(collection, query.code, present(collection))
    expected = [row for row in nearest if radius is None or row[0] <= radius][:k]
    assert [(one.distance, one.image.id) for one in answer.results] == expected
    assert [one.same for one in answer.results] == [True] + [False] * (len(expected) - 1)
    assert all(one.file.state == "present" for one in answer.results)


def test_missing_ones_if_they_are_wanted_and_filters(collection):
    (query,) = of_ids(collection, "perceptual", [1])
    (answer,) = search(collection, "perceptual", [query], k=COUNT, missing=True)
    assert len(answer.results) == COUNT
    where = "name in (01.png, 02.png, 03.png)"
    found = search(collection, "perceptual", [query], where=where)[0].results
    assert {os.path.basename(one.file.path) for one in found} == {b"01.png", b"03.png"}
    found = search(collection, "perceptual", [query], where=where, missing=True, radius=256, k=None)
    assert len(found[0].results) == 3
    assert search(collection, "perceptual", [query], where="width > 9000")[0].results == ()


def test_a_file_outside_finds_its_copy(collection, tmp_path):
    write_photo(tmp_path / "copy", 5)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    paths = [tmp_path / "bad.png", tmp_path / "copy", tmp_path, tmp_path / "none"]
    queries = of_files(collection, "perceptual", [os.fspath(path) for path in paths])
    answers = search(collection, "perceptual", queries)
    assert [bool(answer.results) for answer in answers] == [False, True, False, False]
    assert all(query.reason for query in (queries[0], queries[2], queries[3]))
    assert answers[1].results[0].same
    assert answers[1].results[0].file.path.endswith(b"05.png")


def test_reranked_by_margins(collection):
    index = collection.index("wide")
    ids = present(collection)
    queries = of_ids(collection, "wide", ids[:2], margins=True)
    for answer, query in zip(
        search(collection, "wide", queries, k=5, rerank=True), queries, strict=True
    ):
        margins = {
            id: np.abs(query.margins)[np.unpackbits(index.get([id])[0] ^ query.code) > 0].sum()
            for id in ids
        }
        expected = sorted(margins, key=lambda id: (margins[id], id))[:5]
        assert [one.image.id for one in answer.results] == expected
        assert [one.distance for one in answer.results] == pytest.approx(
            [margins[id] for id in expected]
        )
    for refused in (
        lambda: of_texts(collection, "perceptual", ["cat"]),
        lambda: of_ids(collection, "perceptual", ids[:1], margins=True),
    ):
        with pytest.raises(HashretError, match="encoder 'perceptual'"):
            refused()


def test_what_is_refused(collection, tmp_path):
    query = Query("x", np.zeros(32, np.uint8))
    for options in ({"k": 0}, {"k": None}, {"radius": -1}, {"where": "nothing"}):
        with pytest.raises((ParameterError, TypeError)):
            search(collection, "perceptual", [query], **options)
    with pytest.raises(HashretError, match="no codes"):
        search(collection, "none", [query])
    assert default_encoder(collection) == "perceptual"
    empty = tmp_path / "empty"
    empty.mkdir()
    with Collection.create([empty]) as made, pytest.raises(HashretError, match="no codes yet"):
        default_encoder(made)
