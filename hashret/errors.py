"""The exceptions of hashret.

Every error derives from :class:`HashretError` and from the built-in exception
a Python user would expect. A message names the argument, what was expected and
what came, for example ``queries: expected uint8 (n, 8) for 64-bit codes, got
int64 (1, 3)``.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType

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
    "MissingExtraError",
    "ParameterError",
    "ShapeError",
    "TrainingError",
    "import_extra",
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


class TrainingError(HashretError, RuntimeError):
    """Training cannot go on: the message names the epoch and step."""


class MissingExtraError(HashretError, ImportError):
    """An optional package is missing; the message names the extra to install."""


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, where it would raise KeyboardInterrupt."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    try:
        signal.signal(signal.SIGINT, note)
        yield
    finally:
        # A package may have put its own handler there.
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


def import_extra(module: str, extra: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Ctrl-C takes effect after the import: torch, interrupted in the middle of its own, can end
    the process by abort().

    Parameters
    ----------
    module : str
        Dotted name of the module to import.
    extra : str
        The extra of hashret that installs it.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    if sys.modules.get(module) is not None:
        # Or wait for a thread that is importing it.
        return importlib.import_module(module)
    try:
        with _interrupted_afterwards():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A broken install of the package itself is not a missing extra.
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is needed for this and is not installed: pip install 'hashret[{extra}]'"
        ) from error
