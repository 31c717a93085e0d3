"""Mutated pictures through worker processes: ``python -m fuzz.decode --minutes 60``, in tests/.

Each round writes some hundred files, mutated ones with sound ones among them, and reads them with
:func:`hashret.images.reading.read_files`, under its limits. It ends with an error and the number of
the round, which ``--round`` repeats, if

- the caller's process fails, a file has no answer or two, or an answer takes longer than it may;
- a worker holds more memory than its limit;
- a sound picture has other pixels than alone.

What ends a worker or is late costs its own file and is no error, but is counted and, with
``--keep FOLDER``, kept to be looked at.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hashret.images.reading import Limits, Read, Skipped, read_files
from hashret.images.reading.image import read_picture

from .mutations import mutated
from .pictures import pictures

SIDE = 48
LIMITS = Limits(pixels=20_000_000, seconds=10.0, memory=2**29)
# What a worker holds beside what it allocates: its code, that of numpy and of the decoders.
BESIDE = 2**28
# On a busy machine a new worker takes its time, too.
START_SECONDS = 60.0
SOUND = 8  # one in so many
FILES = 300

PICTURES = pictures()
PIXELS = {name: read_picture(data, SIDE, LIMITS.pixels).pixels for name, data in PICTURES.items()}


class Watched:
    """The most memory that a child of this process has held, while in its ``with``."""

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for thread in Path("/proc/self/task").glob("*/children"):
                for child in _text(thread).split():
                    self.peak = max(self.peak, _most_held(Path("/proc", child)))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _most_held(process: Path) -> int:
    # Between fork and exec a child has the memory of its parent, and its command.
    if _text(process / "cmdline") == _text(Path("/proc/self/cmdline")):
        return 0
    status = _text(process / "status")
    if "VmHWM:" not in status:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def run_round(seed: int, number: int, keep: Path | None = None, files: int = FILES) -> Counter[str]:
    """Read the files of a round; return how many became what.

    Raises
    ------
    AssertionError
        If something is wrong with what came back.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths, sound = _written(random.Random(f"{seed} {number}"), folder, files)
        given = [(i, os.fsencode(path)) for i, path in enumerate(paths)]
        became: Counter[str] = Counter()
        answered: set[int] = set()
        with Watched() as watched:
            since = time.monotonic()
            for result in read_files(given, side=SIDE, limits=LIMITS, workers=2):
                late, since = time.monotonic() - since, time.monotonic()
                assert late < LIMITS.seconds + START_SECONDS, f"no answer for {late:.0f} s"
                assert result.token not in answered, "a second answer"
                answered.add(result.token)
                kind = _kind(result)
                became[kind] += 1
                if keep is not None and kind in ("ended", "late"):
                    path = paths[result.token]
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{kind}-{seed}-{number}-{path.name}")
                if result.token in sound:
                    assert isinstance(result, Read), f"a sound picture: {result}"
                    expected = PIXELS[sound[result.token]]
                    np.testing.assert_array_equal(result.pixels, expected)
        assert len(answered) == files, "a file without an answer"
        most = LIMITS.memory + BESIDE
        assert watched.peak <= most, f"a worker held {watched.peak >> 20} MiB"
    became["MiB of a worker"] = watched.peak >> 20
    return became


def _written(rng: random.Random, folder: str, files: int) -> tuple[list[Path], dict[int, str]]:
    """Write files; return their paths, and which are sound, with the names of their pictures."""
    paths: list[Path] = []
    sound: dict[int, str] = {}
    names, others = list(PICTURES), list(PICTURES.values())
    for i in range(files):
        name = rng.choice(names)
        data, path = PICTURES[name], Path(folder, f"{i}.{name.partition('-')[0]}")
        if rng.randrange(SOUND) == 0:
            sound[i] = name
        else:
            data = mutated(rng, data, others)
            path = path.with_suffix("") if rng.random() < 0.3 else path
        path.write_bytes(data)
        paths.append(path)
    return paths, sound


def _kind(result: Read | Skipped) -> str:
    if isinstance(result, Read):
        return "read"
    words = {
        "its decoder": "ended",
        "not read within": "late",
        "needs more than": "too large",
        "too many pixels": "too many pixels",
        "no picture": "no picture",
    }
    return next((word for start, word in words.items() if start in result.reason), "refused")


def main() -> None:
    """Run rounds for some minutes, and print what became of the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, default=0, help="the first one")
    parser.add_argument(
        "--keep", type=Path, help="a folder for files that end a worker or are late"
    )
    given = parser.parse_args()
    end, number = time.monotonic() + 60 * given.minutes, given.round
    became: Counter[str] = Counter()
    peak = 0
    while time.monotonic() < end:
        try:
            one = run_round(given.seed, number, given.keep)
        except BaseException:
            print(f"repeat: --seed {given.seed} --round {number}", flush=True)
            raise
        peak = max(peak, one.pop("MiB of a worker"))
        became += one
        number += 1
        counts = ", ".join(f"{count} {kind}" for kind, count in became.most_common())
        print(f"next round {number}: {became.total()} files: {counts}; {peak} MiB", flush=True)


if __name__ == "__main__":
    main()
