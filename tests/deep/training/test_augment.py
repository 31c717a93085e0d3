"""Random views of images and vectors."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")


from hashret.deep.training.augment import augment, distort, disturb  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_augment_gives_shifted_mirrored_copies_only():
    images = torch.randint(1, 256, (40, 6, 5, 3), dtype=torch.uint8)
    torch.manual_seed(0)
    views = augment(images, flip=True, shift=1)
    padded = np.pad(images.numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for view, image in zip(views.numpy(), padded, strict=True):
        matches = [
            (mirror, dy, dx)
            for mirror in (False, True)
            for dy in range(3)
            for dx in range(3)
            if np.array_equal(view, (image[:, ::-1] if mirror else image)[dy : dy + 6, dx : dx + 5])
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 12
    assert torch.equal(augment(images, flip=False, shift=0), images)


def test_cutout_blackens_a_square_in_half_of_the_images():
    images = torch.randint(1, 256, (2000, 6, 9, 3), dtype=torch.uint8)
    torch.manual_seed(0)
    views = augment(images, flip=False, shift=0, cutout=3)
    black = (views == 0).numpy()
    assert torch.equal(torch.where(views == 0, images, views), images)
    assert 900 < black.any((1, 2, 3)).sum() < 1100
    whole = 0
    for gone in black[black.any((1, 2, 3))]:
        rows, columns = np.where(gone.any((1, 2)))[0], np.where(gone.any((0, 2)))[0]
        assert gone[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert gone.sum() == 3 * len(rows) * len(columns), "a rectangle, in all channels"
        assert 2 <= len(rows) <= 3
        assert 2 <= len(columns) <= 3
        whole += len(rows) == len(columns) == 3
    # The centre is inside and not on the edge in 4 of 6 rows and 7 of 9 columns.
    assert 0.46 < whole / black.any((1, 2, 3)).sum() < 0.58


@pytest.mark.parametrize("channels", [1, 3])
def test_strong_views_keep_shape_and_follow_the_seed(channels):
    images = torch.randint(0, 256, (40, 12, 10, channels), dtype=torch.uint8)
    views = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        views.append(augment(images, flip=False, shift=0, strong=15))
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert views[0].shape == images.shape
    assert views[0].dtype == torch.uint8
    # Only the last rows are distorted, all of them.
    assert torch.equal(views[0][:25], images[:25])
    assert (views[0][25:] != images[25:]).flatten(1).any(1).all()
    assert augment(images[:0], flip=True, shift=1, strong=0).shape == (0, 12, 10, channels)


def test_a_distorted_plain_image_stays_plain_and_colours_go():
    grey = torch.full((30, 8, 8, 3), 128, dtype=torch.uint8)
    views = distort(grey).int()
    assert (views.flatten(1).amax(1) - views.flatten(1).amin(1)).max() <= 1
    assert ((views.flatten(1).float().mean(1) - 128).abs() <= 0.4 * 128 + 1).all()
    images = torch.randint(0, 256, (30, 8, 8, 3), dtype=torch.uint8)
    toned = distort(images, grey=1.0)
    assert (toned.int().amax(3) - toned.int().amin(3)).max() <= 1


def test_disturbed_vectors_keep_their_scale_and_lose_some_values():
    vectors = torch.randn(4000, 3) * torch.tensor([1.0, 10.0, 0.0]) + 5
    views = augment(vectors, flip=True, shift=2, strong=4000)
    lost = (views == vectors.mean(0)).float().mean(0)
    assert lost[:2].tolist() == pytest.approx([0.2, 0.2], abs=0.03)
    noise = (views - vectors)[views != vectors.mean(0)]
    assert torch.equal(views[:, 2], vectors[:, 2])
    assert noise.abs().mean() > 0
    moved = (disturb(vectors, dropped=0.0) - vectors).std(0)
    assert moved.tolist() == pytest.approx([0.5, 5.0, 0.0], rel=0.05)
    assert torch.equal(augment(vectors, flip=True, shift=2), vectors)
