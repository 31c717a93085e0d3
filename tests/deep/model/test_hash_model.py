"""Views of an image that an encoder takes the mean over."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import patterns, quick  # noqa: E402

from hashret.deep import DeepHasher  # noqa: E402
from hashret.errors import HashretError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_mirror_encodes_by_the_mean_of_both_views(tmp_path):
    images, labels = patterns(channels=3)
    plain = quick(epochs=1).fit(images, labels)
    both = quick(epochs=1, mirror=True).fit(images, labels)
    expected = (plain.project(images) + plain.project(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(both.project(images), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both.project(images[:, :, ::-1]), expected, rtol=1e-5, atol=1e-6)
    assert both.fingerprint != plain.fingerprint
    both.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == both.fingerprint
    np.testing.assert_array_equal(loaded.project(images), both.project(images))


def test_nudge_encodes_by_the_mean_of_five_places(tmp_path):
    images, labels = patterns(channels=3)
    plain = quick(epochs=1).fit(images, labels)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width = images.shape[1:3]
    moved = [
        padded[:, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
        for dy, dx in ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
    ]
    five = quick(epochs=1, nudge=2).fit(images, labels)
    expected = np.mean([plain.project(view) for view in moved], axis=0)
    np.testing.assert_allclose(five.project(images), expected, rtol=1e-5, atol=1e-6)
    ten = quick(epochs=1, nudge=2, mirror=True).fit(images, labels)
    expected = (five.project(images) + five.project(images[:, :, ::-1])) / 2
    # Moved and mirrored is not mirrored and moved, but all five places are taken.
    np.testing.assert_allclose(ten.project(images), expected, rtol=1e-5, atol=1e-6)
    assert len({hasher.fingerprint for hasher in (plain, five, ten)}) == 3
    ten.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == ten.fingerprint
    np.testing.assert_array_equal(loaded.project(images), ten.project(images))


@pytest.mark.parametrize("nudge", [-1, 0.5, "1", None, 10**9])
def test_a_nudge_that_leaves_nothing_of_an_image_is_refused(nudge):
    images, labels = patterns(channels=3)
    with pytest.raises(HashretError, match="nudge"):
        quick(nudge=nudge).fit(images, labels)
