"""The pixels of examples: each content once, and what cannot be used, by path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...images.reading import Limits, Skipped, read_files
from ...types import Images
from ..encoders import SIDE, squared
from ..places import printed
from .examples import Example

__all__ = ["Pictures", "read_pictures"]


class Pictures(NamedTuple):
    """Pictures of one size with their labels.

    Attributes
    ----------
    squares : ndarray of uint8, shape (n, size, size, 3)
    labels : ndarray of str, shape (n,)
    skipped : list of (str, str)
        Paths that are not used, fit to be printed, and why.
    """

    squares: Images
    labels: npt.NDArray[np.str_]
    skipped: list[tuple[str, str]]


def read_pictures(
    examples: Sequence[Example],
    size: int,
    *,
    limits: Limits | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Pictures:
    """Read examples, in their order.

    Copies are used once: otherwise one would be held out and another learned. Where copies have
    different labels, none is.

    Raises
    ------
    ImageError
        If two labels do not have two images each, of which one can be held out.
    """
    found: dict[int, tuple[bytes, Images]] = {}
    skipped: list[tuple[str, str]] = []
    requests = ((number, example.path) for number, example in enumerate(examples))
    for done, result in enumerate(read_files(requests, side=SIDE, limits=limits), 1):
        if isinstance(result, Skipped):
            skipped.append((printed(examples[result.token].path), result.reason))
        else:
            found[result.token] = result.content, squared(result.pixels, size)
        if progress is not None:
            progress(done, len(examples))
    kept = _unique({number: content for number, (content, _) in found.items()}, examples, skipped)
    labels = np.array([examples[number].label for number in kept], np.str_)
    names, counts = np.unique(labels, return_counts=True)
    if np.count_nonzero(counts >= 2) < 2:
        listed = ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True))
        reason = f"; {len(skipped)} skipped, the first: {': '.join(skipped[0])}" if skipped else ""
        raise ImageError(
            "expected two labels or more with two different images or more each, got "
            f"{listed[:500] or 'no image'}{reason}"
        )
    return Pictures(np.stack([found[number][1] for number in kept]), labels, skipped)


def _unique(
    contents: dict[int, bytes], examples: Sequence[Example], skipped: list[tuple[str, str]]
) -> list[int]:
    """Return the first example of each content, and note the others."""
    first: dict[bytes, int] = {}
    torn: set[bytes] = set()
    for number, content in sorted(contents.items()):
        other = first.setdefault(content, number)
        if examples[other].label != examples[number].label:
            torn.add(content)
        if other != number:
            skipped.append((printed(examples[number].path), "a copy of one that is used"))
    for content in torn:
        number = first.pop(content)
        skipped.append((printed(examples[number].path), "copies of it have other labels"))
    return sorted(first.values())
