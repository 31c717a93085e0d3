"""A collection: folders of photographs, and what is known of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..errors import FormatError, HashretError, ParameterError
from ..index import Index, Ranked
from ..ranking import Rule, rule_from
from .catalogue import (
    Catalogue,
    EncoderRow,
    add_root,
    encoder_rows,
    read_catalogue,
    roots_of,
    write_catalogue,
)
from .indexes import load_index, save_index
from .settings import Settings, change_settings, read_settings
from .store import STORE, find_store

if TYPE_CHECKING:
    from ..images.reading import Limits
    from .encoders import TextEncoder
    from .updating import Encoder, Report

# A search among codes that are there takes less time than the import of what makes them, or of
# what removes files: that is imported where it is used.

__all__ = ["Collection"]


class Collection:
    """Folders of photographs that are searched, and kept up with their changes.

    Made by :meth:`create`, :meth:`open` and :meth:`change`; to be closed, or used in a ``with``.

    Parameters
    ----------
    catalogue : Catalogue

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (64, 64), "red").save(f"{folder}/red.png")
    ...     with Collection.create([folder]) as collection:
    ...         report = collection.update(["perceptual"])
    ...         report.found, len(collection.index("perceptual"))
    (1, 1)
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._encoders: dict[str, Encoder] = {}
        self._indexes: dict[str, tuple[tuple[int, int], Index]] = {}
        self._ranked: dict[str, tuple[Index, Ranked]] = {}
        self._rules: dict[str, Rule] = {}
        self._load: Callable[[Catalogue, EncoderRow], Any] = load_index

    @classmethod
    def create(
        cls, roots: Sequence[str | os.PathLike[str]], store: str | os.PathLike[str] | None = None
    ) -> Self:
        """Open a collection for changing it, with these folders added; make it if there is none.

        Parameters
        ----------
        roots : sequence of paths
            At least one.
        store : path, optional
            Where to keep what is known of them; by default in the first folder, as ``.hashret``.

        Raises
        ------
        NotADirectoryError
            If one is no folder.
        LockedError
            If another process is changing the collection.
        """
        if not roots and store is None:
            raise ParameterError("roots: expected a folder, got none")
        for root in roots:
            if not os.path.isdir(root):
                raise NotADirectoryError(f"{os.fspath(root)}: no folder")
        collection = cls(write_catalogue(str(store or os.path.join(roots[0], STORE))))
        try:
            for root in roots:
                add_root(collection.catalogue, os.fspath(root))
            collection._recover()
        except BaseException:
            collection.close()
            raise
        return collection

    @classmethod
    def open(cls, path: str | os.PathLike[str] = ".") -> Self:
        """Open the collection that a folder lies in, for reading.

        Parameters
        ----------
        path : path
            A store, or a folder with one or inside such a folder; see :func:`.store.find_store`.

        Raises
        ------
        HashretError
            If there is none.
        """
        return cls(read_catalogue(find_store(path)))

    def again(self) -> Self:
        """Open it once more for reading, by another thread; indexes and encoders are shared."""
        other = type(self)(read_catalogue(self.store))
        other._encoders, other._indexes = self._encoders, self._indexes
        other._ranked, other._rules = self._ranked, self._rules
        other._load = self._load
        return other

    @classmethod
    def change(cls, path: str | os.PathLike[str] = ".") -> Self:
        """Open the collection that a folder lies in, as the one process that changes it."""
        collection = cls(write_catalogue(find_store(path)))
        try:
            collection._recover()
        except BaseException:
            collection.close()
            raise
        return collection

    @property
    def store(self) -> str:
        """The folder of the store."""
        return self.catalogue.store

    @property
    def roots(self) -> list[str]:
        """The folders."""
        return [os.fsdecode(root.path) for root in roots_of(self.catalogue)]

    @property
    def settings(self) -> Settings:
        """How it is updated."""
        return read_settings(self.catalogue)

    def configure(self, **changes: Any) -> None:
        """Change how it is updated, now and later; see :class:`.settings.Settings`."""
        change_settings(self.catalogue, **changes)

    @property
    def encoders(self) -> dict[str, EncoderRow]:
        """The encoders of which there are codes, by name."""
        return encoder_rows(self.catalogue)

    @property
    def default_encoders(self) -> tuple[Sequence[str], str | None]:
        """The encoders of a new collection by name, and what is missing for others.

        None where there are codes already.
        """
        from .encoders import default_encoders

        return ([], None) if self.encoders else default_encoders()

    def encoder(self, name: str) -> Encoder:
        """Return the encoder whose codes the collection has under a name."""
        row = self.row(name)
        if row.fingerprint not in self._encoders:
            from .encoders import encoder_of

            self._encoders[row.fingerprint] = encoder_of(row, self.store)
        return self._encoders[row.fingerprint]

    def text_encoder(self, name: str) -> TextEncoder:
        """Return what makes codes of texts that are searched for among those of an encoder."""
        from .encoders import TextEncoder

        return TextEncoder(self.row(name), self.store)

    def index(self, name: str) -> Index:
        """Return the index of an encoder's codes, by the ids of images, up to date."""
        generation = self.catalogue.generation
        known = self._indexes.get(name)
        if known is None or known[0] != generation:
            self._indexes[name] = known = generation, self._load(self.catalogue, self.row(name))
        return known[1]

    def ranking(self, name: str) -> Rule | None:
        """Return the rule by which an encoder's codes are ranked; None: by Hamming distance."""
        row = self.row(name)
        saved = row.settings.get("ranking")
        if saved is None:
            return None
        # The fingerprint tells the rule, too.
        if row.fingerprint not in self._rules:
            self._rules[row.fingerprint] = rule_from(self._kept(saved))
        return self._rules[row.fingerprint]

    def ranked(self, name: str) -> Ranked | None:
        """Return the index of an encoder's codes as its ranking rule orders it, if it has one."""
        index, rule = self.index(name), self.ranking(name)
        if rule is None:
            return None
        known = self._ranked.get(name)
        if known is None or known[0] is not index:
            if not isinstance(index, Index):
                raise ParameterError(
                    f"encoder {name!r}: has a ranking rule, which needs its codes in one index"
                )
            self._ranked[name] = known = index, index.ranked(rule)
        return known[1]

    def search_by(self, load: Callable[[Catalogue, EncoderRow], Any]) -> None:
        """Search what `load` opens, which answers as an index does: shards on a cluster, say.

        Parameters
        ----------
        load : callable
            From the catalogue and the row of an encoder to the index of its codes, up to date.
        """
        self._load = load

    def update(
        self,
        encoders: Sequence[str] = (),
        *,
        limits: Limits | None = None,
        workers: int | None = None,
        replace: bool = False,
        check_content: bool = False,
        retry_skipped: bool = False,
        forget: bool = False,
        forget_offline: bool = False,
        on_sample: Callable[[int, int], object] | None = None,
        on_batch: Callable[[Report], object] | None = None,
    ) -> Report:
        """Look at all folders, and read and encode what is new; see :func:`.updating.update`.

        What belongs to the collection is told by its :attr:`settings`.

        Parameters
        ----------
        encoders : sequence of str
            By name, or as the path of a file, see :func:`.encoders.new_encoder`; those whose codes
            the collection has already are used, too. What is fitted to the collection is so when
            it has a picture.
        limits : Limits, optional
            Of what one file may cost.
        workers : int, optional
            Processes that read files.
        forget : bool
            Forget what is missing and not offline, as :func:`.catalogue.forget_missing` does.
        forget_offline : bool
            Forget what is missing, wherever it went, and folders that cannot be reached, see
            :func:`.catalogue.drop_unreachable`.
        replace, check_content, retry_skipped, on_batch, on_sample
            As in :func:`.updating.update`.
        """
        from .refreshing import refresh

        return refresh(
            self.catalogue,
            encoders,
            self.encoder,
            limits=limits,
            workers=workers,
            replace=replace,
            check_content=check_content,
            retry_skipped=retry_skipped,
            forget=forget,
            forget_offline=forget_offline,
            on_sample=on_sample,
            on_batch=on_batch,
        )

    def save_indexes(self) -> None:
        """Write the files of the indexes that are not there, or far behind."""
        for row in self.encoders.values():
            save_index(self.catalogue, row)

    def _kept(self, ranking: Any) -> Any:
        """Return a rule's JSON, which lies in a file of the store if it is long."""
        if not isinstance(ranking, str):
            return ranking
        from .encoders import kept

        path = kept(self.store, ranking)
        with open(path, "rb") as file:
            try:
                return json.load(file)
            except (ValueError, RecursionError) as error:
                raise FormatError(f"{path}: damaged: {error}") from error

    def row(self, name: str) -> EncoderRow:
        """Return what the catalogue knows of an encoder.

        Raises
        ------
        HashretError
            If there are no codes of it.
        """
        rows = self.encoders
        if name not in rows:
            known = ", ".join(rows) or "none yet"
            raise HashretError(f"encoder {name!r}: the collection has no codes of it; of: {known}")
        return rows[name]

    def _recover(self) -> None:
        """Finish or take back the removals that were interrupted."""
        from .removing import recover

        recover(self.catalogue)

    def close(self) -> None:
        """Close the catalogue; others may change it then."""
        self._indexes.clear()
        self._ranked.clear()
        self.catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
