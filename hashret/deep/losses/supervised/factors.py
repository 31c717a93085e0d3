"""The first stage of CNNH: similarities of labels as inner products of codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["extend", "factorise"]

Matrix = npt.NDArray[np.float64]


def factorise(
    similarity: Matrix, counts: Matrix, bits: int, rounds: int, rng: np.random.Generator
) -> tuple[Matrix, list[float]]:
    r"""Return H with values in [-1, 1] that makes :math:`\|S - HH'/K\|^2` small.

    One entry of `H` after another, in random order, takes a Newton step, cut off at -1 and
    1, or goes to one of these if that is better; never anywhere worse.

    Parameters
    ----------
    similarity : ndarray of float64, shape (m, m)
        -1 and +1; one row for all images of the same labels, whose rows in `H` are one too.
    counts : ndarray of float64, shape (m,)
        How many images each row stands for: the squares are summed over all pairs of images.
    bits, rounds : int
        `K`, and how often each entry is renewed.

    Returns
    -------
    factor : ndarray of float64, shape (m, bits)
    objectives : list of float
        The sum of squares before the first round and after each.

    Notes
    -----
    A step costs O(m). The objective is a polynomial of degree 4 in a single entry, so that
    what a step changes is known exactly.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> factor, _ = factorise(2 * np.eye(2) - 1, np.ones(2), bits=2, rounds=5, rng=rng)
    >>> factor @ factor.T / 2
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    factor = rng.uniform(-1, 1, (len(counts), bits))
    excess = factor @ factor.T / bits - similarity
    pairs = np.outer(counts, counts)
    objectives = [float((pairs * excess**2).sum())]
    for _ in range(rounds):
        for entry in rng.permutation(factor.size):
            _renew(factor, excess, counts, *divmod(int(entry), bits))
        objectives.append(float((pairs * excess**2).sum()))
    return factor, objectives


def _renew(factor: Matrix, excess: Matrix, counts: Matrix, row: int, bit: int) -> None:
    """Move one entry of `factor`, and keep `excess`, which is HH'/K - S."""
    bits = factor.shape[1]
    column = factor[:, bit]
    value, own, weight = column[row], excess[row, row], counts[row]
    weighted = counts * column
    # What a step d adds to the objective is linear d + square d^2 + cubic d^3 + fourth d^4.
    linear = 4 * weight / bits * (weighted @ excess[row])
    square = 2 * weight / bits**2 * (weighted @ column + weight * value**2 + bits * weight * own)
    cubic = 4 * weight**2 / bits**2 * value
    fourth = weight**2 / bits**2
    steps = [-1 - value, 1 - value]
    if square > 0:
        steps.append(min(max(-linear / (2 * square), steps[0]), steps[1]))
    added = [(((fourth * d + cubic) * d + square) * d + linear) * d for d in steps]
    best = int(np.argmin(added))
    if added[best] < 0:
        step = steps[best]
        excess[row] += step / bits * column
        excess[:, row] = excess[row]
        excess[row, row] = own + (2 * step * value + step**2) / bits
        column[row] += step


def extend(factor: Matrix, counts: Matrix, similarity: Matrix, rounds: int) -> Matrix:
    """Return rows for images outside the factorisation that explain their similarities best.

    Parameters
    ----------
    factor : ndarray of float64, shape (m, bits)
        As from :func:`factorise`, with its `counts`; it stays as it is.
    similarity : ndarray of float64, shape (n, m)
        Of each new image to those.

    Returns
    -------
    rows : ndarray of float64, shape (n, bits)
        Each entry is put at its minimum in [-1, 1], where the others are, `rounds` times.
    """
    bits = factor.shape[1]
    rows = np.clip(similarity @ (counts[:, None] * factor), -1, 1)
    excess = rows @ factor.T / bits - similarity
    for _ in range(rounds):
        for bit in range(bits):
            weighted = counts * factor[:, bit]
            curvature = max(weighted @ factor[:, bit], np.finfo(float).tiny)
            moved = np.clip(rows[:, bit] - bits * (excess @ weighted) / curvature, -1, 1)
            excess += np.outer(moved - rows[:, bit], factor[:, bit]) / bits
            rows[:, bit] = moved
    return rows
