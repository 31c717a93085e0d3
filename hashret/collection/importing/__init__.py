"""Importing: hashes and embeddings that other programs made.

=================== ==============================================================
``hash_lists.py``   lists of hashes in hexadecimal, as of PDQ: :func:`read_hash_list`
``lists.py``        such lists under a name, kept in the catalogue
``arrays.py``       npy and npz files, of which nothing is unpickled
``embeddings.py``   vectors of images, made codes by ITQ: :func:`import_embeddings`
``imagededup.py``   its JSON: hashes by file name, and its lists of duplicates
``codes.py``        codes of images as those of an encoder of their own
=================== ==============================================================
"""

from __future__ import annotations

from .embeddings import Embeddings, import_embeddings, read_embeddings
from .hash_lists import HashList, read_hash_list
from .imagededup import compare_duplicates, import_hashes, read_imagededup
from .lists import list_names, load_list, remove_list, save_list

__all__ = [
    "Embeddings",
    "HashList",
    "compare_duplicates",
    "import_embeddings",
    "import_hashes",
    "list_names",
    "load_list",
    "read_embeddings",
    "read_hash_list",
    "read_imagededup",
    "remove_list",
    "save_list",
]
