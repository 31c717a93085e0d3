"""The index: codes with ids, searched by Hamming distance.

Map: :mod:`~hashret.index.index` is the class; :mod:`~hashret.index.arguments` checks what it is
given, :mod:`~hashret.index.filter` prepares sets of ids to search among,
:mod:`~hashret.index.batch` searches for some queries as :mod:`~hashret.index.schedule` divides them
among threads, of which :mod:`~hashret.index.cores` counts how many there may be,
:mod:`~hashret.index.ranked` searches by a ranking rule,
:mod:`~hashret.index.graph` compares every code with all others, :mod:`~hashret.index.explain`
tells what a search did, :mod:`~hashret.index.tuning` how a recall is reached, and
:mod:`~hashret.index.file` reads and writes.
"""

from .explain import Explanation
from .filter import Filter
from .index import Index
from .ranked import Ranked
from .tuning import Tuning

__all__ = ["Explanation", "Filter", "Index", "Ranked", "Tuning"]
