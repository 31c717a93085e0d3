"""Rules as JSON, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FormatError, HashretError
from .classes import ClassAware
from .floats import FloatQuery
from .hamming import Hamming
from .posterior import SameClass
from .prefix import WeightedPrefix
from .rule import Rule

__all__ = ["rule_from"]

_RULES: dict[str, type[Rule]] = {
    each.name: each for each in (Hamming, WeightedPrefix, ClassAware, SameClass, FloatQuery)
}


def rule_from(saved: Any) -> Rule:
    """Return the rule that :meth:`Rule.as_dict` has told of.

    Raises
    ------
    FormatError
        If it is none.

    Examples
    --------
    >>> rule_from({"rule": "weighted-prefix", "bits": 8, "prefix_bits": 2, "weight": 4.0})
    WeightedPrefix(8, prefix_bits=2, weight=4)
    """
    try:
        parameters = dict(saved)
        kind = _RULES[parameters.pop("rule")]
        if "of" in parameters:
            parameters["rule"] = rule_from(parameters.pop("of"))
        if "centres" in parameters:
            rows = [list(bytes.fromhex(row)) for row in parameters["centres"]]
            parameters["centres"] = np.array(rows, np.uint8)
        return kind(**parameters)
    except (HashretError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise FormatError(f"ranking: no rule that this version knows: {error}") from None
