"""Fashion-MNIST: 70,000 grey images of clothes (Xiao, Rasul and Vollgraf, arXiv 1708.07747)."""

from __future__ import annotations

import importlib.resources
import os
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..types import Images
from .base import DATA_VARIABLE, Dataset, Labels, Progress, not_found, search_folders
from .download import RemoteFile, cache_folder, fetch
from .idx import read_idx

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
# The files of the Zalando project. Debian's hold the same deflate streams without the name in
# the gzip header, so they are 24 or 23 bytes shorter and have other checksums.
FILES = (
    RemoteFile(
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    RemoteFile(
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    RemoteFile(
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    RemoteFile(
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)


def fashion_mnist(
    path: str | os.PathLike[str] | None = None,
    download: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Load the 60,000 training and 10,000 test images of Fashion-MNIST.

    Looks at `path` if given, else in ``$HASHRET_DATA``, where Debian's package
    ``dataset-fashion-mnist`` puts it, and in the user's cache. Each place may be the folder of the
    four official files (``.gz`` or unpacked) or have it as its subfolder ``fashion-mnist``.

    Parameters
    ----------
    path : path-like, optional
        Look here and nowhere else.
    download : bool, default False
        Fetch the files (31 MB) into the user's cache if they are nowhere; checked by SHA-256.
    progress : callable, optional
        Called as ``progress(bytes_done, bytes_total)`` during a download.

    Returns
    -------
    dataset : Dataset
        Images uint8 (n, 28, 28), labels int64 (n,), in the official order.

    Raises
    ------
    DatasetNotFoundError
        If the data is in none of these places, or cannot be fetched.
    FormatError
        If a file is damaged.
    """
    cache = cache_folder() / "fashion-mnist"
    searched = search_folders(path, DEBIAN_FOLDER, cache)
    folder = _find(searched)
    if folder is None and download and path is None:
        fetch(FILES, MIRRORS, cache, progress)
        folder = cache
    if folder is None:
        raise not_found("fashion-mnist", searched, _ways())
    train_images, train_labels = _read_part(folder, "train")
    test_images, test_labels = _read_part(folder, "t10k")
    return Dataset(
        "fashion-mnist",
        train_images,
        train_labels,
        test_images,
        test_labels,
        CLASS_NAMES,
        str(folder),
    )


def fashion_mnist_sample() -> Dataset:
    """Load the sample of Fashion-MNIST that ships with hashret.

    Returns
    -------
    dataset : Dataset
        3,000 images of the official training set and 1,000 of the official test set, the same
        number of each class, in random order.

    Examples
    --------
    >>> sample = fashion_mnist_sample()
    >>> sample.train_images.shape, sample.test_images.shape
    ((3000, 28, 28), (1000, 28, 28))
    """
    with importlib.resources.as_file(importlib.resources.files("hashret") / "data") as folder:
        train_images, train_labels = _read_part(folder, "fashion-mnist-sample-train")
        test_images, test_labels = _read_part(folder, "fashion-mnist-sample-t10k")
    return Dataset(
        "fashion-mnist-sample",
        train_images,
        train_labels,
        test_images,
        test_labels,
        CLASS_NAMES,
        "the sample in the package",
    )


def _find(searched: list[Path]) -> Path | None:
    for root in searched:
        for folder in (root, root / "fashion-mnist"):
            if all(_locate(folder, file.name.removesuffix(".gz")) for file in FILES):
                return folder
    return None


def _locate(folder: Path, stem: str) -> Path | None:
    for suffix in (".gz", "", ".xz"):
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    return None


def _read_part(folder: Path, part: str) -> tuple[Images, Labels]:
    images_path = _locate(folder, f"{part}-images-idx3-ubyte")
    labels_path = _locate(folder, f"{part}-labels-idx1-ubyte")
    if images_path is None or labels_path is None:
        raise not_found(part, [folder], _ways())
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28) or not len(images):
        raise FormatError(f"{images_path.name}: expected images (n, 28, 28), got {images.shape}")
    if len(labels) != len(images):
        raise FormatError(f"{labels_path.name}: expected {len(images)} labels, got {len(labels)}")
    if labels.max() >= len(CLASS_NAMES):
        raise FormatError(f"{labels_path.name}: expected labels 0 to 9, got {labels.max()}")
    return images, labels.astype(np.int64)


def _ways() -> list[str]:
    return [
        "pass path=, a folder with its four files",
        f"set {DATA_VARIABLE} to that folder or to the one above it",
        "install Debian's package: apt install dataset-fashion-mnist",
        "pass download=True",
    ]
