"""Real images to hash: Fashion-MNIST, CIFAR-10, and folders of photographs.

============================ ==================================================
:func:`fashion_mnist`        70,000 grey images of clothes, 28x28
:func:`fashion_mnist_sample` 4,000 of them, in the package: works offline
:func:`cifar10`              60,000 colour images, 32x32, from a folder of JPEGs
:func:`image_folder`         any folder of images
:func:`two_levels`           classes with finer labels within: CIFAR-10 with nouns,
                             CIFAR-100, Grocery, or a folder laid out like these
============================ ==================================================

Nothing is ever replaced by synthetic data: what is not found raises
:class:`hashret.errors.DatasetNotFoundError`, which says how to get it.
"""

from __future__ import annotations

from .base import DATA_VARIABLE, Dataset, Progress
from .cifar10 import cifar10
from .decoding import read_image
from .fashion_mnist import fashion_mnist, fashion_mnist_sample
from .folder import ImageFolder, image_folder
from .two_levels import TWO_LEVELS, two_levels

__all__ = [
    "DATA_VARIABLE",
    "TWO_LEVELS",
    "Dataset",
    "ImageFolder",
    "Progress",
    "cifar10",
    "fashion_mnist",
    "fashion_mnist_sample",
    "image_folder",
    "read_image",
    "two_levels",
]
