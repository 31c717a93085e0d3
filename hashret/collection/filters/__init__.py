"""Filters: which images a search is about, in words.

================ =================================================================
``words.py``     the text of a filter cut into words, with their places
``fields.py``    what can be asked of an image, and how SQL asks it
``parsing.py``   the words as one condition of SQL: :func:`parse_filter`
================ =================================================================

``taken >= 2020 and folder = "Italy" and size > 1MB`` becomes a condition with parameters: nothing
of the text is ever part of the statement but what is looked up in the tables here.
"""

from __future__ import annotations

from .fields import FIELDS, as_number
from .parsing import Filter, matching, parse_filter

__all__ = ["FIELDS", "Filter", "as_number", "matching", "parse_filter"]
