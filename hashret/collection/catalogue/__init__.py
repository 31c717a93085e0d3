"""The catalogue: the SQLite file that is the truth of a collection.

================== =============================================================
``schema.py``      its tables
``lock.py``        the lock of its one writer
``mounts.py``      what kind of file system it lies on
``derived.py``     files of the store that are made from it, and go with it
``catalogue.py``   opening it, by its writer and by readers: :class:`Catalogue`
``numbers.py``     numbers of a file as it keeps them
``roots.py``       the folders of the collection
``states.py``      the files that are not there, or no images
``encoders.py``    which encoders there are codes of
``forgetting.py``  the only way by which an image leaves it
================== =============================================================
"""

from __future__ import annotations

from .catalogue import NAME, Catalogue, read_catalogue, write_catalogue
from .encoders import EncoderRow, activate, check_encoder, encoder_rows, enter_encoder
from .forgetting import GONE, forget_missing
from .numbers import TICK_NS, signed
from .roots import Root, add_root, drop_unreachable, roots_of
from .states import files_in_state

__all__ = [
    "GONE",
    "NAME",
    "TICK_NS",
    "Catalogue",
    "EncoderRow",
    "Root",
    "activate",
    "add_root",
    "check_encoder",
    "drop_unreachable",
    "encoder_rows",
    "enter_encoder",
    "files_in_state",
    "forget_missing",
    "read_catalogue",
    "roots_of",
    "signed",
    "write_catalogue",
]
