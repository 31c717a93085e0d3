"""Updating: from the files of the roots to a catalogue that agrees with them.

================== =============================================================
``exclusions.py``  what is no part of a collection
``scanning.py``    which files there are
``comparing.py``   what is new, changed, gone, by sets
``filing.py``      the row of a file, once its content is known
``encoding.py``    from pixels to rows of codes
``sampling.py``    some of the files, always the same
``fitting.py``     encoders fitted to those, and the codes of what was read
``updater.py``     all that, step by step: :func:`update`
``report.py``      what an update did: :class:`Report`
================== =============================================================
"""

from __future__ import annotations

from .encoding import Encoder
from .exclusions import Exclusions
from .fitting import Unfitted
from .report import Paths, Report
from .updater import update

__all__ = ["Encoder", "Exclusions", "Paths", "Report", "Unfitted", "update"]
