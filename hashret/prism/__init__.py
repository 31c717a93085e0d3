"""Codes of two axes: bits that say what an image shows, then bits that say how it looks.

================ =============================================================================
``encoder.py``   :class:`Prism`: a learned prefix, and a closed form for the rest of a code
``cells.py``     :class:`ClassCells`: a prefix that is the number of a cell of class probabilities
``clusters.py``  classes for vectors that have none: balanced clusters
``parts.py``     encoders within an encoder's file
================ =============================================================================
"""

from __future__ import annotations

from .cells import ClassCells
from .clusters import balanced_clusters
from .encoder import WEIGHTS, Prism

__all__ = ["WEIGHTS", "ClassCells", "Prism", "balanced_clusters"]
