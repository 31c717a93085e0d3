"""Two checkouts of hashret beside each other: what takes longer than it did.

Each has a process of its own, with the same data, and both are asked for the same work in turns:
old new, new old, old new, ... Every task prints the new time over the old, as the geometric mean
of its rounds with their quartiles, and the ratio of the best times.

    git worktree add ../old v0.1.0      # and build it: setup.py build_ext --inplace
    python -m benchmarks.versus --old ../old
    HASHRET_ISA=avx2 python -m benchmarks.versus --old ../old --only search
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], object]
TASKS: dict[str, Callable[[], Work]] = {}
ROOT = Path(__file__).parent.parent
CODES = 1_000_000
# A turn is at least so long: what is short is repeated.
TURN_SECONDS = 0.03


def task(name: str) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Register what makes the data of a task and returns its work."""

    def enter(make: Callable[..., Work]) -> Callable[..., Work]:
        TASKS[name] = make
        return make

    return enter


def _random(count: int, bits: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (count, bits // 8), dtype=np.uint8)


def _index(kind: str, codes: Any, **options: Any) -> Any:
    import hashret

    index = hashret.Index(codes.shape[1] * 8, kind, **options)
    index.add(codes)
    if hasattr(index, "compact"):  # an older one sorts all codes when it is first searched
        index.compact()
    index.search(codes[:1], 1)
    return index


def _search(kind: str, count: int, bits: int, queries: int, k: int, **options: Any) -> Work:
    codes = _random(count, bits)
    # Not one query again and again, whose buckets would be in the cache.
    several = queries if queries > 1 else min(count, 3000)
    # Half of the bits of each byte as they are in some code, so that buckets are not empty.
    asked = codes[:several] ^ (_random(several, bits, 1) & _random(several, bits, 2) & 0x11)
    index, calls = _index(kind, codes, **options), itertools.cycle(range(0, several, queries))

    def work() -> None:
        start = next(calls)
        index.search(asked[start : start + queries], k, threads=1)

    return work


for _kind in ("scan", "mih", "auto"):
    TASKS[f"search {_kind}, one of 1,000"] = partial(_search, _kind, 1000, 64, 1, 10)
    TASKS[f"search {_kind}, one"] = partial(_search, _kind, CODES, 64, 1, 10)
    TASKS[f"search {_kind}, batch"] = partial(_search, _kind, CODES, 64, 100, 10)
for _bits in (128, 256, 512):
    TASKS[f"search scan, batch, {_bits} bits"] = partial(
        _search, "scan", CODES * 64 // _bits, _bits, 100, 10
    )
TASKS["search scan, batch, k = 1000"] = partial(_search, "scan", CODES, 64, 20, 1000)
TASKS["search lsh, batch"] = partial(_search, "lsh", CODES, 64, 100, 10, tables=4)


@task("range search, batch")
def _range() -> Work:
    codes = _random(CODES, 64)
    return partial(_index("auto", codes).range_search, codes[:50], 8, threads=1)


@task("search of 3,000 different codes, batch")
def _collapsed() -> Work:
    codes = _random(3000, 64)[np.random.default_rng(1).integers(3000, size=CODES)]
    return partial(_index("auto", codes).search, codes[:100], 100, threads=1)


@task("search with a filter")
def _filtered() -> Work:
    codes = _random(CODES, 64)
    allowed = np.random.default_rng(1).random(CODES) < 0.1
    return partial(_index("auto", codes).search, codes[:10], 10, filter=allowed, threads=1)


@task("add and sort")
def _add() -> Work:
    codes = _random(CODES, 64)

    def work() -> None:
        _index("mih", codes)

    return work


@task("change and search")
def _change() -> Work:
    codes = _random(CODES, 64)
    index = _index("auto", codes)
    ids = iter(np.random.default_rng(1).permutation(CODES))

    def work() -> None:
        index.update(codes[:1], [next(ids)])
        index.search(codes[1:2], 10, threads=1)

    return work


@task("duplicates")
def _duplicates() -> Work:
    return partial(_index("auto", _random(CODES // 10, 64)).duplicates, 6, threads=1)


@task("pairs")
def _pairs() -> Work:
    return partial(_index("auto", _random(CODES // 10, 64)).pairs, 6, threads=1)


@task("neighbor graph")
def _graph() -> Work:
    return partial(_index("auto", _random(CODES // 50, 64)).neighbor_graph, 5, threads=1)


@task("save and load")
def _save() -> Work:
    import hashret

    index = _index("auto", _random(CODES, 64))
    path = Path(tempfile.mkdtemp(), "index.hri")

    def work() -> None:
        index.save(path)
        hashret.Index.load(path)

    return work


def _features() -> Any:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(5000, 64)) @ rng.normal(size=(64, 324))).astype(np.float32)


def _encoder(name: str) -> Any:
    from hashret import encoders

    options = {} if name in ("PCAHashing", "SpectralHashing") else {"random_state": 0}
    return getattr(encoders, name)(32, **options)


def _fit(name: str) -> Work:
    return partial(_encoder(name).fit, _features())


def _encode(name: str) -> Work:
    features = _features()
    return partial(_encoder(name).fit(features).transform, features)


for _name in ("RandomProjectionLSH", "PCAHashing", "ITQ", "SpectralHashing"):
    TASKS[f"encoder {_name}, fit"] = partial(_fit, _name)
    TASKS[f"encoder {_name}, transform"] = partial(_encode, _name)


@task("features hog")
def _hog() -> Work:
    from hashret.features import hog

    return partial(hog, np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8))


def _folder(suffix: str, side: int, count: int, size: tuple[int, int] | None) -> Work:
    from PIL import Image

    from hashret.datasets.folder import image_folder

    folder = Path(tempfile.mkdtemp())
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
        small.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number}.{suffix}")
    return partial(image_folder, folder, size=size)


TASKS["folder of PNG, 28x28"] = partial(_folder, "png", 28, 300, None)
TASKS["folder of JPEG, 1024x1024 to 96x96"] = partial(_folder, "jpg", 1024, 40, (96, 96))
TASKS["folder of JPEG, 256x256"] = partial(_folder, "jpg", 256, 100, None)


def _hasher(epochs: int) -> tuple[Any, Any, Any]:
    from hashret.deep import DeepHasher

    images = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), np.uint8)
    hasher = DeepHasher(bits=16, epochs=epochs, random_state=0, progress=None)
    return hasher, images, np.arange(2000) % 10


@task("deep fit")
def _deep_fit() -> Work:
    hasher, images, labels = _hasher(1)
    return partial(hasher.fit, images, labels)


@task("deep transform")
def _deep_transform() -> Work:
    hasher, images, labels = _hasher(1)
    return partial(hasher.fit(images, labels).transform, images)


@task("score")
def _score() -> Work:
    from hashret.evaluation import average_precision, distance_histograms

    codes = _random(20_000, 64)
    labels = np.arange(20_000) % 10
    return lambda: average_precision(
        distance_histograms(codes[:500], codes, 64, labels[:500], labels)
    )


def serve(clock: Callable[[], float]) -> None:
    """Make the data of each task that is named, then do its work as often as is asked."""
    import hashret

    print(Path(hashret.__file__).parent.parent, hashret.cpu()["isa"], flush=True)
    work: Work = TASKS["score"]
    for line in sys.stdin:
        order, _, name = line.strip().partition(" ")
        if order == "make":
            work = TASKS[name]()
            work()
            print("made", flush=True)
        else:
            start = clock()
            for _ in range(int(name)):
                work()
            print(clock() - start, flush=True)


class Side:
    """One checkout, in a process of its own."""

    def __init__(self, checkout: Path, cpu: bool) -> None:
        command = [sys.executable, "-P", __file__, "--serve", *(["--cpu"] if cpu else [])]
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.said = self._read()
        found = Path(self.said.rsplit(" ", 1)[0])
        if found != checkout:
            raise SystemExit(f"{checkout}: its hashret does not run, that of {found} does")

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"a process ended: {self.process.args!r}")
        return line

    def ask(self, order: str) -> str:
        """Send an order, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self._read()


def compare(name: str, old: Side, new: Side, rounds: int) -> tuple[list[float], float]:
    """Return the ratio new / old of every round, and that of the best times."""
    for side in (old, new):
        side.ask(f"make {name}")
    once = min(float(side.ask("run 1")) for side in (old, new))
    times = max(1, math.ceil(TURN_SECONDS / once))
    taken: dict[Side, list[float]] = {old: [], new: []}
    for number in range(rounds):
        for side in (old, new) if number % 2 else (new, old):
            taken[side].append(float(side.ask(f"run {times}")))
    ratios = [after / before for before, after in zip(taken[old], taken[new], strict=True)]
    return ratios, min(taken[new]) / min(taken[old])


def main() -> None:
    """Compare, a line a task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--old", type=Path, help="a checkout with its extension built in place")
    parser.add_argument("--new", type=Path, default=ROOT, help="by default this one")
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of names of tasks")
    parser.add_argument("--cpu", action="store_true", help="processor time, on busy machines")
    parser.add_argument("--rounds", type=int, default=20, help="(default: %(default)s)")
    options = parser.parse_args()
    if options.serve:
        return serve(time.process_time if options.cpu else time.perf_counter)
    if options.old is None:
        parser.error("--old: expected a checkout")
    old, new = (Side(path.resolve(), options.cpu) for path in (options.old, options.new))
    print(f"old: {old.said}\nnew: {new.said}\n{'new / old':>42}  quartiles     best")
    for name in TASKS:
        if name.startswith(tuple(options.only)):
            ratios, best = compare(name, old, new, options.rounds)
            low, _, high = statistics.quantiles(ratios, n=4)
            mean = statistics.geometric_mean(ratios)
            print(f"{name:36} {mean:5.2f}  {low:.2f} to {high:.2f}  {best:.2f}", flush=True)
    return None


if __name__ == "__main__":
    main()
