"""What ranking rules have in common: two parts of a code, and what differing bits cost."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..codes import as_codes, hamming_distances, pack, unpack
from ..types import Codes, Floats

__all__ = ["Asked", "Rule"]

# Distances, and numbers of unpacked codes, that are worked out at a time.
PIECE = 1 << 22


class Asked(NamedTuple):
    """Queries of a rule, as the engine takes them.

    Attributes
    ----------
    codes : ndarray of uint8, shape (n_queries, ceil(bits / 8))
    least : ndarray of float64, shape (n_queries or 1, bits + 2)
        The least that 0, 1, ... different bits of the prefix cost, then the same of the rest.
        One row if it is the same for all queries.
    costs : ndarray of float64, shape (n_queries, bits), or None
        What each bit costs, rounded so that sums of them are exact; None if `least` is what they
        cost, whichever they are.
    cells : ndarray of float64, shape (n_rows, n_centres), or None
        What codes cost by the centre that their prefixes snap to; None if that costs nothing.
    rows : ndarray of uint32, shape (n_queries,), or None
        The row of `cells` that is each query's.
    """

    codes: Codes
    least: Floats
    costs: Floats | None
    cells: Floats | None = None
    rows: npt.NDArray[np.uint32] | None = None


class Rule(ABC):
    """A distance of queries and codes: ``share * cost(prefix) + cost(rest)``.

    The prefix is the first `prefix_bits` bits of a code. A cost is the sum of what the bits cost
    in which query and code differ. `share` counts where both prefixes snap to the same of the
    `centres`; elsewhere it is 1. A rule may add a cost of its own for two centres.

    Distances are float64 and the same on every machine, by every way they are worked out: sums of
    costs are exact, the share and the sum of both parts are rounded once each. Codes at equal
    distances are ordered by id.

    Attributes
    ----------
    bits, prefix_bits : int
        Of a code, and of its prefix.
    takes : {"codes", "margins"}
        What queries are.
    centres : ndarray of uint8, shape (n, ceil(prefix_bits / 8)), or None
    share : float
    """

    name: ClassVar[str]
    takes: Literal["codes", "margins"] = "codes"
    bits: int
    prefix_bits: int
    centres: Codes | None = None
    share: float = 1.0

    @abstractmethod
    def prices(self) -> tuple[float, float]:
        """Return what a bit of the prefix, and one of the rest, counts."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; :func:`rule_from` makes a rule of that."""

    def ask(self, queries: npt.ArrayLike) -> Asked:
        """Check queries and return what the engine is to be asked.

        Raises
        ------
        ShapeError, DTypeError, CodeError
            If they do not fit.
        """
        prefix, rest = self.prices()
        steps = np.arange(self.prefix_bits + 1) * prefix
        least = np.concatenate([steps, np.arange(self.bits - self.prefix_bits + 1) * rest])
        codes = as_codes(queries, self.bits, "queries")
        return Asked(codes, least[None], None, *self.cells_of(codes))

    def cells_of(self, codes: Codes) -> tuple[Floats | None, npt.NDArray[np.uint32] | None]:
        """Return `cells` and `rows` of :class:`Asked` for packed codes of queries."""
        return None, None

    def distances(self, queries: npt.ArrayLike, codes: npt.ArrayLike) -> Floats:
        """Return the distances of all queries and all codes.

        Parameters
        ----------
        queries : array_like
            As the rule takes them: packed codes, or margins, float (n_queries, bits).
        codes : array_like
            uint8 (n, ceil(bits / 8)), or uint64 (n, ceil(bits / 64)).

        Returns
        -------
        distances : ndarray of float64, shape (n_queries, n)

        Raises
        ------
        ShapeError, DTypeError, CodeError
            If queries or codes do not fit.
        """
        asked, packed = self.ask(queries), as_codes(codes, self.bits)
        out = np.empty((len(asked.codes), len(packed)))
        classes = self._classes(asked.codes)
        for part in _pieces(len(packed), max(len(out), self.bits)):
            prefix, rest = self._parts(asked, packed[part])
            theirs = self._classes(packed[part])
            if asked.cells is not None:
                prefix = asked.cells[asked.rows][:, theirs] + prefix
            elif classes is not None and theirs is not None:
                prefix = np.where(classes[:, None] == theirs, self.share * prefix, prefix)
            np.add(prefix, rest, out=out[:, part])
        return out

    def queries_of(self, margins: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return queries as the rule takes them, of the margins of their bits."""
        return margins if self.takes == "margins" else pack(margins)

    def queries_of_codes(self, codes: Codes) -> npt.NDArray[Any]:
        """Return queries as the rule takes them, of packed codes whose margins are not known."""
        return codes

    def farthest(self, queries: npt.ArrayLike) -> Floats:
        """Return the distance of each query from the code that differs in all bits, float64 (n,).

        Codes that have nothing to do with it are about half as far.
        """
        asked = self.ask(queries)
        farthest = asked.least[:, self.prefix_bits] + asked.least[:, -1]
        dearest = 0 if asked.cells is None else asked.cells.max(axis=1)[asked.rows]
        return np.broadcast_to(farthest, len(asked.codes)) + dearest

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what it is; rules of equal fingerprints give equal distances."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    @abstractmethod
    def summary(self) -> str:
        """Return its parameters in a few words, for people."""

    def prefixes(self, packed: Codes) -> Codes:
        """Return the prefixes of packed codes, packed as well."""
        width, rest = (self.prefix_bits + 7) // 8, self.prefix_bits % 8
        found = packed[:, :width].copy()
        if rest:
            found[:, -1] &= 0xFF << (8 - rest) & 0xFF
        return found

    def _classes(self, packed: Codes) -> npt.NDArray[np.int64] | None:
        """Return the centre that each code's prefix snaps to: the nearest, or the first of them."""
        if self.centres is None:
            return None
        prefixes, found = self.prefixes(packed), np.empty(len(packed), np.int64)
        for part in _pieces(len(packed), len(self.centres)):
            away = hamming_distances(prefixes[part], self.centres, self.prefix_bits)
            found[part] = away.argmin(axis=1)
        return found

    def _parts(self, asked: Asked, packed: Codes) -> tuple[Floats, Floats]:
        """Return what differs in the prefix costs, and what differs in the rest."""
        own, bits = self.prefix_bits, self.bits
        if asked.costs is None:
            of_prefix = hamming_distances(self.prefixes(asked.codes), self.prefixes(packed), own)
            of_rest = hamming_distances(asked.codes, packed, bits) - of_prefix
            return asked.least[0, of_prefix], asked.least[0, own + 1 + of_rest]
        ones = unpack(asked.codes, bits)
        # What a 1 of a code adds to what a code of zeros would cost.
        added = np.where(ones, -asked.costs, asked.costs)
        plain, theirs = np.where(ones, asked.costs, 0.0), unpack(packed, bits).astype(np.float64).T
        return (
            plain[:, :own].sum(axis=1)[:, None] + added[:, :own] @ theirs[:own],
            plain[:, own:].sum(axis=1)[:, None] + added[:, own:] @ theirs[own:],
        )


def _pieces(count: int, width: int) -> Iterator[slice]:
    step = max(PIECE // max(width, 1), 1)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
