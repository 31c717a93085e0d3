"""The demo: what hashret does, on pictures that come with it, offline.

=================== ==============================================================
``clothes.py``      codes learned and drawn at random, side by side
``photographs.py``  a folder of photographs, searched and looked through for copies
=================== ==============================================================
"""

from __future__ import annotations

from .clothes import COLUMNS, Demo, run_demo
from .photographs import Tour, run_tour

__all__ = ["COLUMNS", "Demo", "Tour", "run_demo", "run_tour"]
