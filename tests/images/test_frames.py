"""Pages and frames are counted as pillow counts them, but for the parts of one picture."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image, features

from hashret.images.frames import has_frames

PICTURES = [Image.fromarray(np.full((8, 8, 3), 40 * n, np.uint8)) for n in range(3)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", ["tiff", "big tiff", "png", "webp", "avif", "jpeg"])
def test_frames_are_told_as_pillow_tells_them(tmp_path, kind, count):
    if not features.check(kind if kind in ("webp", "avif") else "zlib"):
        pytest.skip(f"pillow has no {kind} here")
    path, options = tmp_path / "a", {"big_tiff": True} if kind == "big tiff" else {}
    if count > 1 and kind != "jpeg":
        options |= {"save_all": True, "append_images": PICTURES[1:count]}
    PICTURES[0].save(path, kind.split()[-1], **options)
    with Image.open(path) as image:
        assert has_frames(path) == (getattr(image, "n_frames", 1) > 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kinds", "several"), [([0], False), ([0, 1], False), ([0, 4, 1], False), ([0, 1, 0], True)]
)
def test_smaller_versions_and_masks_are_no_pages_of_a_tiff(tmp_path, order, kinds, several):
    data = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    for number, kind in enumerate(kinds, 1):
        after = len(data) + 18 if number < len(kinds) else 0
        data += struct.pack(order + "HHHIHHI", 1, 254, 3, 1, kind, 0, after)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    assert has_frames(path) == several


@pytest.mark.parametrize(("layers", "several"), [(None, False), (1, False), (-2, True)])
def test_layers_are_several_pictures(tmp_path, layers, several):
    section = b"" if layers is None else struct.pack(">Ih", 2, layers)
    path = tmp_path / "a.psd"
    path.write_bytes(
        b"8BPS\0\1".ljust(26, b"\0")
        + struct.pack(">III", 0, 0, len(section))
        + section.ljust(4, b"\0")
    )
    assert has_frames(path) == several


def test_a_list_of_pages_that_never_ends_does(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 254, 4, 1, 1, 8))
    assert not has_frames(path)


@pytest.mark.parametrize("data", [b"II*\0", b"\x89PNG\r\n\x1a\n\0", b"RIFF    WEBPVP8X", b"8BPS"])
def test_what_ends_too_early_says_so(tmp_path, data):
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="ends before it should"):
        has_frames(path)
