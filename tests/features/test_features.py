"""HOG against its definition, written out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("skimage")

from hashret.datasets import fashion_mnist_sample
from hashret.errors import CodeError, DTypeError, ParameterError, ShapeError
from hashret.features import hog


def cell_histograms(image: np.ndarray) -> np.ndarray:
    """Mean gradient magnitude by unsigned orientation in each 7x7 cell; borders have none."""
    pixels = image.astype(float)
    cells = np.zeros((4, 4, 9))
    for row in range(28):
        for column in range(28):
            dy = pixels[row + 1, column] - pixels[row - 1, column] if 0 < row < 27 else 0.0
            dx = pixels[row, column + 1] - pixels[row, column - 1] if 0 < column < 27 else 0.0
            angle = math.degrees(math.atan2(dy, dx)) % 180
            cells[row // 7, column // 7, int(angle // 20) % 9] += math.hypot(dx, dy) / 49
    return cells


def hog_by_definition(image: np.ndarray) -> np.ndarray:
    cells = cell_histograms(image)
    blocks = []
    for row in range(3):
        for column in range(3):
            block = cells[row : row + 2, column : column + 2].ravel()
            block = np.minimum(block / math.sqrt((block**2).sum() + 1e-10), 0.2)
            blocks.append(block / math.sqrt((block**2).sum() + 1e-10))
    return np.concatenate(blocks)


def test_hog_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    # Uneven steps, so that no gradient lies on the edge of two orientations.
    images = rng.uniform(0, 255, (5, 28, 28))
    features = hog(images)
    assert features.dtype == np.float32
    for image, feature in zip(images, features, strict=True):
        np.testing.assert_allclose(feature, hog_by_definition(image), atol=1e-5)


def test_hog_ignores_brightness_and_contrast() -> None:
    images = fashion_mnist_sample().train_images[:20]
    np.testing.assert_allclose(
        hog(images.astype(float) * 0.5 + 10), hog(images), rtol=1e-3, atol=1e-4
    )


def test_hog_tells_classes_apart() -> None:
    """Neighbours by HOG share the class four times as often as chance would have it."""
    sample = fashion_mnist_sample()
    database, queries = hog(sample.train_images[:500]), hog(sample.test_images[:100])
    nearest = np.argmin(((queries[:, None] - database[None]) ** 2).sum(axis=2), axis=1)
    assert (sample.train_labels[nearest] == sample.test_labels[:100]).mean() > 0.4


def test_colour_images_use_the_strongest_channel() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    colour = np.zeros((2, 28, 28, 3), np.uint8)
    colour[..., 1] = grey
    np.testing.assert_allclose(hog(colour), hog(grey))


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 14, 14), (0, 28, 28), (2, 30, 45, 3)])
def test_width_is_blocks_times_cells_times_orientations(shape: tuple[int, ...]) -> None:
    rows, columns = shape[1] // 7 - 1, shape[2] // 7 - 1
    assert hog(np.zeros(shape, np.uint8)).shape == (shape[0], rows * columns * 4 * 9)


def test_settings_change_the_width() -> None:
    images = np.zeros((1, 28, 28))
    assert hog(images, orientations=6, cell=(4, 7), block=(3, 1)).shape == (1, 5 * 4 * 3 * 6)


def test_progress_ends_at_the_total() -> None:
    steps: list[tuple[int, int]] = []
    hog(np.zeros((501, 14, 14), np.uint8), progress=lambda *step: steps.append(step))
    assert steps == [(500, 501), (501, 501)]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((28, 28)), ShapeError, "height"),
        (np.zeros((2, 28, 28, 4)), ShapeError, "height"),
        (np.zeros((2, 13, 28)), ShapeError, "at least"),
        (np.zeros((2, 28, 28), bool), DTypeError, "bool"),
        (np.array([["a"]])[None], DTypeError, "images"),
        (np.stack([np.zeros((28, 28)), np.full((28, 28), np.nan)]), CodeError, "image 1"),
        (np.full((1, 28, 28), np.inf), CodeError, "image 0"),
    ],
)
def test_bad_images_are_named(images: np.ndarray, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        hog(images)


@pytest.mark.parametrize("setting", [{"orientations": 0}, {"cell": (0, 7)}, {"block": (2, -1)}])
def test_bad_settings_are_named(setting: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=next(iter(setting))):
        hog(np.zeros((1, 28, 28)), **setting)
