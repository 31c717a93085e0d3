"""Optional packages, imported when they are first used."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType

from .errors import MissingExtraError

__all__ = ["import_extra"]


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
