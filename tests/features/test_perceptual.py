"""PDQ against its authors' program, bit by bit, and by itself where that is not there."""

from __future__ import annotations

import numpy as np
import pytest

from hashret.errors import DTypeError, ShapeError
from hashret.features.perceptual import pdq

SIDES = (5, 6, 63, 64, 65, 127, 128, 129, 300, 512)
SHAPES = [(rows, columns) for rows in SIDES for columns in SIDES]


def noise(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(rows * 1000 + columns)
    return rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def waves(rows: int, columns: int) -> np.ndarray:
    y, x, colour = np.ogrid[:rows, :columns, :3]
    return np.uint8(127 * (1 + np.sin((3 * y + colour) / rows + 5 * x / columns) * np.cos(x / 7)))


@pytest.mark.parametrize("picture_of", [noise, waves])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_codes_are_those_of_the_authors(shape, picture_of):
    theirs = pytest.importorskip("pdqhash")
    picture = picture_of(*shape)
    bits, score = theirs.compute(picture)
    code, quality = pdq(picture)
    assert np.array_equal(code, np.packbits(bits))
    assert quality == score / 100


@pytest.mark.parametrize("shape", [(4, 100), (100, 4), (1, 1), (0, 0)], ids=str)
def test_a_picture_too_small_has_the_code_of_nothing(shape):
    code, quality = pdq(noise(*shape))
    assert not code.any()
    assert quality == 0


def test_a_known_code():
    y, x, colour = np.ogrid[:100, :150, :3]
    code, quality = pdq(np.uint8((y - 30) ** 2 // 40 + (x - 90) ** 2 // 70 + 9 * colour))
    assert code.tobytes().hex() == (
        "d56aaad4556aaa9557e8295558a8f55702af5550aaaf750aaab5011fa895fe0b"
    )
    assert quality == 0.42


def test_rows_may_lie_apart():
    picture = noise(130, 200)
    assert np.array_equal(pdq(picture[::2, 7:])[0], pdq(picture[::2, 7:].copy())[0])


@pytest.mark.parametrize("shape", [(100, 100), (100, 100, 1), (100, 100, 4), (1, 100, 100, 3)])
def test_pixels_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"picture: expected \(height, width, 3\), got"):
        pdq(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", ">u2", "bool"])
def test_pixels_of_another_type_are_refused(dtype):
    with pytest.raises(DTypeError, match="picture: expected uint8, got"):
        pdq(np.zeros((100, 100, 3), dtype))
