"""Ranking rules: by what distance codes are ordered, where Hamming distance is not fine enough.

A rule is a small object that belongs to an encoder, is saved with it, and is what a
:class:`~hashret.Searcher` and a collection then search by. :meth:`hashret.Index.ranked` searches
an index by one, exactly; :meth:`Rule.distances` compares queries with codes without an index.

=================== =========================================================================
``rule.py``         :class:`Rule`, what all have in common
``hamming.py``      :class:`Hamming`: how many bits differ
``prefix.py``       :class:`WeightedPrefix`: bits of the first part of a code count more, or less
``classes.py``      :class:`ClassAware`: less, where that part is of the same class
``posterior.py``    :class:`SameClass`: how probable it is that both are of the same class
``floats.py``       :class:`FloatQuery`: a bit counts as much as the query is sure of it
``saving.py``       rules as JSON
``fingerprints.py`` which rule an index was built under
``ranked.py``       :class:`HasRanking`: what encoders have of rules
=================== =========================================================================
"""

from __future__ import annotations

from .classes import ClassAware, class_centres
from .fingerprints import check_rule, differ_in_rule, with_rule
from .floats import FloatQuery, mean_margins
from .hamming import Hamming
from .posterior import SameClass
from .prefix import WeightedPrefix
from .ranked import HasRanking
from .rule import Asked, Rule
from .saving import rule_from

__all__ = [
    "Asked",
    "ClassAware",
    "FloatQuery",
    "Hamming",
    "HasRanking",
    "Rule",
    "SameClass",
    "WeightedPrefix",
    "check_rule",
    "class_centres",
    "differ_in_rule",
    "mean_margins",
    "rule_from",
    "with_rule",
]
