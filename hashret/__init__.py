"""Find similar images by binary hash.

An encoder turns an image into a short binary code; an index keeps the codes
packed in 64-bit words and answers nearest-neighbour queries by Hamming
distance, natively and exactly.

Map of the package, from the bottom up:

- ``errors``, ``types``, ``extras``, ``checks``, ``files``: the exceptions; kinds of arrays;
  optional packages; what callers hand in as numbers, arrays and pictures; writing files
- ``codes``: packing, unpacking, other systems' bit orders, hashes as numbers and text
- ``ranking``: ranking rules, by which codes are ordered more finely
- ``index``: :class:`Index`, over the native engine
- ``searcher``: :class:`Searcher`, an encoder with the index of its codes
- ``pipelines``: scikit-learn pipelines as encoders
- ``rerank``: candidates of a search ordered by a finer distance
- ``bridges``: codes to and from PostgreSQL, faiss, usearch, LanceDB, Parquet and others
- ``images``: image files of any origin, decoded with care
- ``datasets``, ``features``, ``encoders``: real data; images to vectors; vectors to codes
- ``deep``: images to codes, learned in torch
- ``evaluation``: metrics, named protocols, plots
- ``collection``: a folder of images kept searchable
- ``web``: the page and the JSON API that serve a collection
- ``experiments``, ``cli``: what the ``hashret`` command runs

Importing this package loads numpy and the engine only.
"""

from __future__ import annotations

import os as _os

from . import _native, codes, errors
from .errors import (
    CodeError,
    DatasetNotFoundError,
    DTypeError,
    EncoderMismatchError,
    ForkError,
    FormatError,
    HashretError,
    IdError,
    ImageError,
    LockedError,
    MissingExtraError,
    ParameterError,
    ShapeError,
    TrainingError,
)

__version__ = "0.1.0"

try:
    _native.select_isa(_os.environ.get("HASHRET_ISA") or None)
except ParameterError as _error:
    raise ImportError(str(_error)) from None

from . import ranking, rerank
from .index import Index
from .searcher import Searcher

__all__ = [
    "CodeError",
    "DTypeError",
    "DatasetNotFoundError",
    "EncoderMismatchError",
    "ForkError",
    "FormatError",
    "HashretError",
    "IdError",
    "ImageError",
    "Index",
    "LockedError",
    "MissingExtraError",
    "ParameterError",
    "Searcher",
    "ShapeError",
    "TrainingError",
    "__version__",
    "codes",
    "cpu",
    "errors",
    "ranking",
    "rerank",
]


def cpu() -> dict[str, str | list[str]]:
    """Tell which instruction set runs, and which ones this machine supports.

    Returns
    -------
    dict
        ``isa``: name of the kernels in use; ``supported``: all that run here,
        fastest first. The environment variable ``HASHRET_ISA`` forces one
        before the first import.

    Examples
    --------
    >>> import hashret
    >>> hashret.cpu()["isa"] in hashret.cpu()["supported"]
    True
    """
    return {"isa": _native.isa(), "supported": _native.supported_isas()}
