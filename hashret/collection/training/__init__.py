"""Training: an encoder of one's own, from photographs and what is on them.

=================== ==============================================================
``examples.py``     images with labels: a folder a class, a CSV, the collection's labels
``pictures.py``     their pixels and features
``learning.py``     a method by name, fitted: :func:`train`
``scores.py``       how well it finds held-out images, beside simpler ways
=================== ==============================================================
"""

from __future__ import annotations

from .examples import Example, from_collection, from_csv, from_folder
from .learning import Trained, default_method, train

__all__ = [
    "Example",
    "Trained",
    "default_method",
    "from_collection",
    "from_csv",
    "from_folder",
    "train",
]
