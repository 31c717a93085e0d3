"""What other programs made is taken whole or refused, and nothing is unpickled."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from collection_photos import photos

from hashret import HashretError
from hashret.codes import from_hex, to_hex
from hashret.collection import Collection
from hashret.collection.importing import (
    Embeddings,
    compare_duplicates,
    import_embeddings,
    import_hashes,
    list_names,
    load_list,
    read_embeddings,
    read_hash_list,
    read_imagededup,
    remove_list,
    save_list,
)
from hashret.collection.verifying import verify

HASH = "0f" * 32


@pytest.fixture
def folder(tmp_path):
    return photos(tmp_path / "photos", 4)


def test_a_list_of_hashes_in_its_forms():
    text = (
        f"\ufeffhash,quality,filename\r\n{HASH},87,a, b.jpg\n\n# said\n0x{HASH.upper()}\n"
        f'{HASH},"a ""b"".jpg"\n{HASH},100\n{HASH},101,c\n'
    )
    found = read_hash_list(io.BytesIO(text.encode()))
    assert found.names == ["a, b.jpg", "", 'a "b".jpg', "", "101,c"]
    assert found.lines == [2, 5, 6, 7, 8]
    np.testing.assert_array_equal(found.quality, [0.87, np.nan, np.nan, 1, np.nan])
    assert to_hex(found.codes, 256) == [HASH] * 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"zz" * 32,
        HASH[:-1].encode(),
        (HASH + "0").encode(),
        b"\xff\xfe0\0",
        b"0" * 20_000,
        f"{HASH}\n\0\n".encode(),
        "\u0660".encode() * 64,
    ],
)
def test_a_list_that_is_none_is_refused(data):
    with pytest.raises(HashretError, match=r"line \d+: |no hashes"):
        read_hash_list(io.BytesIO(data))


def test_an_exported_table_is_refused_with_advice():
    table = io.BytesIO(b"id,path,code,quality\n1,cat.jpg," + b"0f" * 32 + b",1.0\n")
    with pytest.raises(HashretError, match="hashret match takes the folder"):
        read_hash_list(table)


def test_a_named_list_is_kept_replaced_and_forgotten(folder):
    given = read_hash_list(io.BytesIO(f"{HASH},5,a\n{HASH}".encode()))
    with Collection.change(folder) as collection:
        save_list(collection.catalogue, "known", given)
        save_list(collection.catalogue, "known", given)
        found = load_list(collection.catalogue, "known")
        assert (found.codes == given.codes).all()
        assert (found.names, found.lines, found.bits) == (given.names, given.lines, 256)
        assert list_names(collection.catalogue) == {"known": 2}
        remove_list(collection.catalogue, "known")
        with pytest.raises(HashretError, match="no list of the name 'known'"):
            load_list(collection.catalogue, "known")


def vectors(count=4, length=24, seed=0):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float16)


def test_embeddings_become_codes_that_survive_updates_and_are_added_to(folder, tmp_path):
    path = tmp_path / "clip.npz"
    names = np.array(["0.png", str(folder / "1.png"), "no.png"])
    many = np.concatenate([vectors(3), vectors(60, seed=1)])
    np.savez(path, embeddings=many[:3], paths=names)
    with Collection.change(folder) as collection:
        found = read_embeddings(path)
        placed = import_embeddings(collection.catalogue, "clip", found, bits=16)
        assert sorted(placed.values.values()) == [0, 1]
        assert placed.refused == [("no.png", "no image of the collection")]
        fingerprint = collection.row("clip").fingerprint
        collection.update()
        assert len(collection.index("clip")) == 2
        # Those that come later are encoded by the same axes; those that came before, replaced.
        ids = np.arange(1, 5)
        import_embeddings(collection.catalogue, "clip", Embeddings(vectors(4), None, ids))
        assert collection.row("clip").fingerprint == fingerprint
        assert len(collection.index("clip")) == 4
        with pytest.raises(HashretError, match="imported"):
            collection.encoder("clip")
        with pytest.raises(HashretError, match="is an encoder of the collection"):
            import_embeddings(collection.catalogue, "perceptual", found)
        with pytest.raises(HashretError):
            import_embeddings(collection.catalogue, "clip", Embeddings(vectors(4, 9), None, ids))
        assert len(collection.index("clip")) == 4
    with Collection.open(folder) as collection:
        assert collection.catalogue.check() == []


def test_codes_that_were_imported_for_some_images_are_sound(folder):
    with Collection.change(folder) as collection:
        given = Embeddings(vectors(2), None, np.array([1, 2]))
        import_embeddings(collection.catalogue, "clip", given, bits=16)
        assert [*verify(collection)] == []
        collection.catalogue.execute("UPDATE codes SET code = x'00' WHERE length(code) = 2")
        assert [one.advice for one in verify(collection)] == ["import them again"]


def test_embeddings_of_nobody_here_enter_nothing(folder):
    with Collection.change(folder) as collection:
        for given in (Embeddings(vectors(1), ["x"], None), Embeddings(vectors(1), None, [99])):
            given = given._replace(ids=None if given.ids is None else np.array(given.ids))
            with pytest.raises(HashretError, match="none of 1 is an image"):
                import_embeddings(collection.catalogue, "clip", given)
        assert [*collection.encoders] == ["perceptual"]


def saved(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def zipped(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


PATHS = np.array(["0.png", "1.png"])
HUGE = saved(vectors(2)).replace(b"(2, 24)", b"(2" + b"0" * 0 + b", 99999999999999)")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array",
        saved(vectors(2))[:-5],
        saved(np.array([Trap()], object), allow_pickle=True),
        zipped(embeddings=vectors(2), paths=PATHS)[:-30],
        zipped(embeddings=vectors(2)),
        zipped(other=vectors(2), paths=PATHS),
        zipped(embeddings=vectors(3), paths=PATHS),
        zipped(embeddings=np.full((2, 3), np.nan), paths=PATHS),
        zipped(embeddings=np.full((2, 3), 1e300), paths=PATHS),
        zipped(embeddings=vectors(2)[0], paths=PATHS),
        zipped(embeddings=vectors(2).astype(str), paths=PATHS),
        zipped(embeddings=vectors(2).astype(complex), paths=PATHS),
        zipped(embeddings=vectors(2), ids=np.array([1.5, 2])),
        zipped(embeddings=np.empty((2, 0)), paths=PATHS),
        HUGE,
    ],
)
def test_hostile_arrays_are_refused(tmp_path, data):
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(HashretError):
        read_embeddings(path)


def test_imagededup_hashes_and_duplicates(folder, tmp_path):
    path = tmp_path / "encodings.json"
    hashes = {f"{n}.png": f"{n:016x}" for n in range(3)} | {"gone.png": "f" * 16}
    path.write_text(json.dumps(hashes))
    with Collection.change(folder) as collection:
        catalogue = collection.catalogue
        placed = import_hashes(catalogue, "imagededup-phash", read_imagededup(path).hashes)
        assert len(placed.values) == 3
        assert [name for name, _ in placed.refused] == ["gone.png"]
        index = collection.index("imagededup-phash")
        (image,) = (image for image, value in placed.values.items() if value.endswith("2"))
        assert index.search(from_hex(["0" * 15 + "2"], 64), 1)[1].tolist() == [[image]]
        collection.update()
        path.write_text(json.dumps({"0.png": ["1.png", ["gone.png", 3]], "1.png": ["0.png"]}))
        found = read_imagededup(path).duplicates
        pairs = list(compare_duplicates(catalogue, collection.row("perceptual"), found))
        assert [pair[:2] for pair in pairs] == [("0.png", "1.png"), ("0.png", "gone.png")]
        assert pairs[0].distance > 50
        assert pairs[1].distance is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, '{"a": 1}', '{"a": "xy"}', '{"a": "00", "b": "0000"}',
     '{"a": "00", "a": "01"}', '{"a": ["b", 1]}', '{"a": "00", "b": []}', "\xff"],
)  # fmt: skip
def test_json_that_is_not_imagededups_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(HashretError):
        read_imagededup(path)
