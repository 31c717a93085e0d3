"""JPEG by simplejpeg: the pixels and the refusals of pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("simplejpeg", reason="needs the extra 'jpeg'")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hashret.errors import ImageError
from hashret.images import decoding, jpeg
from hashret.images.reading.image import fitted

COLOURS = np.random.default_rng(1).integers(0, 256, (23, 31, 3), np.uint8)
PICTURE = Image.fromarray(COLOURS).resize((301, 223), Image.Resampling.BICUBIC)


def encoded(mode: str = "RGB", **how: object) -> bytes:
    stream = io.BytesIO()
    PICTURE.convert(mode).save(stream, "JPEG", **how)
    return stream.getvalue()


def decoded(data: bytes, side: int) -> np.ndarray | str:
    """Return the pixels at a reduced scale, or the reason why there are none."""
    try:
        found = decoding.decode(data, 10**6, least=lambda w, h: fitted(w, h, side))
    except ImageError as error:
        return str(error)
    return np.asarray(found.image)


def by_pillow(data: bytes, side: int) -> np.ndarray | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "pixels_of_jpeg", lambda data, image: None)
        return decoded(data, side)


WAYS = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "coarse": {"quality": 5},
    "red, green, blue": {"keep_rgb": True},
}


@pytest.mark.parametrize("side", [30, 38, 76, 151, 301], ids="side-{}".format)
@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_pillow(mode, how, side, monkeypatch):
    data = encoded(mode, **({} if mode == "L" and "keep_rgb" in how else how))
    expected = by_pillow(data, side)
    used = []
    real = jpeg.pixels_of_jpeg
    monkeypatch.setattr(
        decoding, "pixels_of_jpeg", lambda *given: used.append(real(*given)) or used[-1]
    )
    np.testing.assert_array_equal(decoded(data, side), expected)
    assert used[0] is not None


def test_four_colours_are_left_to_pillow():
    data = encoded("CMYK")
    np.testing.assert_array_equal(decoded(data, 301), by_pillow(data, 301))


@given(
    st.sampled_from([encoded(), encoded("L"), encoded(progressive=True)]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
    st.floats(0, 1),
)
def test_what_is_damaged_is_read_or_refused_as_by_pillow(data, changes, end):
    damaged = bytearray(data)
    for where, value in changes:
        damaged[int(where * (len(data) - 1))] = value
    cut = bytes(damaged[: max(4, int(end * len(data)))] if end < 0.5 else damaged)
    found, expected = decoded(cut, 301), by_pillow(cut, 301)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
