"""The exceptions of hashret.

Every error derives from :class:`HashretError` and from the built-in exception
a Python user would expect. A message names the argument, what was expected and
what came, for example ``queries: expected uint8 (n, 8) for 64-bit codes, got
int64 (1, 3)``.
"""

from __future__ import annotations

__all__ = [
    "CodeError",
    "ConflictError",
    "DTypeError",
    "DatasetNotFoundError",
    "EncoderMismatchError",
    "ForkError",
    "FormatError",
    "HashretError",
    "IdError",
    "ImageError",
    "LockedError",
    "MissingExtraError",
    "ParameterError",
    "ShapeError",
    "TrainingError",
    "UnavailableError",
]


class HashretError(Exception):
    """Base class of every error that hashret raises on purpose."""


class ShapeError(HashretError, ValueError):
    """An array has the wrong number of dimensions, rows or columns."""


class DTypeError(HashretError, TypeError):
    """An array or a value has the wrong type."""


class CodeError(HashretError, ValueError):
    """A code is malformed: non-zero trailing bits, or NaN in what becomes one."""


class ParameterError(HashretError, ValueError):
    """A scalar parameter is out of its range."""


class IdError(HashretError, KeyError, ValueError):
    """An id is repeated, negative, already present, or unknown."""

    # KeyError would print the repr of the message.
    __str__ = Exception.__str__


class ForkError(HashretError, RuntimeError):
    """A forked process meets an index that another thread was changing in its parent."""


class FormatError(HashretError, ValueError):
    """A file is not what it should be: truncated, damaged, or of another format."""


class EncoderMismatchError(HashretError, ValueError):
    """Codes of one encoder meet an index built with another."""


class DatasetNotFoundError(HashretError, FileNotFoundError):
    """A data set is in none of the places where it is looked for."""

    __str__ = Exception.__str__


class ImageError(HashretError, ValueError):
    """An image is damaged or unfit, or a folder holds none."""


class LockedError(HashretError, BlockingIOError):
    """Another process is changing what this one is to change; the message names it."""


class ConflictError(HashretError, RuntimeError):
    """Another writer has changed what this one was to change; nothing of this change is kept."""


class UnavailableError(HashretError, ConnectionError):
    """Shards of an index answer nowhere within the time allowed.

    Attributes
    ----------
    shards : tuple of str
        Their names.
    """

    def __init__(self, message: str, shards: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.shards = shards


class TrainingError(HashretError, RuntimeError):
    """Training cannot go on: the message names the epoch and step."""


class MissingExtraError(HashretError, ImportError):
    """An optional package is missing; the message names the extra to install."""
