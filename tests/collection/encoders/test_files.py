"""Encoders from files: ONNX models, pairs with texts, and what hashret saved."""

from __future__ import annotations

import os

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_files import (
    COLOURS,
    image_model,
    model_bytes,
    text_model,
    write_pair,
)
from PIL import Image

from hashret import FormatError
from hashret.collection import Collection
from hashret.collection.encoders import new_encoder, takes_text
from hashret.collection.queries import of_texts
from hashret.collection.searching import search


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for name, colour in COLOURS.items():
        for shade in range(4):
            Image.new("RGB", (30, 20 + shade), tuple(max(0, c - shade) for c in colour)).save(
                root / f"{name}{shade}.png"
            )
    return root


def write(path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_features_of_a_model_become_codes(folder, tmp_path):
    path = write(tmp_path / "colour.onnx", image_model())
    with Collection.create([folder]) as collection:
        collection.update([path], workers=1)
        row = collection.encoders["colour"]
        assert row.bits == 12
        assert not takes_text(row)
        os.remove(path)  # the store has its own
    with Collection.open(folder) as collection:
        reds = [np.full((5, 9, 3), (230 - s, 20, 20), np.uint8) for s in range(3)]
        distances, _ = collection.index("colour").search(
            collection.encoder("colour").encode(reds)[0], 4
        )
        assert distances.max() <= 2


def test_pixels_reach_the_model_as_its_input_and_properties_say(folder, tmp_path):
    store = str(tmp_path / "store")
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[:, 5:15] = 255
    plain = write(tmp_path / "a.onnx", image_model(kind=TensorProto.UINT8))
    vector = new_encoder(plain, store).features.describe([picture])[0]
    assert vector[0] == pytest.approx(127.5, abs=5)
    told = [("mean", [0, 0, 0]), ("std", [1, 1, 1]), ("crop", True), ("size", 6)]
    cropped = write(tmp_path / "b.onnx", image_model("side", told))
    assert new_encoder(cropped, store).features.describe([picture])[0, 0] == pytest.approx(1)


def test_signs_of_a_model_are_codes(folder, tmp_path):
    path = write(tmp_path / "signs.onnx", image_model(properties=[("signs", True)]))
    with Collection.create([folder]) as collection:
        collection.update([path], workers=1)
        assert collection.encoders["signs"].bits == 12
        code, _ = collection.encoder("signs").encode([np.full((4, 4, 3), (255, 0, 0), np.uint8)])
        assert np.unpackbits(code[0])[:12].tolist() == [1, 0, 0] * 4


def test_a_pair_finds_images_by_text(folder, tmp_path):
    pytest.importorskip("tokenizers")
    pair = tmp_path / "pair"
    write_pair(pair)
    with Collection.create([folder]) as collection:
        collection.update([str(pair)], workers=1)
        assert takes_text(collection.encoders["pair"])
        assert collection.index("pair").bits == 12
        encoder = collection.text_encoder("pair")
        index, names = collection.index("pair"), {}
        query = "SELECT images.id, path FROM files JOIN images USING (content)"
        names = dict(collection.catalogue.execute(query).fetchall())
        for colour in COLOURS:
            _, ids = index.search(
                encoder.encode_text(f"{colour} and more words than it takes")[None], 4
            )
            assert {names[one].decode()[:-5] for one in ids[0].tolist()} == {colour}
        encoder.encode_text("")
        (query,) = of_texts(collection, "pair", ["red"])
        (answer,) = search(collection, "pair", [query], k=4)
        found = {os.path.basename(one.file.path).decode()[:-5] for one in answer.results}
        assert found == {"red"}


def test_saved_deep_encoders(folder, tmp_path):
    pytest.importorskip("torch")
    from hashret.deep import DeepHasher

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 16, 16, 3), np.uint8)
    hasher = DeepHasher(bits=16, network="small-cnn", epochs=1, device="cpu", random_state=0)
    hasher.fit(images, np.arange(8) % 2).save(tmp_path / "deep.safetensors")
    with Collection.create([folder]) as collection:
        collection.update([str(tmp_path / "deep.safetensors")], workers=1)
        row = collection.encoders["deep"]
        assert (row.bits, row.fingerprint) == (16, hasher.fingerprint)
        np.testing.assert_array_equal(
            collection.encoder("deep").encode(list(images))[0],
            np.concatenate([hasher.transform(image[None]) for image in images]),
        )


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.onnx", b"no model", "no ONNX model that can be run"),
        ("a.onnx", b"", "no ONNX model that can be run"),
        ("a.bin", b"\xff" * 100, "no encoder that hashret saved"),
        ("a.bin", b"", "no encoder that hashret saved"),
        ("text.onnx", None, "a model of texts"),
        ("wide.onnx", None, "expected square images"),
    ],
)
def test_other_files_are_refused_and_nothing_is_changed(folder, tmp_path, name, data, match):
    made = {"text.onnx": text_model, "wide.onnx": lambda: wide()}
    path = write(tmp_path / name, made[name]() if data is None else data)
    with Collection.create([folder]) as collection:
        with pytest.raises(FormatError, match=match):
            collection.update([path], workers=1)
        assert collection.encoders == {}


def wide() -> bytes:
    return model_bytes(
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 8, 9])],
        helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, 8, 9]),
        [helper.make_node("Identity", ["pixels"], ["out"])],
        [],
    )


def test_folders_without_a_pair_are_refused(tmp_path):
    write(tmp_path / "one.onnx", image_model())
    with pytest.raises(FormatError, match="expected a model of images, one of texts"):
        new_encoder(str(tmp_path), str(tmp_path / "store"))
    write(tmp_path / "two.onnx", image_model())
    with pytest.raises(FormatError, match="two models of images"):
        new_encoder(str(tmp_path), str(tmp_path / "store"))
