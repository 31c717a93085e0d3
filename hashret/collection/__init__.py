"""A folder of images kept searchable.

- ``catalogue``: the SQLite file that is the truth of a collection, its one writer and its readers
- ``content``: what a file holds, by the hash of its bytes
- ``updating``: a catalogue comes to agree with the files
- ``encoders``: from pictures to codes, by name
- ``store``, ``indexes``: the folder that holds it all; the files of its indexes
- ``images``: what is known of an image, and where its files lie
- ``collection``: all this together, :class:`Collection`
"""

from __future__ import annotations

from .collection import Collection

__all__ = ["Collection"]
