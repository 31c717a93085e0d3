"""The deep encoder: it learns, it is seeded, it refuses bad input."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import mean_average_precision, patterns, quick  # noqa: E402

from hashret.codes import pack  # noqa: E402
from hashret.deep import DeepHasher  # noqa: E402
from hashret.deep.losses import DSH, Classifier  # noqa: E402
from hashret.errors import (  # noqa: E402
    CodeError,
    DTypeError,
    ParameterError,
    ShapeError,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize(
    "loss",
    ["dsh", DSH(pairs="siamese"), DSH(weights="balanced"), "classifier", Classifier("one-hot")],
    ids=["dsh", "siamese", "balanced", "classifier", "one-hot"],
)
def test_training_learns(loss):
    images, labels = patterns()
    new, new_labels = patterns(n=60, seed=1)
    trained = quick(loss=loss, epochs=8).fit(images, labels)
    score = mean_average_precision(
        trained.transform(new), new_labels, trained.transform(images), labels
    )
    untrained = quick(loss=loss, epochs=1, learning_rate=1e-12).fit(images, labels)
    before = mean_average_precision(
        untrained.transform(new), new_labels, untrained.transform(images), labels
    )
    assert score > 0.9
    assert score > before + 0.1


def test_codes_are_the_packed_margins():
    images, labels = patterns(channels=3)
    hasher = quick(bits=13).fit(images, labels)
    margins = hasher.project(images)
    assert margins.dtype == np.float32
    assert margins.shape == (192, 13)
    np.testing.assert_array_equal(hasher.transform(images), pack(margins))
    np.testing.assert_allclose(hasher.project(images, batch_size=7), margins, atol=1e-4)
    assert hasher.transform(images[:0]).shape == (0, 2)
    assert hasher.transform(images[:1]).shape == (1, 2)
    np.testing.assert_allclose(hasher.project(images[:, ::-1][:, ::-1]), margins, atol=1e-5)


def test_a_seed_decides_the_weights():
    images, labels = patterns()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = quick().fit(images, labels)
    assert torch.equal(torch.get_rng_state(), state), "the caller's generator was touched"
    torch.manual_seed(2)
    assert quick().fit(images, labels).fingerprint == first.fingerprint
    assert first.fit(images, labels).fingerprint == quick().fit(images, labels).fingerprint
    assert quick(random_state=8).fit(images, labels).fingerprint != first.fingerprint
    unseeded = {quick(random_state=None, epochs=1).fit(images, labels).fingerprint for _ in "ab"}
    assert len(unseeded) == 2


def test_labels_may_be_strings_or_any_integers():
    images, labels = patterns()
    plain = quick(epochs=1).fit(images, labels)
    named = quick(epochs=1).fit(images, np.array(["a", "b", "c"])[labels])
    sparse = quick(epochs=1).fit(images, labels * 1000 - 5)
    np.testing.assert_array_equal(named.classes_, ["a", "b", "c"])
    np.testing.assert_array_equal(sparse.classes_, [-5, 995, 1995])
    np.testing.assert_array_equal(plain.project(images), named.project(images))
    np.testing.assert_array_equal(plain.project(images), sparse.project(images))


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(144, 20)

    def forward(self, images):
        return self.layer(images.flatten(1)).relu()


def test_probabilities_are_the_softmax_of_a_classifiers_outputs():
    images, labels = patterns()
    hasher = quick(loss="classifier", epochs=2).fit(images, labels)
    expected = torch.softmax(torch.from_numpy(hasher.outputs(images)).double(), dim=1).numpy()
    found = hasher.probabilities(images, batch_size=7)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ParameterError, match=r'loss "classifier", got \'dsh\''):
        quick(epochs=1).fit(images, labels).probabilities(images)


def test_nan_outputs_never_become_codes():
    images, labels = patterns()
    hasher = quick(epochs=1).fit(images, labels)
    with torch.no_grad():
        next(hasher._encoder.model.parameters()).fill_(float("nan"))
    with pytest.raises(CodeError, match="NaN"):
        hasher.transform(images)


IMAGES, LABELS = patterns()


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (IMAGES, LABELS[:-1], ShapeError, r"labels: expected \(192,\)"),
        (IMAGES, LABELS[:, None], ShapeError, r"labels: expected \(192,\)"),
        (IMAGES, LABELS * 0, ParameterError, "labels: expected at least two classes, got 1"),
        (IMAGES, np.arange(192), ParameterError, "labels: no two images share a class"),
        (IMAGES, np.full(192, 0.5), DTypeError, "labels: expected integers or strings"),
        (IMAGES, np.full(192, np.nan), ParameterError, "labels: expected at least two classes"),
        (IMAGES[:0], LABELS[:0], ParameterError, "labels: expected at least two classes, got 0"),
        (IMAGES[:1], LABELS[:1], ParameterError, "labels: expected at least two classes, got 1"),
        (IMAGES / 255, LABELS, DTypeError, "images: expected uint8, got float64"),
        (IMAGES[0], LABELS, ShapeError, r"images: expected \(n, height, width\)"),
        (np.zeros((4, 9, 9, 4), np.uint8), [0, 0, 1, 1], ShapeError, "images: expected"),
        (np.zeros((4, 0, 9), np.uint8), [0, 0, 1, 1], ShapeError, "images: expected"),
    ],
)
def test_fit_refuses_bad_input_and_keeps_what_was_fitted(images, labels, error, message):
    hasher = quick(epochs=1, network=Tiny()).fit(IMAGES, LABELS)
    before = hasher.fingerprint
    with pytest.raises(error, match=message):
        hasher.fit(images, labels)
    assert hasher.fingerprint == before


@pytest.mark.parametrize(
    "parameter",
    [
        {"bits": 0},
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"weight_decay": -1},
        {"shift": -1},
        {"cutout": -1},
        {"ema": 1.0},
        {"precision": "float8"},
        {"device": "abacus"},
        {"random_state": -1},
        {"network": "huge-cnn"},
        {"loss": "dhs"},
    ],
    ids=str,
)
def test_fit_refuses_bad_parameters(parameter):
    with pytest.raises(ParameterError, match=f"^{next(iter(parameter))}: "):
        quick(**parameter).fit(IMAGES, LABELS)


def test_transform_refuses_images_of_another_form():
    hasher = quick(epochs=1, network=Tiny()).fit(IMAGES, LABELS)
    with pytest.raises(ShapeError, match=r"expected height, width, channels \(12, 12, 1\)"):
        hasher.transform(np.zeros((2, 13, 12), np.uint8))
    with pytest.raises(ShapeError, match=r"as in fit, got \(12, 12, 3\)"):
        hasher.transform(np.zeros((2, 12, 12, 3), np.uint8))
    with pytest.raises(ParameterError, match="not fitted"):
        quick().transform(IMAGES)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_learns_as_the_cpu_does(tmp_path):
    hasher = quick(epochs=8, device="cuda").fit(IMAGES, LABELS)
    assert quick(epochs=8, device="cuda").fit(IMAGES, LABELS).fingerprint == hasher.fingerprint
    codes = hasher.transform(IMAGES)
    assert mean_average_precision(codes, LABELS, codes, LABELS) > 0.9
    hasher.save(tmp_path / "encoder")
    on_cpu = DeepHasher.load(tmp_path / "encoder", device="cpu")
    np.testing.assert_allclose(on_cpu.project(IMAGES), hasher.project(IMAGES), atol=1e-2)


def test_a_small_set_trains_in_one_batch():
    images, labels = IMAGES[:4], np.array([0, 0, 1, 1])
    assert quick(batch_size=256).fit(images, labels).transform(images).shape == (4, 1)
