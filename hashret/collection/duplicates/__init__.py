"""Finding duplicates: what looks alike, in groups of which one image stays.

================== =============================================================
``rules.py``       what stays, what is never touched, what is compared: :class:`Rules`
``pool.py``        the images that take part, best first
``mirrored.py``    codes of a mirrored or turned picture, from the code of the picture
``grouping.py``    a keeper, and what lies within the radius of it
``decisions.py``   what a person said of images, by content
``pixels.py``      pictures that are equal pixel by pixel
``finder.py``      groups of files: :func:`find_duplicates`
``calibration.py`` what a radius means in this collection
``along.py``       the files that go along with a duplicate: :class:`Along`
``tables.py``      groups as CSV
``pages.py``       groups, and the calibration, as HTML to look at
================== =============================================================
"""

from __future__ import annotations

from .along import Along
from .calibration import calibrate
from .decisions import decide, decide_each, decided, decisions_of, time_of, withdraw
from .finder import Group, Member, Place, duplicates_of, find_duplicates, plain_images
from .pages import write_calibration, write_groups
from .rules import RADIUS, Rules
from .tables import write_table

__all__ = [
    "RADIUS",
    "Along",
    "Group",
    "Member",
    "Place",
    "Rules",
    "calibrate",
    "decide",
    "decide_each",
    "decided",
    "decisions_of",
    "duplicates_of",
    "find_duplicates",
    "plain_images",
    "time_of",
    "withdraw",
    "write_calibration",
    "write_groups",
    "write_table",
]
