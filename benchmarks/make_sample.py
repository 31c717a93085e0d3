"""Draw the sample of Fashion-MNIST that ships in hashret/data.

Run from the repository: ``python benchmarks/make_sample.py``. The draw is
balanced and seeded: 300 images a class of the official training set, 100 a
class of the official test set, each in random order.
"""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hashret.datasets import fashion_mnist

SEED = 20170828  # the day Fashion-MNIST was published
PER_CLASS = {"train": 300, "t10k": 100}
FOLDER = Path(__file__).resolve().parent.parent / "hashret" / "data"


def balanced(
    labels: npt.NDArray[np.int64], per_class: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the positions of `per_class` random members of each class, in random order."""
    chosen = [
        rng.choice(np.flatnonzero(labels == label), per_class, replace=False)
        for label in np.unique(labels)
    ]
    return rng.permutation(np.concatenate(chosen))


def idx_bytes(values: npt.NDArray[np.uint8]) -> bytes:
    """Return `values` in IDX."""
    header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


def write(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write `values` as IDX packed by xz."""
    path.write_bytes(lzma.compress(idx_bytes(values), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {values.shape}, {path.stat().st_size} bytes")


def main() -> None:
    """Draw and write the sample."""
    data = fashion_mnist()
    rng = np.random.default_rng(SEED)
    parts = {
        "train": (data.train_images, data.train_labels),
        "t10k": (data.test_images, data.test_labels),
    }
    for part, (images, labels) in parts.items():
        chosen = balanced(labels, PER_CLASS[part], rng)
        stem = f"fashion-mnist-sample-{part}"
        write(FOLDER / f"{stem}-images-idx3-ubyte.xz", images[chosen])
        write(FOLDER / f"{stem}-labels-idx1-ubyte.xz", labels[chosen].astype(np.uint8))


if __name__ == "__main__":
    main()
