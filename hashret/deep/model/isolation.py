"""What torch keeps for the whole process: used by one call at a time, and left as it was."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["quiet_export", "seeded"]

# Two trainings at once would draw from each other's random numbers.
_lock = threading.RLock()


def _renew_lock() -> None:
    """Make a lock that is free: its owner may be a thread that a forked child has not."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from `seed`, and compute by the same algorithms each time; other calls wait."""
    devices = [device] if device.type == "cuda" else []
    with (
        _lock,
        torch.random.fork_rng(devices),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        torch.manual_seed(seed)
        yield


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
