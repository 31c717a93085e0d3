"""Feature vectors to binary codes: scikit-learn estimators.

Each has ``fit(X, y=None)``, ``transform(X)`` (packed codes), ``project(X)`` (margins whose sign
the bits are), ``code_bits``, ``fingerprint``, ``save`` and ``load``.

Map: :mod:`~hashret.encoders.base` is what all share and their files,
:mod:`~hashret.encoders.blocks` reads tables, :mod:`~hashret.encoders.axes` finds principal axes,
:mod:`~hashret.encoders.margins` gives a row the same bits in any batch;
:mod:`~hashret.encoders.random_projection`, :mod:`~hashret.encoders.pca`,
:mod:`~hashret.encoders.itq`, :mod:`~hashret.encoders.residual` and
:mod:`~hashret.encoders.spectral` hold one encoder each.
"""

from __future__ import annotations

from ..extras import import_extra

# Before anything that imports scikit-learn, so that a missing one is named with its extra.
import_extra("sklearn", "images")

from .base import Encoder, load_encoder  # noqa: E402
from .itq import ITQ  # noqa: E402
from .pca import PCAHashing  # noqa: E402
from .random_projection import RandomProjectionLSH  # noqa: E402
from .residual import ResidualITQ  # noqa: E402
from .spectral import SpectralHashing  # noqa: E402

__all__ = [
    "ITQ",
    "Encoder",
    "PCAHashing",
    "RandomProjectionLSH",
    "ResidualITQ",
    "SpectralHashing",
    "load_encoder",
]
