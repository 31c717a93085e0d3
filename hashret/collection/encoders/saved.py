"""Encoders that hashret saved, as encoders of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...errors import FormatError
from ...extras import import_extra
from ...ranking import Rule
from ...types import Codes, Floats, Images
from .features import SIDE, squared
from .files import kept
from .quantizers import load_quantizer

__all__ = ["Deep"]


class Deep:
    """A `DeepHasher`, or a `Prism` around one, of pixels that was saved; it needs torch.

    Parameters
    ----------
    name : str
    store : str
    settings : dict
        With the name of the file in the store as ``file``.
    """

    side = SIDE
    code_of = None

    def __init__(self, name: str, store: str, settings: dict[str, Any]) -> None:
        self.name, self.settings = name, settings
        import_extra("torch", "torch")
        path = kept(store, settings["file"])
        self._hasher = cast(Any, load_quantizer(path))
        self.ranking: Rule | None = self._hasher.ranking
        shape = self._hasher.input_shape_
        if len(shape) != 3 or shape[0] != shape[1] or shape[2] not in (1, 3):
            raise FormatError(
                f"{path}: expected an encoder of square grey or RGB images, got one of {shape}"
            )
        self._size, self._channels = shape[0], shape[2]
        self.bits, self.fingerprint = self._hasher.code_bits, self._hasher.fingerprint

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, None]:
        """Return codes (n, bytes), of one picture after another, so that none depends on others."""
        rows = [self._hasher.transform(self._input(picture)[None]) for picture in pictures]
        return np.concatenate(rows), None

    def project(self, pictures: Sequence[Images], /) -> Floats:
        """Return the margins of the bits, shape (n, bits): 1 where > 0."""
        rows = [self._hasher.project(self._input(picture)[None]) for picture in pictures]
        return np.concatenate(rows).astype(np.float64)

    def _input(self, picture: Images) -> Images:
        scaled = squared(picture, self._size)
        if self._channels == 3:
            return scaled
        grey = scaled @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(grey).astype(np.uint8)[..., None]
