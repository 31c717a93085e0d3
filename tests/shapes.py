"""Codes of the shapes that hashing yields, easy and hard ones."""

from __future__ import annotations

import numpy as np


def uniform(rng, n, bits):
    return rng.integers(0, 2, (n, bits), dtype=np.uint8)


def clustered(rng, n, bits):
    """Around few centres, a twentieth of the bits flipped."""
    centres = uniform(rng, max(1, n // 100), bits)
    return centres[rng.integers(0, len(centres), n)] ^ (rng.random((n, bits)) < 0.05)


def few_values(rng, n, bits):
    return uniform(rng, 30, bits)[rng.integers(0, 30, n)]


def one_value(rng, n, bits):
    return np.repeat(uniform(rng, 1, bits), n, axis=0)


def constant_leading(rng, n, bits):
    plain = uniform(rng, n, bits)
    plain[:, : bits // 2] = 1
    return plain


def constant_trailing(rng, n, bits):
    plain = uniform(rng, n, bits)
    plain[:, bits // 2 :] = 1
    return plain


def last_bits(rng, n, bits):
    """Equal but for the last eight bits: all in one bucket of every table but the last."""
    plain = np.repeat(uniform(rng, 1, bits), n, axis=0)
    plain[:, -8:] = uniform(rng, n, min(8, bits))
    return plain


def consecutive(rng, n, bits):
    """The numbers from 0 on."""
    places = np.arange(min(bits, 20))[::-1]
    plain = np.zeros((n, bits), np.uint8)
    plain[:, bits - len(places) :] = np.arange(n)[:, None] >> places & 1
    return plain


SHAPES = (
    uniform,
    clustered,
    few_values,
    one_value,
    constant_leading,
    constant_trailing,
    last_bits,
    consecutive,
)


def pack(plain):
    return np.packbits(plain.astype(np.uint8), axis=1)


def queries_near(rng, plain, bits, count):
    """A code, codes with a few bits flipped, and queries from anywhere, in turns."""
    away = uniform(rng, count, bits)
    if not len(plain):
        return pack(away)
    near = plain[rng.integers(0, len(plain), count)]
    near[1::3] ^= rng.random(near[1::3].shape) < 0.05
    near[2::3] = away[2::3]
    return pack(near)
