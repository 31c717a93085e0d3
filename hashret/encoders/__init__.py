"""Feature vectors to binary codes: scikit-learn estimators.

Each has ``fit(X, y=None)``, ``transform(X)`` (packed codes), ``project(X)`` (margins whose sign
the bits are), ``code_bits``, ``fingerprint``, ``save`` and ``load``.

Map: :mod:`~hashret.encoders.base` is what all share and their files,
:mod:`~hashret.encoders.blocks` reads tables, :mod:`~hashret.encoders.axes` finds principal axes,
:mod:`~hashret.encoders.margins` gives a row the same bits in any batch;
:mod:`~hashret.encoders.random_projection`, :mod:`~hashret.encoders.pca`,
:mod:`~hashret.encoders.itq`, :mod:`~hashret.encoders.residual` and
:mod:`~hashret.encoders.spectral` hold one encoder each; :mod:`~hashret.encoders.fitted` encodes by
the file of one, without scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..extras import import_extra

if TYPE_CHECKING:
    from .base import Encoder, load_encoder
    from .itq import ITQ
    from .pca import PCAHashing
    from .random_projection import RandomProjectionLSH
    from .residual import ResidualITQ
    from .spectral import SpectralHashing

__all__ = [
    "ITQ",
    "Encoder",
    "PCAHashing",
    "RandomProjectionLSH",
    "ResidualITQ",
    "SpectralHashing",
    "load_encoder",
]
_MODULES = ("base", "itq", "pca", "random_projection", "residual", "spectral")


def __getattr__(name: str) -> Any:
    """Import all encoders with the first of them: scikit-learn takes one to three seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_extra("sklearn", "images")
    for module in (import_module(f".{module}", __name__) for module in _MODULES):
        globals().update({own: vars(module)[own] for own in __all__ if own in vars(module)})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
