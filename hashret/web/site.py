"""A site: one collection, and all that its requests share."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from ..collection import Collection
from ..collection.encoders import TextEncoder
from ..images.reading import Limits
from ..types import Ids
from .bulk import Bulk
from .decoding import Decoder
from .finding import GroupFinder
from .folders import Folders
from .jobs import Job
from .lanes import Busy, Lane, Room
from .library import Library
from .maps import Maps
from .matches import Matches
from .metrics import Metrics
from .pictures import Pictures
from .settings import Settings

__all__ = ["Current", "Site"]

T = TypeVar("T")

_READERS = 4
_WAITING = 2000
# Pixels of the longer side that the largest of our encoders wants.
_UPLOAD_SIDE = 512
_UPLOAD_SECONDS = 20.0


class Site:
    """A collection as it is served; made when the server starts, closed when it ends.

    Parameters
    ----------
    store : path
    settings : Settings
    metrics : Metrics
    load : callable, optional
        As for :class:`.library.Library`.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        settings: Settings,
        metrics: Metrics,
        load: Callable[..., Any] | None = None,
    ) -> None:
        self.settings, self.metrics = settings, metrics
        self.library = Library(store, _READERS, load)
        store = self.library.store
        self.pictures = Pictures(store)
        self.groups = GroupFinder(store)
        self.bulk = Bulk(self.library, self.groups)
        self.maps = Maps(store)
        self.folders = Folders(self.library, self.groups.folder)
        self._matches = Matches()
        self._lock = threading.Lock()
        self._counted: tuple[object, int, dict[str, int]] | None = None
        self._thumbnails: tuple[object, Job] | None = None
        self.uploads = Decoder(
            _UPLOAD_SIDE,
            Limits(pixels=settings.upload_pixels, seconds=_UPLOAD_SECONDS),
            1,
            settings.waiting,
        )
        self.upload_room = Room(1 + settings.waiting)
        self.folder = tempfile.TemporaryDirectory(prefix="hashret-")
        self._texts: dict[str, TextEncoder] = {}
        self._reading = Lane(_READERS, _WAITING)
        # Encoders take all CPUs for one picture.
        self._encoding = Lane(1, settings.waiting)
        self._changing = Lane(1, 50)

    async def read(self, work: Callable[[Collection], T]) -> T:
        """Return what work gives with a collection to read, in a thread."""
        return await self._reading.run(lambda: self._with_reader(work))

    async def encode(self, work: Callable[[Collection], T]) -> T:
        """As :meth:`read`, for work that encodes."""
        return await self._encoding.run(lambda: self._with_encoder(work))

    def matching(self, collection: Collection, where: str, encoder: str | None = None) -> Ids:
        """Return the images that fulfil a filter, of those with a code of an encoder."""
        return self._matches.get(collection, self.library.version, where, encoder)

    def make_ahead(self, collection: Collection) -> None:
        """Have thumbnails of the latest images made, if there are other images than last time."""
        generation = collection.catalogue.generation
        with self._lock:
            known = self._thumbnails
            if self.settings.thumbnails and (
                known is None or (known[0] != generation and known[1].status is not None)
            ):
                job = Job("thumbnails", self.library.store, str(self.settings.thumbnails))
                self._thumbnails = generation, job

    def counts(self, collection: Collection) -> tuple[int, dict[str, int]]:
        """Return how many images there are, and files by state; counted anew after changes."""
        version = self.library.version
        if self._counted is None or self._counted[0] != version:
            catalogue = collection.catalogue
            (images,) = catalogue.execute("SELECT count(*) FROM images").fetchone()
            rows = catalogue.execute("SELECT state, count(*) FROM files GROUP BY state")
            self._counted = version, images, dict(rows.fetchall())
        return self._counted[1:]

    def text_encoder(self, collection: Collection, name: str) -> TextEncoder:
        """Return what makes codes of texts; kept, for it takes a while to load."""
        row = collection.row(name)
        if row.fingerprint not in self._texts:
            self._texts[row.fingerprint] = collection.text_encoder(name)
        return self._texts[row.fingerprint]

    async def change(self, work: Callable[[Collection], T]) -> T:
        """As :meth:`read`, for work that changes the collection; one at a time.

        Raises
        ------
        Busy
            While many groups are decided on.
        """
        if self.bulk.running:
            raise Busy("many groups are being decided on; try again soon")

        def run() -> T:
            with self.library.writer() as collection:
                return work(collection)

        return await self._changing.run(run)

    def close(self) -> None:
        """End all threads and processes."""
        if self._thumbnails is not None:
            self._thumbnails[1].end()
        for part in (
            self.bulk,
            self.pictures,
            self.uploads,
            self.groups,
            self.maps,
            self.folders,
            self.library,
        ):
            part.close()
        self.folder.cleanup()

    def _with_reader(self, work: Callable[[Collection], T]) -> T:
        with self.library.reader() as collection:
            return work(collection)

    def _with_encoder(self, work: Callable[[Collection], T]) -> T:
        return work(self.library.encoding)


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


Current = Annotated[Site, Depends(_site)]
