"""Small trainings that suites share: images in three classes that a network learns at once."""

import numpy as np

from hashret.deep import DeepHasher


def patterns(n=192, size=12, channels=1, seed=0):
    """Images of three classes (bars across, bars down, dots) under noise, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    grid = np.arange(size) % 4 < 2
    shapes = np.stack(
        np.broadcast_arrays(grid[:, None], grid[None, :], grid[:, None] ^ grid[None, :])
    )
    images = shapes[labels] * 120 + rng.integers(0, 120, (n, size, size))
    images = np.roll(images, rng.integers(0, 4), axis=1).astype(np.uint8)
    return (images if channels == 1 else np.repeat(images[..., None], channels, axis=3)), labels


def quick(**options):
    settings = {"bits": 8, "epochs": 3, "batch_size": 32, "random_state": 7, "progress": None}
    return DeepHasher(**{**settings, **options})


def mean_average_precision(queries, query_labels, codes, labels):
    """mAP over the whole ranking, ties broken by a seeded shuffle."""
    order = np.random.default_rng(0).permutation(len(codes))
    codes, labels = codes[order], labels[order]
    scores = []
    for query, label in zip(queries, query_labels, strict=True):
        distance = np.unpackbits(query ^ codes, axis=1).sum(1)
        hits = labels[np.argsort(distance, kind="stable")] == label
        ranks = np.flatnonzero(hits) + 1
        scores.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return np.mean(scores)


class Stop(Exception):
    pass


def stop_after(epoch):
    def report(now):
        if now.epoch > epoch:
            raise Stop

    return report


def forget_digest(path):
    """Make a file of tensors as it was written before it had a digest."""
    data = path.read_bytes()
    assert data.count(b'\\"digest\\"') == 1
    path.write_bytes(data.replace(b'\\"digest\\"', b'\\"absent\\"'))
