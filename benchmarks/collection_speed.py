"""How long a collection takes to index, beside bare decoding, and its memory.

    python -m benchmarks.collection_speed FOLDER --encoders hog
    python -m benchmarks.collection_speed FOLDER --encoders perceptual --bare
    python -m benchmarks.collection_speed FOLDER --encoders photo --network

Each encoder indexes the folder into a new store, and once more with nothing new, in a process of
its own; memory is the sum of PSS of that process and its workers, looked at five times a second
(Linux). `--bare` decodes the same JPEG files in as many processes as there are cores, at the
reduced scale that leaves 512 pixels, and does nothing else with them. `--network` describes
pictures that lie in memory, the first two thousand of the folder, by the encoder's network, and
does nothing else. Milliseconds of processor an image are of all processes together, and hardly
depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hashret import cpu
from hashret.collection import Collection

_SIDE = 512
# Pictures that are held in memory, and that go to a network at a time.
_DESCRIBED, _AT_ONCE = 2000, 64


def indexed(folder: str, store: str, encoders: list[str]) -> None:
    """Index twice, and print images, seconds and seconds of processor of each."""
    for _ in range(2):
        start, busy = time.perf_counter(), processor()
        with Collection.create([folder], store) as collection:
            report = collection.update(encoders)
        print(report.found, time.perf_counter() - start, processor() - busy, flush=True)


def processor() -> float:
    """Return the seconds of processor of this process and of those it started that have ended."""
    spent = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def measured(folder: str, encoders: list[str]) -> str:
    """Index in another process, and tell its speed and memory."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-m", "benchmarks.collection_speed", folder, "--into", store]
        process = subprocess.Popen(
            [*command, "--encoders", ",".join(encoders)], stdout=subprocess.PIPE, text=True
        )
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(pss, family(process.pid))))
            time.sleep(0.2)
        assert process.stdout is not None
        first, second = (line.split() for line in process.stdout.read().splitlines())
    images, seconds, busy = int(first[0]), float(first[1]), float(first[2])
    speed = f"{images:,} images in {seconds:.1f} s: {images / seconds:,.0f}/s, "
    speed += f"{1000 * busy / images:.2f} ms of processor"
    again = f"nothing new {float(second[1]):.1f} s"
    return f"{'+'.join(encoders):<20} {speed}; {again}; peak PSS {most / 2**10:.0f} MiB"


def family(pid: int) -> Iterator[int]:
    """Yield a process and its children, theirs too."""
    yield pid
    for children in Path("/proc", str(pid), "task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue
        for child in found:
            yield from family(int(child))


def pss(pid: int) -> int:
    """Return the memory of a process in KiB, what it shares divided among those that do."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def decoded(path: str) -> tuple[int, int, float]:
    """Decode a JPEG at a reduced scale; return its whole size, and the seconds of processor."""
    from PIL import Image

    start = time.process_time()
    with Image.open(path) as image:
        size = image.size
        image.draft("RGB", (_SIDE, _SIDE * size[1] // size[0]))
        image.load()
    return *size, time.process_time() - start


def bare(folder: str) -> str:
    """Decode and do nothing else."""
    files = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(decoded, files[: 2 * cores]))
        start = time.perf_counter()
        found = list(pool.map(decoded, files, chunksize=8))
    seconds = time.perf_counter() - start
    megapixels = sum(width * height for width, height, _ in found) / 1e6
    busy = 1000 * sum(each for *_, each in found) / len(found)
    return (
        f"{'bare decoding':<20} {len(files):,} images in {seconds:.1f} s: "
        f"{len(files) / seconds:,.0f}/s, {busy:.2f} ms of processor, "
        f"{megapixels / seconds:,.0f} megapixels/s"
    )


def described(folder: str, encoder: str) -> str:
    """Describe pictures that are read already, and do nothing else."""
    from hashret.collection.encoders.naming import _FEATURES
    from hashret.collection.encoders.photo import PhotoFeatures
    from hashret.images.reading import Read, read_files

    files = sorted(os.fsencode(path) for path in Path(folder).rglob("*.jpg"))[:_DESCRIBED]
    found = read_files(list(enumerate(files)), side=_SIDE)
    pictures = [each.pixels for each in found if isinstance(each, Read)]
    settings = _FEATURES[encoder]
    features = PhotoFeatures(settings["network"], settings["size"])
    features.describe(pictures[:_AT_ONCE])
    start, busy = time.perf_counter(), processor()
    for first in range(0, len(pictures), _AT_ONCE):
        features.describe(pictures[first : first + _AT_ONCE])
    seconds, busy = time.perf_counter() - start, processor() - busy
    return (
        f"{'network alone':<20} {len(pictures):,} images in {seconds:.1f} s: "
        f"{len(pictures) / seconds:,.0f}/s, {1000 * busy / len(pictures):.2f} ms of processor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--encoders", default="hog", help="names with commas between")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--into", help=argparse.SUPPRESS)
    given = parser.parse_args()
    encoders = given.encoders.split(",")
    if given.into:
        indexed(given.folder, given.into, encoders)
        return
    print(f"{cpu()['isa']}, {len(os.sched_getaffinity(0))} cores")
    for _ in range(given.rounds):
        if given.bare:
            print(bare(given.folder), flush=True)
        if given.network:
            print(described(given.folder, encoders[0]), flush=True)
        print(measured(given.folder, encoders), flush=True)


if __name__ == "__main__":
    main()
