"""Verifying: every kind of disagreement is seen, and only caches are repaired."""

from __future__ import annotations

import os

import pytest
from photos import write_photo

from hashret.collection import Collection
from hashret.collection.catalogue import files_in_state
from hashret.collection.opening import open_collection, open_to_index
from hashret.collection.summary import summary
from hashret.collection.verifying import verify


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(4):
        write_photo(root / f"{number}.png", number)
    with Collection.create([root]) as collection:
        collection.update(["perceptual"], workers=1)
    return root


def problems(folder, **options):
    with open_collection(folder, change="repair" in options) as collection:
        return [
            (one.kind, None if one.path is None else os.path.basename(one.path))
            for one in verify(collection, **options)
        ]


def change(folder, *statements):
    with Collection.change(folder) as collection:
        for statement in statements:
            collection.catalogue.execute(statement)


def test_a_sound_collection(folder):
    seen = []
    with open_collection(folder) as collection:
        assert [*verify(collection, content=True, on_file=seen.append)] == []
    assert seen == [1, 2, 3, 4]


def test_files_that_are_not_as_they_were(folder):
    times = os.stat(folder / "1.png")
    data = bytearray((folder / "1.png").read_bytes())
    data[-20] ^= 1
    (folder / "1.png").write_bytes(data)
    os.utime(folder / "1.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    write_photo(folder / "2.png", 77)
    os.remove(folder / "3.png")
    assert problems(folder) == [("file", b"2.png"), ("file", b"3.png")]
    assert ("file", b"1.png") in problems(folder, content=True)
    with Collection.change(folder) as collection:
        collection.update(check_content=True)
    assert problems(folder, content=True) == []
    write_photo(folder / "3.png", 3)
    assert problems(folder) == [("file", b"3.png")]


def test_a_root_that_is_away_is_one_problem(folder, tmp_path):
    store = tmp_path / "elsewhere"
    with open_to_index([folder], store) as collection:
        collection.update(["perceptual"], workers=1)
    os.rename(folder, tmp_path / "away")
    with open_collection(store) as collection:
        assert [one.path for one in verify(collection)] == [os.fsencode(folder)]
        assert not summary(collection)["roots"][0]["reachable"]


def test_codes_that_lack_or_have_other_lengths(folder):
    change(folder, "DELETE FROM codes WHERE image = 1")
    assert problems(folder) == [("code", None), ("index", None)]
    change(folder, "UPDATE codes SET code = x'00' WHERE image = 2")
    assert problems(folder) == [("code", None), ("code", None)]


def test_an_index_is_written_anew(folder):
    change(folder, "UPDATE codes SET code = zeroblob(32) WHERE image = 1")
    assert problems(folder) == [("index", None)]
    assert problems(folder, repair=True) == []
    assert problems(folder) == []
    (name,) = os.listdir(folder / ".hashret" / "indexes")
    (folder / ".hashret" / "indexes" / name).write_bytes(b"no index")
    assert problems(folder) == []


def test_the_catalogue_itself(folder):
    change(
        folder,
        "PRAGMA foreign_keys = OFF",
        "UPDATE codes SET image = 99 WHERE image = 1",
    )
    assert problems(folder)[0] == ("catalogue", None)


def test_a_file_in_the_quarantine_that_nobody_knows(folder):
    place = folder / ".hashret" / "quarantine" / "1"
    place.mkdir(parents=True)
    (place / "lost.png").write_bytes(b"x")
    assert problems(folder) == [("quarantine", b"lost.png")]


def test_summary_counts(folder):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.remove(folder / "0.png")
    with Collection.change(folder) as collection:
        collection.configure(exclude=["*.tmp"])
        collection.update()
        told = summary(collection)
        (skipped,) = files_in_state(collection.catalogue, "skipped")
        assert [path for path, _ in files_in_state(collection.catalogue, "missing")] == [
            os.fsencode(folder / "0.png")
        ]
    assert os.path.basename(skipped[0]) == b"bad.png"
    assert told["files"] == {"present": 3, "missing": 1, "skipped": 1, "other": 0}
    assert told["images"] == told["encoders"][0]["codes"] == 4
    assert told["settings"]["exclude"] == ["*.tmp"]
    assert told["bytes"]["indexes"] > 0
