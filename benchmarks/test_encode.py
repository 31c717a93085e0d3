"""Encoding on one thread: images and vectors a second, beside the bare computation."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from hashret.features import hog

from . import data, peers

IMAGES = 500


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def pixels():
    return data.images(whole=False).train_images[:IMAGES]


def test_hog(duel, pixels):
    describe = pytest.importorskip("skimage.feature").hog

    def bare():
        return [
            describe(image, 9, pixels_per_cell=(7, 7), cells_per_block=(2, 2)) for image in pixels
        ]

    np.testing.assert_allclose(hog(pixels), bare(), rtol=1e-5, atol=1e-6)
    duel({"hashret": lambda: hog(pixels), "scikit-image": bare}, 5, units=IMAGES)


@pytest.mark.parametrize(("bits", "tables"), [(16, 1), (16, 16)])
def test_random_projection(duel, pixels, bits, tables):
    encoders = pytest.importorskip("hashret.encoders")
    features = np.tile(hog(pixels), (20, 1))
    encoder = encoders.RandomProjectionLSH(bits, tables, random_state=0).fit(features)
    # faiss's rotation is another random one, in float32: the same work, not the same codes.
    peer = peers.faiss.IndexLSH(features.shape[1], bits * tables)

    def bare():
        return np.packbits((features - encoder.mean_) @ encoder.projection_ > 0, axis=1)

    assert np.array_equal(encoder.transform(features), bare())
    calls = {
        "hashret": lambda: encoder.transform(features),
        "numpy": bare,
        "faiss IndexLSH": lambda: peer.sa_encode(features),
    }
    duel(calls, 9, units=len(features))


def test_deep(duel, pixels):
    deep = pytest.importorskip("hashret.deep")
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, stride=2), torch.nn.ReLU(), torch.nn.Flatten()
    )
    hasher = deep.DeepHasher(
        network, "dsh", bits=16, epochs=1, device="cpu", random_state=0, progress=None
    ).fit(pixels, np.arange(IMAGES) % 2)
    margins = hasher.project(pixels)
    assert np.array_equal(hasher.transform(pixels), np.packbits(margins > 0, axis=1))
    images = torch.tensor(pixels[:, None], dtype=torch.float32) / 255

    def bare():
        with torch.inference_mode():
            return network(images)

    duel({"hashret": lambda: hasher.transform(pixels), "network": bare}, 9, units=IMAGES)
