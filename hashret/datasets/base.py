"""What every data set is, and where it is looked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import DatasetNotFoundError, DTypeError
from ..types import Images

DATA_VARIABLE = "HASHRET_DATA"

Labels = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Called with what is done and the total: bytes of a download, images of a folder."""


@dataclass(frozen=True)
class Dataset:
    """Labelled images in two parts.

    Attributes
    ----------
    name : str
        Short name, such as ``"fashion-mnist"``.
    train_images, test_images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    train_labels, test_labels : ndarray of int64, shape (n,)
        Positions in `class_names`.
    class_names : tuple of str
    source : str
        Where the images were read from.
    train_finer, test_finer : ndarray of int64, shape (n,), optional
        Labels within the classes, positions in `finer_names`, -1 where there is none; None for a
        data set of one level. What learns from labels never sees them.
    finer_names : tuple of str
        As ``"class/finer"``.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    class_names: tuple[str, ...]
    source: str
    train_finer: Labels | None = None
    test_finer: Labels | None = None
    finer_names: tuple[str, ...] = ()


def search_folders(path: str | os.PathLike[str] | None, *system: Path) -> list[Path]:
    """Return the folders to look into: `path` alone if given, else $HASHRET_DATA and `system`."""
    if path is not None:
        return [as_path(path)]
    variable = os.environ.get(DATA_VARIABLE)
    return ([as_path(variable)] if variable else []) + list(system)


def as_path(path: str | os.PathLike[str] | bytes) -> Path:
    """Return a path of any kind, ``~`` being the user's folder.

    Raises
    ------
    DTypeError
        If it is none.
    DatasetNotFoundError
        If it begins with a user whom the system does not know.
    """
    try:
        return Path(os.fsdecode(path)).expanduser()
    except TypeError:
        raise DTypeError(f"path: expected a path, got {type(path).__name__}") from None
    except RuntimeError as error:
        raise DatasetNotFoundError(f"{os.fsdecode(path)}: {error}") from None


def not_found(name: str, searched: list[Path], ways: list[str]) -> DatasetNotFoundError:
    """Return the error for a data set that is nowhere, with the ways to get it."""
    places = ", ".join(str(place) for place in searched) or "no folder"
    numbered = "; ".join(f"({number}) {way}" for number, way in enumerate(ways, start=1))
    return DatasetNotFoundError(f"{name}: not found (looked in: {places}). To get it: {numbered}")
