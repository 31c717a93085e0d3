"""How to train, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DTypeError, ParameterError

__all__ = ["Settings", "number", "whole"]


@dataclass(frozen=True)
class Settings:
    """How to train; see :class:`~hashret.deep.hasher.DeepHasher` for the meanings."""

    epochs: int
    batch_size: int
    learning_rate: float
    head_rate: float
    weight_decay: float
    flip: bool
    shift: int
    ema: float | None
    bfloat16: bool
    seed: int
    validation: float = 0.0
    patience: int | None = None
    cutout: int = 0

    def __post_init__(self) -> None:
        """Refuse what no training can be run with, and make numbers of numpy's plain ones."""
        least = {"epochs": 1, "batch_size": 2, "shift": 0, "cutout": 0, "patience": 1}
        for name, bound in least.items():
            if name != "patience" or self.patience is not None:
                self._set(name, whole(name, getattr(self, name), bound))
        self._set("flip", bool(self.flip))
        self._set("seed", whole("random_state", self.seed, 0))
        for name in ("learning_rate", "head_rate", "weight_decay", "validation"):
            self._set(name, number(name, getattr(self, name)))
        for name in ("learning_rate", "head_rate"):
            if getattr(self, name) <= 0:
                raise ParameterError(f"{name}: expected a number > 0, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ParameterError(f"weight_decay: expected a number >= 0, got {self.weight_decay}")
        if self.ema is not None and not 0 < number("ema", self.ema) < 1:
            raise ParameterError(f"ema: expected a number between 0 and 1, got {self.ema}")
        if not 0 <= self.validation < 1:
            raise ParameterError(
                f"validation: expected a share of at least 0 and less than 1, got {self.validation}"
            )
        if self.patience is not None and not self.validation:
            raise ParameterError("patience: needs held-out images, but validation is 0")

    def _set(self, name: str, value: float) -> None:
        object.__setattr__(self, name, value)


def whole(name: str, value: Any, least: int) -> int:
    """Return an int of at least `least`, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DTypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < least:
        raise ParameterError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def number(name: str, value: Any) -> float:
    """Return a finite number as float, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ParameterError(f"{name}: expected a finite number, got {value!r}")
    if not math.isfinite(value):
        raise ParameterError(f"{name}: expected a finite number, got {value!r}")
    return float(value)
