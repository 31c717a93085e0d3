"""Codewords far apart, one a class: what several losses pull the classes' codes to."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....checks import check_choice
from ....errors import ParameterError
from ..base import Loss
from ..labels import nan_if_missing

__all__ = ["CentreLoss", "centres_of", "hadamard", "make_centres"]

Words = npt.NDArray[np.float32]


class CentreLoss(Loss):
    """A loss that draws the outputs of each class to a codeword of its own, the centre.

    Parameters
    ----------
    centres : {"spread", "random"}
        See :func:`make_centres`.
    """

    by_image = True

    def __init__(self, centres: str) -> None:
        super().__init__()
        self.centres = check_choice("centres", centres, "spread", "random")

    def setup(self, bits: int, classes: int) -> None:
        """Choose the centres."""
        super().setup(bits, classes)
        # The name that they have in files.
        self.register_buffer("targets", make_centres(classes, bits, self.centres))

    @property
    def codewords(self) -> Tensor:
        """The centres in -1 and +1, float32 (classes, bits)."""
        return self.get_buffer("targets")


def make_centres(classes: int, bits: int, kind: str = "spread") -> Tensor:
    """Return a codeword in -1 and +1 for each class, float32 (classes, bits), all different.

    Parameters
    ----------
    classes, bits : int
    kind : {"spread", "random"}
        "spread" takes rows of a Hadamard matrix, any two of which differ in half of the
        bits, or their opposites once the rows are used up. Where there is no such matrix,
        and past ``2 * bits`` classes, it goes through 4,096 random words with equally
        many bits of each value, all words up to 12 bits, and takes the one that is
        farthest from those taken, again and again. "random" tosses every bit, and drops
        words that come twice.

    Returns
    -------
    centres : Tensor
        Draws come from torch's global CPU generator.

    Raises
    ------
    ParameterError
        If `bits` are too few to tell the classes apart.

    Notes
    -----
    Yuan et al. (CVPR 2020) take the first rows of Sylvester's matrix, whose first bit is
    the same in all of them. Here the rows are drawn, and each is negated or not, which
    leaves their distances as they are.

    Examples
    --------
    >>> centres = make_centres(10, 48)
    >>> (centres @ centres.T).fill_diagonal_(0).count_nonzero().item()
    0
    """
    if torch.get_default_device().type == "meta":
        # An encoder that is being read from a file brings its own.
        return torch.empty(classes, bits)
    rng = np.random.default_rng(int(torch.randint(2**63 - 1, (), device="cpu")))
    matrix = hadamard(bits)
    if kind == "random":
        words = _tossed(classes, bits, rng)
    elif matrix is not None and classes <= 2 * bits:
        signed = rng.permutation(matrix) * rng.choice(np.array([-1, 1], np.float32), (bits, 1))
        words = np.concatenate([signed, -signed])[:classes]
    else:
        words = _farthest(_candidates(classes, bits, rng), classes)
    if len(np.unique(words, axis=0)) < classes:
        raise ParameterError(f"bits: {bits} are too few to tell {classes} classes apart")
    return torch.from_numpy(np.ascontiguousarray(words))


def centres_of(targets: Tensor, centres: Tensor) -> Tensor:
    """Return each image's centre in -1 and +1, shape (n, bits); NaN for one without label.

    Parameters
    ----------
    targets : Tensor
        Class numbers (n,), or a table of 0 and 1 (n, classes). The centre of several labels
        is the sign of the sum of theirs (Yuan et al., CVPR 2020); where that is 0, which
        they left to chance, the bit of the label of the smallest number.
    centres : Tensor, shape (classes, bits)

    Examples
    --------
    >>> centres = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, -1, 1]])
    >>> centres_of(torch.tensor([[1.0, 1, 1], [0, 1, 1]]), centres)
    tensor([[ 1., -1.,  1.],
            [ 1., -1., -1.]])
    """
    if targets.ndim == 1:
        return nan_if_missing(centres[targets], targets)
    votes = targets.to(centres) @ centres + 0.5 * centres[targets.argmax(1)]
    return nan_if_missing(torch.where(votes > 0, 1.0, -1.0).to(centres), targets)


def hadamard(order: int) -> Words | None:
    """Return a matrix of -1 and +1 with orthogonal rows, or None if no rule here gives one.

    A prime q = order - 1 with q = 3 modulo 4 gives one by quadratic residues (Paley 1933),
    an even order by doubling one of half of it (Sylvester 1867). These make every order
    possible up to 48, but 28 and 36.
    """
    if order == 1:
        return np.ones((1, 1), np.float32)
    if order % 4 == 0 and _is_prime(order - 1):
        return _paley(order - 1)
    half = hadamard(order // 2) if order % 2 == 0 else None
    return None if half is None else np.block([[half, half], [half, -half]])


def _paley(q: int) -> Words:
    difference = (np.arange(q)[:, None] - np.arange(q)) % q
    residue = np.isin(np.arange(q), np.arange(1, q) ** 2 % q)
    skew = np.ones((q + 1, q + 1), np.float32)
    skew[1:, 0] = -1
    skew[1:, 1:] = np.where(residue[difference], 1, -1)
    np.fill_diagonal(skew, 1)
    return skew


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))


def _candidates(classes: int, bits: int, rng: np.random.Generator) -> Words:
    """Return words to choose centres from, as many as 4,096; the balanced ones first."""
    if bits <= 12:
        words = rng.permutation(_all_words(bits))
        return words[np.argsort(np.abs(words.sum(1)), kind="stable")]
    balanced = np.where(np.arange(bits) < bits // 2, np.float32(1), np.float32(-1))
    return rng.permuted(np.tile(balanced, (max(4096, 4 * classes), 1)), axis=1)


def _tossed(classes: int, bits: int, rng: np.random.Generator) -> Words:
    if bits <= 12:
        return rng.permutation(_all_words(bits))[:classes]
    words = rng.choice(np.array([-1, 1], np.float32), (4 * classes, bits))
    return rng.permutation(np.unique(words, axis=0))[:classes]


def _all_words(bits: int) -> Words:
    return np.array([*itertools.product((-1, 1), repeat=bits)], np.float32)


def _farthest(words: Words, count: int) -> Words:
    """Take the first word, then the one farthest from those taken, again and again."""
    taken = [0]
    closest = words @ words[0]
    for _ in range(count - 1):
        taken.append(int(np.argmin(closest)))
        closest = np.maximum(closest, words @ words[taken[-1]])
    return words[taken]
