"""All units of a plan: here, or as tasks of Ray."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ...checks import check_int
from ...errors import ConflictError, EncoderMismatchError
from ...images.reading import Limits
from ..index import ShardedIndex
from ..location import open_location
from ..manifest import Shard
from .bounds import Bounds
from .encoders import EncoderSource
from .plan import SHARD_FILES, Listed, Plan, Unit, listed, numbered
from .tasks import Tasks
from .unit import Work, encode_unit, receipt_of

__all__ = ["Encoded", "encode"]

# Of writing the manifest, when others write, too.
_COMMITS = 10


@dataclass
class Encoded:
    """What :func:`encode` did.

    Attributes
    ----------
    files : int
        That were new.
    codes : int
        Of them that have one now.
    shards : int
        That were written; `kept` were there from a run that was interrupted.
    failures : list of (id, path, reason)
        Of all files of the index, those that have no code.
    unreachable : list of (path, reason)
        Folders that could not be looked into, archives that are damaged, what in archives is
        refused, and files of shards that are lost.
    """

    files: int = 0
    codes: int = 0
    shards: int = 0
    kept: int = 0
    failures: list[tuple[int, bytes, str]] = field(default_factory=list)
    unreachable: list[tuple[bytes, str]] = field(default_factory=list)


def encode(
    location: str | os.PathLike[str],
    sources: Iterable[str | os.PathLike[str]],
    *,
    encoder: str = "perceptual",
    ray: bool = False,
    shard_files: int = SHARD_FILES,
    retry_failed: bool = False,
    limits: Limits | None = None,
    workers: int | None = None,
    bounds: Bounds | None = None,
    cache: str | os.PathLike[str] | None = None,
    on_unit: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Encode the pictures of folders into a sharded index, which is made if there is none.

    Which file goes into which shard, with which id, is fixed before any is read: new files in the
    order of their paths. So the index does not depend on who is done when. A shard is written
    whole, then noted as done: one that is done is not done again, whoever was interrupted. All
    become part of the index at once, at the end. A shard of the index whose file is not there is
    written again from the same pictures.

    Parameters
    ----------
    location : path-like or str
        Of the index; every machine of the cluster has to reach it, as it has the sources.
    sources : iterable of path-like
        Files, and folders; a file that ends in ``.tar`` (a WebDataset) or ``.parquet`` has pictures
        in it.
    encoder : str
        ``perceptual``, ``borderless``, or the file of a saved encoder or ONNX model.
    ray : bool
        Give the shards to the tasks of a Ray cluster, see :func:`.connect`; otherwise this process
        does them, one after another.
    shard_files : int
        Files of a shard, at most.
    retry_failed : bool
        Read files again that failed before.
    limits : Limits, optional
        Of one file.
    workers : int, optional
        Processes that read the files of a shard; on a cluster 1, elsewhere one a CPU by default.
    bounds : Bounds, optional
        What a task may take on a cluster. One that takes more, or dies, is given out again, and
        after some attempts its files are failures.
    cache : path-like, optional
        As for :class:`.ShardedIndex`.
    on_unit : callable, optional
        Called with how many shards are done, and how many there are.

    Returns
    -------
    Encoded

    Raises
    ------
    EncoderMismatchError
        If the index has codes of another encoder.
    ParameterError
        If a source is not there, or an encoder would have to be fitted first.
    """
    size = check_int("shard_files", shard_files, 1)
    source = EncoderSource.of(encoder)
    with _opened(location, source, cache) as index:
        report = Encoded()
        found = listed(sources)
        report.unreachable = found.unreachable
        plan = _plan(index, found, size, retry_failed)
        done: dict[str, Shard] = {}
        units = list(plan.units)
        # Those that are to be read again are not done by what they were before.
        known = {} if retry_failed else _known(index, units)
        report.kept, report.files = len(known), len(plan.files)
        done |= known
        lost = _lost(index, found)
        left = [unit for unit in units if unit.receipt not in known] + list(lost)
        if left:
            tell = on_unit or (lambda done, total: None)
            total = len(known) + len(left)
            tell(len(done), total)
            head = replace(index.manifest, shards=())
            count = workers or (1 if ray else len(os.sched_getaffinity(0)))
            work = Work(index.location, source, head, limits or Limits(), count)
            run = Tasks(work, bounds or Bounds()).run(left) if ray else _here(left, work)
            for receipt, shard in run:
                done[receipt] = shard
                tell(len(done), total)
        report.unreachable += _not_mended(index, lost, done)
        shards = [done[unit.receipt] for unit in units]
        report.shards, report.codes = len(left), sum(shard.count for shard in shards)
        # Of a unit without a picture there is nothing to keep.
        _commit(index, [shard for shard in shards if shard.table], plan.next_id)
        report.failures = index.failures()
        return report


def _opened(location: Any, source: EncoderSource, cache: Any) -> ShardedIndex:
    made = source.make()
    try:
        return ShardedIndex(location, encoder=made.fingerprint, cache=cache)
    except FileNotFoundError:
        pass
    except EncoderMismatchError as error:
        raise EncoderMismatchError(f"{error}; encode with that, or into another place") from None
    try:
        return ShardedIndex.create(location, made.bits, encoder=made.fingerprint, cache=cache)
    except ConflictError:
        return ShardedIndex(location, encoder=made.fingerprint, cache=cache)


def _plan(index: ShardedIndex, found: Listed, size: int, retry_failed: bool) -> Plan:
    fingerprint = index.encoder or ""
    if retry_failed:
        wanted = set(found.paths)
        again = sorted((id, path) for id, path, _ in index.failures() if path in wanted)
        return Plan(tuple(again), fingerprint, size, found.archives)
    known = index.known_paths()
    new = [path for path in found.paths if path not in known]
    return Plan(numbered(new, index.manifest.next_id), fingerprint, size, found.archives)


def _known(index: ShardedIndex, units: list[Unit]) -> dict[str, Shard]:
    location = open_location(index.location)
    found = ((unit.receipt, receipt_of(location, unit)) for unit in units)
    return {receipt: shard for receipt, shard in found if shard is not None}


def _lost(index: ShardedIndex, found: Listed) -> dict[Unit, Shard]:
    """Return the shards whose files are lost, by what encodes them again as they were."""
    lost = {}
    for shard, files in index.lost():
        plan = Plan(tuple(files), index.encoder or "", max(len(files), 1), found.archives)
        # Of a shard without codes there is no picture to read.
        lost[next(plan.units, Unit(f"plans/{plan.name}/00000000.json", ()))] = shard
    return lost


def _not_mended(
    index: ShardedIndex, lost: dict[Unit, Shard], done: dict[str, Shard]
) -> list[tuple[bytes, str]]:
    """Return the shards that are still lost: their pictures do not give the same file again."""
    return [
        (
            os.fsencode(f"{index.location}/files/{shard.index.name}"),
            "not there, and its pictures have changed or gone since: put it back from a copy",
        )
        for unit, shard in lost.items()
        if done[unit.receipt].index != shard.index
    ]


def _here(units: list[Unit], work: Work) -> Iterator[tuple[str, Shard]]:
    for unit in units:
        yield unit.receipt, encode_unit(unit, work)


def _commit(index: ShardedIndex, shards: list[Shard], next_id: int) -> None:
    """Add shards to the latest state; they have ids that nothing else has, or it is an error."""
    for attempt in range(_COMMITS):
        try:
            index.add_shards(shards, next_id)
            return
        except ConflictError:
            if attempt == _COMMITS - 1:
                raise
            index.refresh()
