"""A collection as its users open it: made, updated, its indexes caught up."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from hashret import HashretError
from hashret.collection import Collection, indexes
from hashret.collection.images import images_of
from hashret.collection.store import find_store


def write(path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    small.resize((96, 80), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(6):
        write(root / f"{number}.png", number)
    return root


def update(folder, **options):
    with Collection.create([folder]) as collection:
        return collection.update(["perceptual"], workers=1, **options)


def test_index_finds_each_image_by_its_own_code_and_catches_up(folder, monkeypatch):
    update(folder)
    first = os.listdir(folder / ".hashret" / "indexes")
    write(folder / "new.png", 99)
    update(folder)
    # So few are added to the mapped file at opening.
    assert os.listdir(folder / ".hashret" / "indexes") == first
    with Collection.open(folder) as collection:
        index = collection.index("perceptual")
        assert len(index) == 7
        distances, ids = index.search(index.get(index.ids), 1)
        assert (ids[:, 0] == index.ids).all()
        assert not distances.any()
    monkeypatch.setattr(indexes, "_BEHIND", 0)
    # One of seven is not much, unless it is more than one of eight may be.
    monkeypatch.setattr(indexes, "_BEHIND_OF", 7)
    update(folder)
    assert os.listdir(folder / ".hashret" / "indexes") == first
    monkeypatch.setattr(indexes, "_BEHIND_OF", 8)
    update(folder)
    second = os.listdir(folder / ".hashret" / "indexes")
    assert len(second) == 1
    assert second != first
    with Collection.open(folder) as collection:
        assert sorted(collection.index("perceptual").ids) == sorted(index.ids)


def test_indexes_are_a_cache(folder):
    update(folder)
    file = next((folder / ".hashret" / "indexes").iterdir())
    with Collection.open(folder) as collection:
        codes = collection.index("perceptual").get(collection.index("perceptual").ids)
    file.write_bytes(file.read_bytes()[:100])
    with Collection.open(folder) as collection:
        index = collection.index("perceptual")
        np.testing.assert_array_equal(index.get(index.ids), codes)
    shutil.rmtree(file.parent)
    with Collection.open(folder) as collection:
        assert len(collection.index("perceptual")) == 6


def test_codes_that_were_removed_are_in_no_index(folder):
    from hashret.collection.catalogue import forget_missing

    update(folder)
    (folder / "0.png").unlink()
    update(folder)
    with Collection.open(folder) as collection:
        assert len(collection.index("perceptual")) == 6
    with Collection.change(folder) as collection:
        assert forget_missing(collection.catalogue) == (1, 1)
    with Collection.open(folder) as collection:
        assert len(collection.index("perceptual")) == 5


def assert_index_is_of_the_catalogue(folder):
    with Collection.open(folder) as collection:
        ids, codes = indexes.codes_of(collection.catalogue, collection.row("perceptual"))
        index = collection.index("perceptual")
        np.testing.assert_array_equal(np.sort(index.ids), ids)
        np.testing.assert_array_equal(index.get(ids), codes)


def test_a_catalogue_made_anew_meets_nothing_of_the_one_before(folder):
    update(folder)
    store = folder / ".hashret"
    (before,) = os.listdir(store / "indexes")
    derived = ["indexes/9-8-7.hri", "web/groups-0.sqlite", "web/map-1-2-3", "web/bulk.json"]
    others = ["indexes/mine.hri", "web/notes.txt", "quarantine/1-2/a.png", "thumbnails/a.jpg"]
    for name in (*derived, *others):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(b"x")
    os.rename(store / "catalogue.sqlite", store / "old.sqlite")
    for number in range(6):
        write(folder / f"{number}.png", 50 + number)
    update(folder)
    assert not any((store / name).exists() for name in (*derived, f"indexes/{before}"))
    assert all((store / name).exists() for name in (*others, "old.sqlite"))
    assert_index_is_of_the_catalogue(folder)


def test_a_copy_of_the_catalogue_meets_nothing_that_is_newer(folder, monkeypatch):
    monkeypatch.setattr(indexes, "_BEHIND", 0)
    monkeypatch.setattr(indexes, "_BEHIND_OF", 10**6)
    update(folder)
    catalogue = folder / ".hashret" / "catalogue.sqlite"
    copies = []
    for number in (20, 30, 40):
        copies.append(catalogue.read_bytes())
        write(folder / "new.png", number)
        update(folder)
        assert_index_is_of_the_catalogue(folder)
        # The index stays, with a code that this one has not, or of another picture.
        catalogue.write_bytes(copies[0])
        assert_index_is_of_the_catalogue(folder)
    catalogue.write_bytes(copies[0])
    write(folder / "new.png", 50)
    monkeypatch.setattr(indexes, "_BEHIND", 4096)
    update(folder)
    assert_index_is_of_the_catalogue(folder)


def test_a_store_whose_generations_were_counted_goes_on(folder, monkeypatch):
    update(folder)
    store = folder / ".hashret"
    with Collection.change(folder) as collection, collection.catalogue.transaction():
        collection.catalogue.execute("UPDATE generations SET generation = 3, removed = 1")
        collection.catalogue.execute("UPDATE codes SET generation = 3")
    (file,) = (store / "indexes").iterdir()
    os.rename(file, store / "indexes" / "1-3-1.hri")
    write(folder / "new.png", 99)
    update(folder)
    assert os.listdir(store / "indexes") == ["1-3-1.hri"]
    monkeypatch.setattr(indexes, "_whole", None)
    assert_index_is_of_the_catalogue(folder)


def test_a_store_is_found_from_inside_and_by_its_own_path(folder, tmp_path):
    update(folder)
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    store = str(folder / ".hashret")
    assert find_store(inner) == find_store(folder) == find_store(store) == store
    with pytest.raises(HashretError, match="no collection here"):
        find_store(tmp_path)
    with Collection.create([folder], tmp_path / "elsewhere") as collection:
        collection.update(["perceptual"], workers=1)
    with Collection.open(tmp_path / "elsewhere") as collection:
        assert collection.roots == [str(folder)]


def test_a_new_collection_without_encoders_has_files_and_no_codes(tmp_path):
    write(tmp_path / "a.png", 1)
    with Collection.create([tmp_path]) as collection:
        report = collection.update(workers=1)
        assert (report.new.count, report.encoded, [*collection.encoders]) == (1, 0, [])
        assert collection.update(workers=1).read == 0


def test_what_was_opened_for_reading_says_so_when_it_is_to_be_changed(folder):
    update(folder)
    with Collection.open(folder) as collection:
        before = collection.catalogue.generation
        (folder / "new.png").write_bytes(next(folder.glob("*.png")).read_bytes())
        with pytest.raises(HashretError, match=r"opened for reading; Collection\.change opens it"):
            collection.update()
        assert collection.catalogue.generation == before


def test_bad_input(folder):
    with pytest.raises(NotADirectoryError):
        Collection.create([folder / "0.png"])
    with pytest.raises(ValueError, match="roots: expected a folder"):
        Collection.create([])
    update(folder)
    expected = pytest.raises(ValueError, match="encoder: expected one of")
    with Collection.change(folder) as collection, expected:
        collection.update(["nothing of the kind"], workers=1)
    with Collection.open(folder) as collection, pytest.raises(HashretError, match="no codes of it"):
        collection.index("photo")


def test_images_tell_where_their_files_lie(folder):
    shutil.copy(folder / "0.png", folder / "copy.png")
    update(folder)
    (folder / "1.png").unlink()
    update(folder)
    with Collection.open(folder) as collection:
        images = list(images_of(collection.catalogue))
        assert len(images) == 6
        (copied,) = [image for image in images if len(image.files) == 2]
        names = [os.path.basename(file.path) for file in copied.files]
        assert names == [b"0.png", b"copy.png"]
        (gone,) = [image for image in images if image.files[0].state == "missing"]
        assert (gone.files[0].reason, gone.width, gone.height) == ("gone", 96, 80)
        assert list(images_of(collection.catalogue, [gone.id, 10**6])) == [gone]


def test_it_is_opened_again_for_another_thread(folder):
    update(folder)
    with Collection.open(folder) as collection:
        other = collection.again()
        assert other.index("perceptual") is collection.index("perceptual")
        write(folder / "new.png", 98)
        update(folder)
        assert len(other.index("perceptual")) == 7
        assert len(collection.index("perceptual")) == 7
        other.close()
        assert len(collection.index("perceptual")) == 7
