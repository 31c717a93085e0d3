"""Losses by name: as trainings ask for them, and as files keep them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import DTypeError, ParameterError
from .base import Loss

__all__ = ["loss_names", "make_loss", "register"]

_REGISTRY: dict[str, type[Loss]] = {}
LossType = TypeVar("LossType", bound=Loss)


def register(name: str) -> Callable[[type[LossType]], type[LossType]]:
    """Class decorator: make a loss known by `name`."""

    def enter(cls: type[LossType]) -> type[LossType]:
        if name in _REGISTRY:
            raise ParameterError(f"name: a loss called {name!r} is registered already")
        cls.name = name
        _REGISTRY[name] = cls
        return cls

    return enter


def loss_names() -> list[str]:
    """Return the names of all registered losses that stand alone, sorted."""
    return sorted(name for name, loss in _REGISTRY.items() if not loss.wraps)


def make_loss(name: str, **options: Any) -> Loss:
    """Return a new loss by name.

    Raises
    ------
    ParameterError
        If no loss has this name, or it does not take one of the options.

    Examples
    --------
    >>> make_loss("dsh", alpha=0.005).options()
    {'alpha': 0.005, 'margin': None, 'pairs': 'all', 'weights': 'uniform'}
    """
    if not isinstance(name, str):
        raise DTypeError(f"loss: expected a name or a Loss, got {type(name).__name__}")
    if name not in _REGISTRY:
        raise ParameterError(f"loss: expected one of {', '.join(sorted(_REGISTRY))}, got {name!r}")
    known = inspect.signature(_REGISTRY[name]).parameters
    for option in options:
        if option not in known:
            raise ParameterError(
                f"{option}: the loss {name!r} takes {', '.join(known) or 'no options'}"
            )
    return _REGISTRY[name](**options)
