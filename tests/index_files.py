"""Bytes of index files, changed as an attacker would."""

from __future__ import annotations

import struct
import zlib

HEADER = 256


def sealed(data):
    """Correct all CRCs, as a hostile writer would."""
    data = bytearray(data)
    for number in range(4):
        _, _, offset, size, _ = struct.unpack_from("<IIQQQ", data, 128 + 32 * number)
        if offset + size <= len(data):
            crc = zlib.crc32(data[offset : offset + size])
            struct.pack_into("<I", data, 128 + 32 * number + 4, crc)
    struct.pack_into("<I", data, 124, 0)
    struct.pack_into("<I", data, 124, zlib.crc32(data[:HEADER]))
    return bytes(data)
