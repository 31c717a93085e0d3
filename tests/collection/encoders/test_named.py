"""The encoders that are known by name: fitted to a sample, kept in the store, made again."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from hashret import EncoderMismatchError, HashretError
from hashret.collection import Collection
from hashret.collection.encoders import default_encoders, fitted, naming, new_encoder, outgrown
from hashret.collection.encoders.features import squared


def write(path, seed: int, side: int = 40) -> None:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    small.resize((side + seed % 9, side), Image.Resampling.BICUBIC).save(path)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Networks of little work."""
    for name in ("photo", "photo-fast"):
        settings = {"features": "lite", "network": "lite0", "size": 32}
        monkeypatch.setitem(naming._FEATURES, name, settings)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(12):
        write(root / f"{number}.png", number)
    return root


def files(folder) -> set[str]:
    return set(os.listdir(folder / ".hashret" / "encoders"))


def codes(folder, name: str) -> dict[int, bytes]:
    with Collection.open(folder) as collection:
        index = collection.index(name)
        return {
            int(one): code.tobytes()
            for one, code in zip(index.ids, index.get(index.ids), strict=True)
        }


def pixels(folder) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


@pytest.mark.parametrize("name", ["hog", "photo"])
def test_codes_are_those_of_the_encoder_in_the_store_alone_or_together(folder, name):
    with Collection.create([folder]) as collection:
        collection.update([name], workers=1)
        row = collection.encoders[name]
    assert (row.bits, row.settings["sample"]) == (256, 12)
    assert files(folder) == {row.settings["quantizer"]}
    with Collection.open(folder) as collection:
        encoder = collection.encoder(name)
        assert encoder.fingerprint == row.fingerprint
        together, _ = encoder.encode(pixels(folder))
        alone = [encoder.encode([picture])[0][0] for picture in pixels(folder)]
        np.testing.assert_array_equal(together, alone)
        assert sorted(map(bytes, together)) == sorted(codes(folder, name).values())
    assert len(set(codes(folder, name).values())) == 12


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures(folder, count):
    for number in range(count, 12):
        (folder / f"{number}.png").unlink()
    with Collection.create([folder]) as collection:
        collection.update(["hog"], workers=1)
        assert ("hog" in collection.encoders) == (count > 0)
        write(folder / "new.png", 99)
        collection.update(["hog"], workers=1)
        assert len(collection.index("hog")) == count + 1
    found = codes(folder, "hog").values()
    ones = [np.unpackbits(np.frombuffer(code, np.uint8)).sum() for code in found]
    assert all(32 < one < 224 for one in ones), "codes that tell nothing"
    assert len(set(found)) == count + 1


def test_same_pictures_give_the_same_encoder_wherever_and_in_whatever_order(folder, tmp_path):
    prints = []
    for store in ("one", "two"):
        with Collection.create([folder], tmp_path / store) as collection:
            collection.update(["hog"], workers=1 if store == "one" else 3)
            prints.append(collection.encoders["hog"].fingerprint)
    assert prints[0] == prints[1]


def test_large_samples_are_fitted_and_no_picture_is_described_twice(folder, monkeypatch):
    monkeypatch.setattr(fitted, "_BITS", 8)
    described = []
    one = naming.HogFeatures.describe

    def describe(self, pictures):
        described.append(len(pictures))
        return one(self, pictures)

    monkeypatch.setattr(naming.HogFeatures, "describe", describe)
    with Collection.create([folder]) as collection:
        told = []
        collection.update(["hog"], on_sample=lambda *numbers: told.append(numbers))
        assert told == [(number, 2048) for number in range(1, 13)]
        assert collection.encoders["hog"].bits == 8
        assert sum(described) == 12
        assert len(collection.index("hog")) == 12


def test_an_encoder_stays_as_it_is_until_it_is_asked_to_change(folder, monkeypatch):
    with Collection.create([folder]) as collection:
        collection.update(["photo"], workers=1)
        before = collection.encoders["photo"]
        for number in range(20, 24):
            write(folder / f"{number}.png", number)
        monkeypatch.setitem(
            naming._FEATURES, "photo", {"features": "lite", "network": "lite0", "size": 64}
        )
        collection.update(["photo"], workers=1)
        assert collection.encoders["photo"] == before
        collection.update(["photo"], replace=True, workers=1)
        after = collection.encoders["photo"]
        assert after.settings["features"]["size"] == 64
        assert after.settings["sample"] == 16
        assert files(folder) == {after.settings["quantizer"]}
        assert len(collection.index("photo")) == 16


# Ends the process when another encoder was fitted and so many images have codes of it.
KILLED = """
import os, sys
from hashret.collection import Collection
from hashret.collection.encoders import naming
from hashret.collection.updating import updater
naming._FEATURES["photo"] = {"features": "lite", "network": "lite0", "size": int(sys.argv[2])}
updater.BATCH = 4
last = int(sys.argv[3])
def on_batch(report):
    if report.encoded >= last and len(os.listdir(sys.argv[1] + "/.hashret/encoders")) > 1:
        os.kill(os.getpid(), 9)
with Collection.change(sys.argv[1]) as collection:
    collection.update(["photo"], replace=True, workers=1, on_batch=on_batch)
"""


def test_re_encoding_that_is_killed_goes_on_with_the_encoder_it_had(folder, monkeypatch):
    with Collection.create([folder]) as collection:
        collection.update(["photo"], workers=1)
    before, old = codes(folder, "photo"), files(folder)
    command = [sys.executable, "-c", KILLED, str(folder), "64"]
    assert subprocess.run([*command, "0"]).returncode == -9  # fitted, and no code yet
    assert codes(folder, "photo") == before
    (new,) = files(folder) - old
    assert subprocess.run([*command, "4"]).returncode == -9
    assert codes(folder, "photo") == before
    write(folder / "later.png", 77)
    monkeypatch.setitem(
        naming._FEATURES, "photo", {"features": "lite", "network": "lite0", "size": 64}
    )
    with Collection.change(folder) as collection:
        report = collection.update(["photo"], replace=True, workers=1)
        assert report.encoded == 9
        assert collection.encoders["photo"].settings["sample"] == 12
    assert files(folder) == {new}
    after = codes(folder, "photo")
    assert before.keys() < after.keys()
    assert before != {one: after[one] for one in before}


def test_what_is_missing_from_the_store_is_named_and_mended(folder):
    with Collection.create([folder]) as collection:
        collection.update(["hog"], workers=1)
    (folder / ".hashret" / "encoders" / files(folder).pop()).unlink()
    with Collection.change(folder) as collection:
        with pytest.raises(HashretError, match="missing; hashret index --re-encode"):
            collection.encoder("hog")
        collection.update(["hog"], replace=True, workers=1)
        collection.encoder("hog")


def test_a_changed_encoder_under_the_same_name_is_refused(folder, tmp_path):
    from hashret.encoders import ITQ
    from hashret.features import hog

    rows = hog(np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8))
    for seed in (0, 1):
        ITQ(32, random_state=seed).fit(rows).save(tmp_path / "mine.safetensors")
        with Collection.create([folder]) as collection:
            if seed == 0:
                collection.update([str(tmp_path / "mine.safetensors")], workers=1)
                assert collection.encoders["mine"].bits == 32
                continue
            with pytest.raises(EncoderMismatchError, match="mine"):
                collection.update([str(tmp_path / "mine.safetensors")], workers=1)
            collection.update([str(tmp_path / "mine.safetensors")], replace=True, workers=1)
            assert len(collection.index("mine")) == 12


def test_defaults_name_what_is_missing(monkeypatch):
    assert default_encoders() == (["perceptual", "photo"], None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    names, missing = default_encoders()
    assert names == ["perceptual"]
    assert "onnxruntime is needed" in missing


def test_advice_to_fit_again(folder):
    with Collection.create([folder]) as collection:
        collection.update(["hog"], workers=1)
        row = collection.encoders["hog"]
    assert not outgrown(row, 47)
    assert outgrown(row, 48)


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match="encoder: expected one of perceptual, borderless, photo"):
        new_encoder("nothing", str(tmp_path))
    with pytest.raises(ValueError, match=r"encoder: no such file: there/mine\.onnx"):
        new_encoder("there/mine.onnx", str(tmp_path))
    (tmp_path / "photo.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="'photo' is another encoder's name: rename"):
        new_encoder(str(tmp_path / "photo.onnx"), str(tmp_path))


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size=st.integers(1, 80),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_a_square_has_the_pixels_that_pillow_gives(height, width, size, seed):
    if int(features.version("pil").split(".")[0]) < 13:
        # It shrank the width of tall pictures first, which is rounded otherwise.
        height = min(height, width)
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    assert np.array_equal(squared(picture, size), np.asarray(expected))
    # Also of a picture that lies otherwise in memory.
    turned = np.asfortranarray(picture)
    assert np.array_equal(squared(turned, size), np.asarray(expected))
