"""Changes to the bytes of a picture such as damage and hostile writers make."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence

_PNG = b"\x89PNG\r\n\x1a\n"
# Where sizes, counts and offsets lie more often than elsewhere.
_HEAD = 256
_NUMBERS = (
    *(0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x1000, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF),
    *(0x10000, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF),
)

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return bytes with some changes; chunks are taken from the others."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if changed:
            rng.choice(_MUTATIONS)(rng, changed, others)
    return _sealed(bytes(changed)) if rng.random() < 0.7 else bytes(changed)


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(min(len(data), _HEAD) if rng.random() < 0.5 else len(data))


def _flip(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    data[_place(rng, data)] = rng.randrange(256)


def _size(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Overwrite what may be a size, a count or an offset."""
    width, at = rng.choice((2, 4)), _place(rng, data)
    order: str = rng.choice(("little", "big"))
    now = int.from_bytes(data[at : at + width], "little" if order == "little" else "big")
    value = rng.choice(_NUMBERS) if rng.random() < 0.7 else now + rng.randint(-9, 9)
    packed = (value % 256**width).to_bytes(width, "little" if order == "little" else "big")
    data[at : at + width] = packed


def _cut(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _leave_out(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 12, 64, 512))]


def _repeat(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = data[at : at + rng.choice((1, 4, 12, 64, 512))] * rng.choice((1, 1, 9, 200))


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Put a chunk of another picture in, or over what is there."""
    other, at = rng.choice(others), _place(rng, data)
    start = rng.randrange(len(other))
    chunk = other[start : start + rng.choice((4, 12, 64, 512, 4096))]
    data[at : at + (len(chunk) if rng.random() < 0.5 else 0)] = chunk


_MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _set, _size, _size, _cut, _leave_out, _repeat)
_MUTATIONS += (_splice,)


def _sealed(data: bytes) -> bytes:
    """Repair the checksums of a PNG, which else stop a reader before the damage."""
    if not data.startswith(_PNG):
        return data
    sealed, at = bytearray(data), len(_PNG)
    while at + 12 <= len(sealed):
        end = at + 8 + int.from_bytes(sealed[at : at + 4], "big")
        if end + 4 > len(sealed):
            break
        sealed[end : end + 4] = zlib.crc32(sealed[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(sealed)
