"""What torch keeps for the whole process: used by one call at a time, and left as it was."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

__all__ = ["exact", "quiet_export", "seeded"]

# Two trainings at once would draw from each other's random numbers.
_lock = threading.RLock()


def _renew_locks() -> None:
    """Make locks that are free: their owner may be a thread that a forked child has not."""
    global _lock
    _lock = threading.RLock()
    exact.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class _Exact:
    """Makes cuDNN compute by the same algorithms each time, and in the numbers it is given.

    By default it rounds what it convolves to TF32, of three digits: 10 bits in a million of a
    ResNet-9's codes were not those that a CPU made of the same weights, without it none. Calls may
    overlap: the last to leave puts back what the first has found.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._found: AbstractContextManager[None] = nullcontext()
        self.renew_lock()

    def renew_lock(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._found = torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
                self._found.__enter__()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._found.__exit__(None, None, None)


exact = _Exact()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from `seed`, and compute by the same algorithms each time; other calls wait."""
    devices = [device] if device.type == "cuda" else []
    with _lock, torch.random.fork_rng(devices), exact:
        _seed(seed, device)
        yield


def _seed(seed: int, device: torch.device) -> None:
    """Seed the CPU's generator and the device's, but no GPU whose state is not put back."""
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def quiet_export() -> Iterator[None]:
    """Keep to itself what torch's exporter says of torch's own code, and leave random numbers."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    with _lock, torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)
        # The weights that weight_norm and pruning compute before each call.
        warnings.filterwarnings("ignore", r"The tensor attribute", UserWarning)
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
