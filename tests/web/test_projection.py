"""The map: what is alike lies together, the same every time, whatever codes there are."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("web_site")
pytest.importorskip("sklearn")

from hashret.web.projection import layout, records


def clusters(count: int, each: int, seed: int = 0):
    """Codes around a few centres, and the number of each one's centre."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2, (count, 64))
    bits = np.repeat(centres, each, 0) ^ (rng.random((count * each, 64)) < 0.05)
    return np.packbits(bits.astype(np.uint8), axis=1), np.repeat(np.arange(count), each)


@pytest.mark.parametrize("landmarks", [1000, 100])
def test_what_is_alike_lies_together(landmarks):
    codes, label = clusters(6, 60)
    places = layout(64, codes, landmarks=landmarks)
    assert (places.shape, places.dtype) == ((360, 2), np.float32)
    assert places.min() >= 0
    assert places.max() <= 1
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (label[distances.argmin(1)] == label).mean() > 0.95
    assert np.array_equal(places, layout(64, codes, landmarks=landmarks))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 11, 12, 40])
def test_any_number_of_codes(count):
    codes = np.random.default_rng(count).integers(0, 256, (count, 8), np.uint8)
    places = layout(64, codes)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("bits", [1, 7, 64])
def test_codes_that_are_equal_or_short(bits):
    codes = np.zeros((50, -(-bits // 8)), np.uint8)
    assert np.isfinite(layout(bits, codes)).all()
    codes[25:, 0] = 0x80
    assert np.isfinite(layout(bits, codes)).all()


def test_records_are_eight_bytes_each():
    data = records(np.array([1, 2**32 - 1]), np.array([[0, 1], [0.5, 0.25]], np.float32))
    points = np.frombuffer(data, [("id", "<u4"), ("x", "<u2"), ("y", "<u2")])
    assert points.tolist() == [(1, 0, 65535), (2**32 - 1, 32768, 16384)]
