"""Deep encoders of vectors, such as embeddings."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from hashret.deep import DeepHasher, loss_names  # noqa: E402
from hashret.deep.losses import Loss  # noqa: E402
from hashret.deep.model.hash_model import HashModel  # noqa: E402
from hashret.deep.model.networks import make_network  # noqa: E402
from hashret.errors import CodeError, DTypeError, ParameterError, ShapeError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

WIDTH, CLASSES = 12, 4


def blobs(n=240, seed=0):
    """Vectors of four clusters, of very different scale by column, and their labels."""
    centres = np.random.default_rng(99).normal(size=(CLASSES, WIDTH)) * 3
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    vectors = centres[labels] + rng.normal(size=(n, WIDTH))
    return vectors * np.logspace(-3, 3, WIDTH) + 100, labels


VECTORS, LABELS = blobs()


def quick(network="linear", loss="dsh", **options):
    settings = {"bits": 8, "epochs": 4, "batch_size": 32, "random_state": 3, "progress": None}
    return DeepHasher(network, loss, **{**settings, **options})


def nearest_share(codes, labels, queries, query_labels):
    """Mean share of a query's class among the ten nearest codes, ties broken at random."""
    order = np.random.default_rng(0).permutation(len(codes))
    distances = np.unpackbits(queries[:, None] ^ codes[order][None], axis=2).sum(2)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]
    return (labels[order][nearest] == query_labels[:, None]).mean()


@pytest.mark.parametrize(
    ("network", "loss"), [*(("linear", loss) for loss in loss_names()), ("mlp", "dsh")]
)
def test_every_loss_takes_vectors_and_files_keep_the_encoder(tmp_path, network, loss):
    hasher = quick(network, loss, epochs=2).fit(VECTORS, LABELS)
    codes = hasher.transform(VECTORS)
    assert codes.shape == (240, 1)
    hasher.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == hasher.fingerprint
    assert loaded.input_shape_ == (WIDTH,)
    np.testing.assert_array_equal(loaded.transform(VECTORS), codes)


@pytest.mark.parametrize("network", ["linear", "mlp"])
def test_training_learns_the_classes_of_vectors(network):
    hasher = quick(network, bits=16, epochs=8).fit(VECTORS, LABELS)
    new, new_labels = blobs(n=80, seed=1)
    share = nearest_share(hasher.transform(VECTORS), LABELS, hasher.transform(new), new_labels)
    assert share > 0.9


def test_a_linear_encoder_is_standardisation_and_a_matrix():
    hasher = quick().fit(VECTORS, LABELS)
    head = hasher._encoder.model.head
    weight, bias = (p.detach().double().numpy() for p in (head.weight, head.bias))
    expected = (VECTORS - VECTORS.mean(0)) / VECTORS.std(0) @ weight.T + bias
    np.testing.assert_allclose(hasher.project(VECTORS), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -1e-30])
def test_constant_columns_are_centred_only(value):
    vectors = VECTORS.astype(np.float32)
    vectors[:, 3] = value
    model = HashModel(torch.nn.Identity(), (WIDTH,), 2)
    model.standardise(torch.from_numpy(vectors))
    assert model.std[3] == 1
    assert model.mean[3].item() == pytest.approx(value, rel=1e-6)
    hasher = quick().fit(vectors, LABELS)
    assert np.isfinite(hasher.project(vectors)).all()
    # A slight change of what never varied must not outweigh all else.
    vectors[:, 3] += np.float32(1e-3)
    np.testing.assert_allclose(
        hasher.project(vectors), hasher.project(vectors - np.eye(WIDTH)[3] * 1e-3), atol=0.1
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
def test_any_real_type_is_taken_as_float32(dtype):
    vectors = (VECTORS - 100).clip(-50, 50).astype(dtype)
    plain = quick(epochs=1).fit(vectors.astype(np.float64), LABELS)
    assert quick(epochs=1).fit(vectors, LABELS).fingerprint == plain.fingerprint
    np.testing.assert_array_equal(plain.project(vectors), plain.project(vectors.tolist()))


def test_the_callers_vectors_are_left_alone():
    vectors = VECTORS.astype(np.float32)
    before = vectors.copy()
    quick(epochs=1).fit(vectors, LABELS).project(vectors)
    np.testing.assert_array_equal(vectors, before)
    vectors.flags.writeable = False
    quick(epochs=1).fit(vectors[::-1], LABELS).project(vectors)


class FromFeatures(Loss):
    """Keeps the targets it is given."""

    name = "from-features"
    target = "features"

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, outputs, targets):
        self.seen.append(targets)
        return outputs.square().mean()


def test_vectors_are_their_own_features():
    options = {"epochs": 1, "batch_size": 240}
    fitted = quick(loss=FromFeatures(), **options).fit(VECTORS)
    (seen,) = fitted._encoder.loss.seen
    np.testing.assert_allclose(np.sort(seen.numpy(), axis=0), np.sort(VECTORS, axis=0), rtol=1e-6)
    other = quick(loss=FromFeatures(), **options).fit(VECTORS, features=LABELS[:, None])
    assert other._encoder.loss.seen[0].shape == (240, 1)


def test_a_resumed_training_on_vectors_ends_with_the_same_weights(tmp_path):
    class Stop(Exception):
        pass

    def stop(now):
        if now.epoch == 3:
            raise Stop

    whole = quick("mlp").fit(VECTORS, LABELS)
    with pytest.raises(Stop):
        quick("mlp", progress=stop).fit(VECTORS, LABELS, checkpoint=tmp_path / "c")
    resumed = quick("mlp").fit(VECTORS, LABELS, checkpoint=tmp_path / "c")
    assert resumed.fingerprint == whole.fingerprint


def with_value(value, row=5):
    vectors = VECTORS.copy()
    vectors[row, 2] = value
    return vectors


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (with_value(np.nan), CodeError, "images: NaN or infinity in row 5"),
        (with_value(-np.inf), CodeError, "images: NaN or infinity in row 5"),
        (with_value(1e39), CodeError, "images: NaN or infinity in row 5"),
        (np.zeros((240, 0)), ShapeError, "images: expected"),
        (VECTORS[0], ShapeError, r"images: .*one vector\? images\[None\]"),
        (VECTORS.astype(complex), DTypeError, "images: expected real numbers, got complex128"),
        (VECTORS.astype(str), DTypeError, "images: expected real numbers"),
        (VECTORS.astype(np.uint8), ShapeError, r"or real vectors \(n, d\), got \(240, 12\)"),
        (VECTORS[:100], ShapeError, r"labels: expected \(100,\)"),
    ],
)
def test_fit_refuses_bad_vectors(vectors, error, message):
    with pytest.raises(error, match=message):
        quick().fit(vectors, LABELS)


def test_transform_refuses_what_was_not_fitted():
    hasher = quick(epochs=1).fit(VECTORS, LABELS)
    with pytest.raises(ShapeError, match=r"expected vectors of length \(12,\) as in fit"):
        hasher.transform(VECTORS[:, :5])
    with pytest.raises(ShapeError, match=r"got \(12, 12, 1\)"):
        hasher.transform(np.zeros((2, 12, 12), np.uint8))
    with pytest.raises(CodeError, match="row 5"):
        hasher.transform(with_value(np.nan))
    assert hasher.transform(VECTORS[:0]).shape == (0, 1)


def test_networks_know_what_they_take():
    with pytest.raises(ParameterError, match="expected one of linear, mlp for vectors"):
        quick("small-cnn").fit(VECTORS, LABELS)
    with pytest.raises(ParameterError, match=r"expected one of .*small-cnn.* for images"):
        make_network("mlp", (8, 8, 1))
