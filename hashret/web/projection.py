"""Codes laid out in the plane: what is alike lies together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..extras import import_extra
from ..index import Index
from ..types import Codes, Ids

Places = npt.NDArray[np.float32]

__all__ = ["layout", "records"]

# Images that are laid out by t-SNE, which takes about ten seconds; others go beside them.
_LANDMARKS = 3000
_COMPONENTS = 32
_PERPLEXITY = 30.0
_NEAREST = 4
_AT_ONCE = 50_000


def layout(bits: int, codes: Codes, *, landmarks: int = _LANDMARKS, seed: int = 0) -> Places:
    """Lay codes out in the plane.

    Some are laid out by t-SNE of their principal components [1]_; each other one goes to the mean
    of the nearest of those, by Hamming distance.

    Parameters
    ----------
    bits : int
    codes : ndarray of uint8, shape (n, bytes)
    landmarks : int
        How many are laid out by t-SNE, at most.
    seed : int

    Returns
    -------
    places : ndarray of float32, shape (n, 2)
        From 0 to 1.

    References
    ----------
    .. [1] van der Maaten, Hinton: Visualizing Data using t-SNE, JMLR 9, 2008.

    Examples
    --------
    >>> codes = np.random.default_rng(0).integers(0, 256, (5, 8), np.uint8)
    >>> layout(64, codes).shape
    (5, 2)
    """
    if not len(codes):
        return np.empty((0, 2), np.float32)
    unique, inverse = np.unique(codes, axis=0, return_inverse=True)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(unique))[:landmarks])
    known = _embedded(np.unpackbits(unique[chosen], axis=1)[:, :bits], seed)
    whole = len(chosen) == len(unique)
    places = known if whole else _beside(bits, unique, unique[chosen], known)
    # Equal codes side by side rather than on top of each other.
    found = places[inverse.ravel()] + rng.normal(0, 0.002, (len(codes), 2))
    return _scaled(found)


def _embedded(values: Any, seed: int) -> Places:
    """Lay out a few thousand codes, given as bits."""
    centred = values.astype(np.float32) - values.mean(0, dtype=np.float32)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    main = centred @ axes[:_COMPONENTS].T
    if len(main) <= 10:
        flat = np.zeros((len(main), 2), np.float32)
        flat[:, : min(2, main.shape[1])] = main[:, :2]
        return _scaled(flat)
    manifold = import_extra("sklearn.manifold", "images")
    tsne = manifold.TSNE(
        perplexity=min(_PERPLEXITY, (len(main) - 1) / 3),
        # Principal components that are all zero cannot be scaled to start with.
        init="pca" if sizes[1] > 1e-3 else "random",
        random_state=seed,
    )
    # One thread: it is done beside requests, and where all CPUs are busy more take far longer.
    with import_extra("threadpoolctl", "images").threadpool_limits(1):
        return _scaled(tsne.fit_transform(main))


def _beside(bits: int, codes: Codes, landmarks: Codes, known: Places) -> Places:
    """Place each code at the mean of the nearest landmarks, the nearer the heavier."""
    index = Index(bits)
    index.add(landmarks)
    places = np.empty((len(codes), 2), np.float32)
    count = min(_NEAREST, len(landmarks))
    for start in range(0, len(codes), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        distances, ids = index.search(codes[part], count)
        weights = 1.0 / (1.0 + distances.astype(np.float32)) ** 3
        weights /= weights.sum(1, keepdims=True)
        places[part] = (known[ids] * weights[:, :, None]).sum(1)
    return places


def _scaled(places: Any) -> Places:
    """Fit places into the unit square, in their ratio."""
    low, high = places.min(0), places.max(0)
    size = float((high - low).max()) or 1.0
    scaled: Places = np.clip((places - (low + high) / 2) / size + 0.5, 0, 1).astype(np.float32)
    return scaled


def records(ids: Ids, places: Places) -> bytes:
    """Return points as the page reads them: little-endian ``uint32 id, uint16 x, uint16 y``."""
    table = np.zeros(len(ids), np.dtype([("id", "<u4"), ("x", "<u2"), ("y", "<u2")]))
    table["id"] = ids
    table["x"], table["y"] = np.clip(np.round(places.T * 65535), 0, 65535)
    return table.tobytes()
