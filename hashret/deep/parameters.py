"""Constructor parameters read, set and shown as scikit-learn's conventions have it."""

from __future__ import annotations

import inspect
import sys
from typing import Any, Self

from torch import nn

from ..errors import ParameterError
from .losses import Loss

__all__ = ["Parametrised"]


class Parametrised:
    """What can be cloned, searched over and put into pipelines, without scikit-learn here.

    A subclass's constructor keeps each parameter, as it is, in an attribute of the same name.
    """

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {name: p.default for name, p in inspect.signature(cls).parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters, by name.

        Parameters
        ----------
        deep : bool
            For scikit-learn; no parameter has parameters of its own.
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters, all or none; what was fitted before stays until `fit`.

        Raises
        ------
        ParameterError
            If a name is unknown; lists those that there are.
        """
        known = self._defaults()
        for name in params:
            if name not in known:
                raise ParameterError(
                    f"{name}: {type(self).__name__} has no such parameter, only {', '.join(known)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn asks for them, so that it is loaded.
        return sys.modules["sklearn.base"].BaseEstimator.__sklearn_tags__(self)

    def __repr__(self) -> str:
        defaults = self._defaults().items()
        shown = [(name, _show(getattr(self, name)), _show(default)) for name, default in defaults]
        given = ", ".join(f"{name}={value}" for name, value, default in shown if value != default)
        return f"{type(self).__name__}({given})"


def _show(value: Any) -> str:
    if isinstance(value, Loss):
        options = ", ".join(f"{name}={_show(option)}" for name, option in value.options().items())
        return f"{type(value).__name__}({options})"
    # All layers of a network would fill the screen.
    return f"{type(value).__name__}(...)" if isinstance(value, nn.Module) else repr(value)
