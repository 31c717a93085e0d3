"""Binary codes: packing, unpacking and conversion to other systems.

A code of ``bits`` bits (1 to 4096) is a row of ``ceil(bits / 8)`` bytes. Bit
``j`` is ``byte[j // 8] & (0x80 >> (j % 8))``, exactly what
``numpy.packbits(x > 0, axis=1)`` gives; the unused bits of the last byte are
zero. sentence-transformers (``ubinary``), usearch (``b1``), pgvector
(``bit(n)``) and MongoDB use the same bytes. faiss and sqlite-vec number bits
from the least significant end: see :func:`to_lsb_first`. Vespa stores the same
bytes as ``int8``: see :func:`to_int8` and :func:`from_int8`.

Perceptual hashes often come as text or as whole numbers whose first bit is the
most significant one, as imagehash and pHash write them and databases keep them
in signed columns of 64 bits: see :func:`from_hex` and :func:`from_ints`. Such a
number is not a *word*: words are packed bytes viewed as little-endian uint64, so
that ``int(text, 16)`` in an array of uint64 would be read from its other end.
"""

from __future__ import annotations

from .layouts import from_int8, from_lsb_first, from_words, to_int8, to_lsb_first, to_words
from .numbers import from_hex, from_ints, to_hex, to_ints
from .packed import (
    MAX_BITS,
    as_codes,
    check_bits,
    distance_histogram,
    hamming_distances,
    pack,
    unpack,
)

__all__ = [
    "MAX_BITS",
    "as_codes",
    "check_bits",
    "distance_histogram",
    "from_hex",
    "from_int8",
    "from_ints",
    "from_lsb_first",
    "from_words",
    "hamming_distances",
    "pack",
    "to_hex",
    "to_int8",
    "to_ints",
    "to_lsb_first",
    "to_words",
    "unpack",
]
