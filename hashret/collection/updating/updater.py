"""Updating: a catalogue comes to agree with the files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from ...images.reading import Read, Skipped
from ..catalogue import (
    Catalogue,
    Root,
    activate,
    check_encoder,
    encoder_rows,
    enter_encoder,
    roots_of,
    signed,
)
from ..content import digest
from .comparing import begin, compare, note_scan, want_codes
from .encoding import Encoder, Rows, encode_missing, write_images
from .exclusions import Exclusions
from .filing import Look, file_content, file_skipped, looks_among
from .fitting import Fitting, Unfitted
from .report import Report
from .sampling import sampled_looks
from .scanning import Found, Identity, Unreachable, scan

__all__ = ["Reader", "Update", "update"]

T = TypeVar("T")

# Takes (token, absolute path) and yields what became of each, in any order.
Reader = Callable[[Iterable[tuple[int, bytes]]], Iterator[Read | Skipped]]

# A transaction waits for the disk, so several images share one, but none waits longer for its own
# than some seconds.
BATCH = 64
BATCH_SECONDS = 5.0
# Files found between two reports while folders are scanned.
SCANNED = 256

# The bytes are likely known, so that hashing them may spare the decoding: those of the same path
# and size (touched, or changed within a tick), or moved here from elsewhere with their time.
_LIKELY = """content IS NULL AND EXISTS (
    SELECT 1 FROM files JOIN images ON images.content = files.content
    WHERE files.size = looks.size
        AND (files.mtime_ns = looks.mtime_ns OR files.root = looks.root AND files.path = looks.path)
)"""


def update(
    catalogue: Catalogue,
    read: Reader,
    encoders: Sequence[Encoder],
    *,
    unfitted: Sequence[Unfitted] = (),
    replace: bool = False,
    exclusions: Exclusions | None = None,
    leave_out: Sequence[str | bytes] = (),
    one_file_system: bool = False,
    check_content: bool = False,
    retry_skipped: bool = False,
    on_batch: Callable[[Report], object] | None = None,
    on_sample: Callable[[int, int], object] | None = None,
) -> Report:
    """Look at all roots, and read and encode what the catalogue does not know.

    It may be interrupted or killed at any moment: what was written stays, and the next update goes
    on from there. An image is read again only if it lacks a code of one of the encoders.


    Parameters
    ----------
    catalogue : Catalogue
        Open for writing.
    read : callable
        Takes an iterable of (token, path), and yields a :class:`Read` or a :class:`Skipped` for
        each, in any order.
    encoders : sequence of Encoder
        With different names.
    unfitted : sequence of Unfitted
        With other names. They are fitted to a sample of all files, if there is a picture; what was
        read of it is not read again.
    replace : bool
        Where codes under one of the names come from another encoder, make new ones beside them;
        the old ones answer until the new ones are all there, and go then.
    exclusions : Exclusions, optional
    leave_out : sequence of paths
        Folders that are no part of the collection, such as the quarantine; the store is none
        anyway.
    one_file_system : bool
        Leave out folders on which another file system is mounted.
    check_content : bool
        Hash every file, so that one is found whose bytes have changed and whose size and time have
        not.
    retry_skipped : bool
        Read files again that were skipped before.
    on_batch : callable, optional
        Given the report so far after every transaction, and while folders are scanned.
    on_sample : callable, optional
        Called as ``on_sample(pictures_read, pictures_at_most)`` while the sample is read.

    Returns
    -------
    report : Report

    Raises
    ------
    EncoderMismatchError
        If codes under one of the names come from another encoder, and `replace` is not given;
        nothing is changed.
    """
    exclusions = exclusions or Exclusions()
    task = Update(catalogue, encoders, replace, on_batch or (lambda report: None))
    task.scan(exclusions, leave_out, one_file_system)
    task.compare(exclusions, check_content, retry_skipped)
    task.hash_likely()
    if unfitted:
        task.fit(read, unfitted, on_sample or (lambda done, most: None))
    task.read(read)
    return task.finish(exclusions)


class Update:
    """One update, step by step; see :func:`update`."""

    def __init__(
        self,
        catalogue: Catalogue,
        encoders: Sequence[Encoder],
        replace: bool,
        on_batch: Callable[[Report], object],
    ) -> None:
        self._catalogue = catalogue
        self._encoders = [*encoders]
        self._rows: dict[str, int] = {}
        self._replace = replace
        self._on_batch = on_batch
        self._report = Report()
        self._started = time.monotonic()
        self._since_ns = time.time_ns()
        self._roots = {root.id: root.path for root in roots_of(catalogue)}
        for one in encoders:
            if not replace:
                check_encoder(catalogue, one.name, one.fingerprint)

    def scan(
        self, exclusions: Exclusions, leave_out: Sequence[str | bytes], one_file_system: bool
    ) -> None:
        """Find the files of all roots."""
        begin(self._catalogue)
        folders = {row: _identities([path]) for row, path in self._roots.items()}
        beside = _identities([self._catalogue.store, *leave_out])
        for row, path in self._roots.items():
            others = beside.union(*(folders[other] for other in folders if other != row))
            found = scan(path, exclusions, others - folders[row], one_file_system=one_file_system)
            note_scan(self._catalogue, Root(row, path), self._counted(found))
        query = "SELECT count(*) FROM temp.found"
        (self._report.found,) = self._catalogue.execute(query).fetchone()

    def compare(self, exclusions: Exclusions, check_content: bool, retry_skipped: bool) -> None:
        """Bring the states of files up to date, and file those known by their inode."""
        with self._catalogue.transaction():
            back = compare(
                self._catalogue, check_content=check_content, retry_skipped=retry_skipped
            )
            for root, path in back:
                self._report.back.add(self._absolute(root, path))
            for look in self._looks("content IS NOT NULL"):
                self._file(look, look.content or b"")
        self._on_batch(self._report)

    def hash_likely(self) -> None:
        """Hash the files whose bytes are likely known, and file those that are."""
        for looks in _batches(self._looks(_LIKELY)):
            contents = [self._known_content(look) for look in looks]
            with self._catalogue.transaction():
                for look, content in zip(looks, contents, strict=True):
                    if content is not None:
                        self._file(look, content)
            self._on_batch(self._report)

    def fit(
        self, read: Reader, unfitted: Sequence[Unfitted], on_sample: Callable[[int, int], object]
    ) -> None:
        """Read a sample and fit encoders to it; then acknowledge it, with codes of all encoders."""
        most = max(one.sample for one in unfitted)
        fitting = Fitting(self._catalogue, self._encoders, unfitted)
        outcomes: list[Read | Skipped] = []
        contents: set[bytes] = set()

        def told(one: Read | Skipped) -> Read | Skipped:
            if isinstance(one, Read) and one.content not in contents:
                contents.add(one.content)
                on_sample(len(contents), most)
            return one

        for looks in sampled_looks(self._catalogue, most, contents):
            for batch in _batches(map(told, read(self._requests(looks)))):
                fitting.add([one for one in batch if isinstance(one, Read)])
                outcomes += [
                    one.without_pixels() if isinstance(one, Read) else one for one in batch
                ]
        self._encoders += fitting.encoders()
        self._enter()
        self._on_batch(self._report)
        for batch in _batches(outcomes):
            reads = [one for one in batch if isinstance(one, Read)]
            self._acknowledge(batch, fitting.rows(reads))

    def read(self, read: Reader) -> None:
        """Read the other files, and one of each image that lacks a code; file and encode them."""
        self._enter()
        with self._catalogue.transaction():
            want_codes(self._catalogue, self._rows.values())
        query = "SELECT count(*) FROM temp.looks WHERE NOT done"
        (left,) = self._catalogue.execute(query).fetchone()
        self._report.to_read = self._report.read + left
        self._on_batch(self._report)
        for batch in _batches(read(self._requests(self._looks("TRUE")))):
            reads = [one for one in batch if isinstance(one, Read)]
            self._acknowledge(batch, encode_missing(self._catalogue, reads, self._encoders))

    def finish(self, exclusions: Exclusions) -> Report:
        """Drop the rows of what is no part of the collection any more, and complete the report."""
        report = self._report
        self._drop(exclusions)
        self._activate()
        query = "SELECT count(*) FROM files WHERE state = 'other'"
        (report.other,) = self._catalogue.execute(query).fetchone()
        for state, paths in (("missing", report.missing), ("skipped", report.skipped)):
            query = "SELECT root, path, reason FROM files WHERE state = ? ORDER BY root, path"
            for root, path, reason in self._catalogue.execute(query, (state,)):
                paths.add(self._absolute(root, path), reason)
        for root, path, reason in self._catalogue.execute(
            "SELECT root, path, reason FROM temp.unreachable"
        ):
            report.unreachable.add(self._absolute(root, path), reason)
        report.seconds = time.monotonic() - self._started
        return report

    def _counted(self, scanned: Iterable[Found | Unreachable]) -> Iterator[Found | Unreachable]:
        """Count what is found, and tell now and then."""
        for one in scanned:
            yield one
            self._report.found += 1
            if self._report.found % SCANNED == 0:
                self._on_batch(self._report)

    def _looks(self, condition: str) -> Iterator[Look]:
        after = 0
        while looks := looks_among(self._catalogue, condition, after):
            yield from looks
            after = looks[-1].id

    def _known_content(self, look: Look) -> bytes | None:
        """Hash a file; None if it cannot be read, has changed since, or is of no known image."""
        with suppress(OSError):
            content, status = digest(self._absolute(look.root, look.path))
            self._report.hashed += 1
            same = (status.st_size, signed(status.st_mtime_ns)) == (look.size, look.mtime_ns)
            query = "SELECT 1 FROM images WHERE content = ?"
            if same and self._catalogue.execute(query, (content,)).fetchone():
                return content
        return None

    def _enter(self) -> None:
        with self._catalogue.transaction():
            self._rows = {
                one.name: enter_encoder(
                    self._catalogue,
                    one.name,
                    one.fingerprint,
                    one.bits,
                    one.settings,
                    beside=self._replace,
                )
                for one in self._encoders
            }

    def _requests(self, looks: Iterable[Look]) -> Iterator[tuple[int, bytes]]:
        return ((look.id, self._absolute(look.root, look.path)) for look in looks)

    def _acknowledge(self, outcomes: Sequence[Read | Skipped], rows: Rows) -> None:
        """Write a batch: images, codes and files in one transaction."""
        with self._catalogue.transaction():
            reads = [one for one in outcomes if isinstance(one, Read)]
            write_images(self._catalogue, reads, rows, self._rows)
            for outcome in outcomes:
                self._file_outcome(outcome)
        self._report.read += len(outcomes)
        self._report.encoded += len({row.content for row in rows})
        self._on_batch(self._report)

    def _file_outcome(self, outcome: Read | Skipped) -> None:
        (look,) = looks_among(self._catalogue, "TRUE", outcome.token - 1, 1)
        if isinstance(outcome, Read):
            seen = look._replace(size=outcome.size, mtime_ns=signed(outcome.mtime_ns))
            # If it has changed since the scan, it may be another inode, too.
            self._file(seen, outcome.content, changing=seen != look)
        else:
            racy = look.racy(self._since_ns, time.time_ns())
            state = "skipped" if outcome.picture else "other"
            file_skipped(self._catalogue, look, state, outcome.reason, outcome.content, racy)

    def _file(self, look: Look, content: bytes, changing: bool = False) -> None:
        racy = changing or look.racy(self._since_ns, time.time_ns())
        what, before = file_content(self._catalogue, look, content, racy)
        path = self._absolute(look.root, look.path)
        if what == "renamed" and before is not None:
            self._report.renamed.add(path, os.fsdecode(self._absolute(*before)))
        elif what != "same":
            getattr(self._report, what).add(path)

    def _activate(self) -> None:
        """Let the codes of encoders answer that stand beside another one, now that all are there.

        Images that are missing have none, and get theirs when they come back.
        """
        waiting = {*self._rows.values()} - {
            row.id for row in encoder_rows(self._catalogue).values()
        }
        with self._catalogue.transaction():
            for row in waiting:
                activate(self._catalogue, row)

    def _drop(self, exclusions: Exclusions) -> None:
        """Drop the rows of files that are excluded now, or another root's; images stay."""

        def foreign(root: int, path: bytes) -> bool:
            own, absolute = self._roots[root], self._absolute(root, path)
            inner = (other for other in self._roots.values() if len(other) > len(own))
            return any(absolute.startswith(os.path.join(other, b"")) for other in inner)

        query = "SELECT id, root, path FROM files WHERE state = 'missing'"
        rows = [
            (row,)
            for row, root, path in self._catalogue.execute(query)
            if exclusions.excludes_within(path) or foreign(root, path)
        ]
        with self._catalogue.transaction():
            self._catalogue.executemany("DELETE FROM files WHERE id = ?", rows)

    def _absolute(self, root: int, path: bytes) -> bytes:
        return os.path.join(self._roots[root], path) if path else self._roots[root]


def _identities(paths: Iterable[str | bytes]) -> set[Identity]:
    """Return devices and inodes of those folders that can be reached."""
    found: set[Identity] = set()
    for path in paths:
        with suppress(OSError):
            status = os.stat(path)
            found.add((status.st_dev, status.st_ino))
    return found


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield lists of items, each as soon as it is full or old."""
    batch: list[T] = []
    started = time.monotonic()
    for item in items:
        batch.append(item)
        if len(batch) >= BATCH or time.monotonic() - started > BATCH_SECONDS:
            yield batch
            batch, started = [], time.monotonic()
    if batch:
        yield batch
