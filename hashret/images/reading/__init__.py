"""Reading image files in worker processes, so that a bad file costs only itself.

====================== ===========================================================
``pool.py``            files in, their pixels or reasons out: :func:`read_files`
``process.py``         one worker as its parent sees it: starting, handing out, ending
``worker.py``          what runs in it: a file read once, hashed and decoded, under limits
``protocol.py``        what the two say to each other, and the memory they share
``image.py``           from the bytes of a file to a small upright picture
``results.py``         what comes out, and the limits
``companions.py``      files of a folder that belong to one photograph
====================== ===========================================================

A worker is started as a program of its own rather than by `multiprocessing`: that would import the
caller's main module again, with whatever that loads (torch) or does (if it lacks its guard), and
read pickles from a process that may have fallen to a hostile file. Here it imports numpy, pillow
and this package; its answers are lines of JSON, checked; pixels come through shared memory.
"""

from __future__ import annotations

from .companions import companions, raw_leaders
from .pool import read_files
from .results import CodeOf, Limits, Read, Skipped

__all__ = ["CodeOf", "Limits", "Read", "Skipped", "companions", "raw_leaders", "read_files"]
