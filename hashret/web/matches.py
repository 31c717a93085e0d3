"""The images that fulfil a filter, kept for the next request with the same one."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from ..collection import Collection
from ..collection.filters import matching, parse_filter
from ..types import Ids

__all__ = ["Matches"]

# A million ids take 8 MB.
_MOST = 4 * 10**6


class Matches:
    """Ids by filter, of the collection as it is now; those that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: object = None
        self._kept: OrderedDict[tuple[str, str | None], Ids] = OrderedDict()

    def get(
        self, collection: Collection, version: object, where: str, encoder: str | None = None
    ) -> Ids:
        """Return the images that fulfil a filter, ascending.

        Parameters
        ----------
        collection : Collection
        version : object
            Differs after every change of the collection; looked at before it is read.
        where : str
        encoder : str, optional
            Only those with a code of this one.

        Raises
        ------
        ParameterError
            If `where` is no filter.
        """
        key = where, encoder
        with self._lock:
            if self._version != version:
                self._version = version
                self._kept.clear()
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = matching(collection.catalogue, parse_filter(where))
        if encoder is not None:
            found = found[np.isin(found, collection.index(encoder).ids)]
        with self._lock:
            if self._version == version:
                self._kept[key] = found
                while sum(map(len, self._kept.values())) > _MOST:
                    self._kept.popitem(last=False)
        return found
