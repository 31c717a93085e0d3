"""Numbers that callers hand in, checked; each error names the argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DTypeError, ParameterError

__all__ = ["check_choice", "check_int", "check_number"]


def check_int(name: str, value: Any, least: int) -> int:
    """Return a whole number of at least `least` as int, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DTypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < least:
        raise ParameterError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def check_number(
    name: str, value: float, *, least: float = -math.inf, above: float = -math.inf
) -> float:
    """Return a finite number of at least `least` and more than `above`, as it is, or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise DTypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ParameterError(f"{name}: expected a finite number, got {value}")
    if value < least:
        raise ParameterError(f"{name}: expected a number >= {least}, got {value}")
    if value <= above:
        raise ParameterError(f"{name}: expected a number > {above}, got {value}")
    return value


def check_choice(name: str, value: str, *choices: str) -> str:
    """Return one of the choices, or raise."""
    if value not in choices:
        listed = ", ".join(map(repr, choices[:-1]))
        raise ParameterError(f"{name}: expected {listed} or {choices[-1]!r}, got {value!r}")
    return value
