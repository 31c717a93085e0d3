"""A collection of a million images: opening it, searching, updating and cleaning it.

    python -m benchmarks.collection_scale STORE --images 1000000 --photos FOLDER

The catalogue is written straight into SQLite. Codes are PDQ's of real photographs under random
crops, mirrorings and changes of tone, as many as `--photos` gives in `--seconds`; the others are
these with up to half of their bits changed, and are synthetic. The files are there, empty: an
update finds them as they were, and does not read them. It is timed with nothing new, and with a
thousand new images, several times. Finding duplicates is timed in a process of its own, with the
most memory that it took beside what it had when the store was open. Without `--photos` a store
made before is taken.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hashret.collection import Collection
from hashret.collection.catalogue import enter_encoder
from hashret.collection.duplicates import find_duplicates
from hashret.collection.encoders.perceptual import Perceptual
from hashret.collection.queries import of_ids
from hashret.collection.searching import search

from .peak_memory import forget_peak, resident

_ROWS = 50_000
# Updates with new images.
_TURNS = 3


def real_codes(photos: Path, seconds: float, seed: int = 0) -> np.ndarray:
    """Return PDQ's codes of photographs, changed in as many ways as there is time for."""
    from PIL import Image, ImageEnhance

    rng = np.random.default_rng(seed)
    encoder = Perceptual()
    files = sorted(photos.glob("*.jpg"))
    codes: list[np.ndarray] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Image.open(files[rng.integers(len(files))]) as image:
            image.draft("RGB", (256, 256))
            picture = image.convert("RGB").resize((256, 256))
        left, top = rng.integers(0, 64, 2).tolist()
        picture = picture.crop((left, top, left + 192, top + 192))
        picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.7, 1.3)))
        if rng.integers(2):
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        codes.extend(encoder.encode([np.asarray(picture)])[0])
    return np.array(codes)


def enough(codes: np.ndarray, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield so many codes: these, and then these with up to half of the bits changed."""
    rng = np.random.default_rng(seed)
    yield codes[:count]
    for start in range(len(codes), count, _ROWS):
        part = codes[rng.integers(len(codes), size=min(_ROWS, count - start))]
        share = rng.uniform(0, 0.5, (len(part), 1))
        flips = np.packbits(rng.random((len(part), part.shape[1] * 8)) < share, axis=1)
        yield part ^ flips


def write_store(store: Path, folder: Path, codes: np.ndarray, count: int) -> None:
    """Write a catalogue of so many images in a folder with 1,000 files in each of its own."""
    encoder = Perceptual()
    for number in range(count // 1000 + 1):
        os.makedirs(folder / f"{number:04}", exist_ok=True)
    with Collection.create([folder], store) as collection:
        catalogue = collection.catalogue
        with catalogue.transaction():
            row = enter_encoder(catalogue, encoder.name, encoder.fingerprint, 256, encoder.settings)
            first = 1
            for part in enough(codes, count):
                _write_part(catalogue, row, folder, first, part)
                first += len(part)
            catalogue.raise_generation()
        collection.save_indexes()


def _write_part(catalogue: Any, encoder: int, folder: Path, first: int, codes: np.ndarray) -> None:
    numbers = range(first, first + len(codes))
    contents = [number.to_bytes(32, "big") for number in numbers]
    catalogue.executemany(
        "INSERT INTO images VALUES (?, ?, 'JPEG', 4000, 3000, ?)",
        [
            (number, content, f"{2000 + number % 25}-05-17T10:00:00")
            for number, content in zip(numbers, contents, strict=True)
        ],
    )
    catalogue.executemany(
        "INSERT INTO files (root, path, state, content, size, mtime_ns, ctime_ns, device, inode, "
        "racy, link) VALUES (1, ?, 'present', ?, 0, ?, ?, ?, ?, 0, 0)",
        [
            (path, content, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino)
            for content, (path, status) in zip(contents, _made(folder, numbers), strict=True)
        ],
    )
    catalogue.executemany(
        "INSERT INTO codes VALUES (?, ?, ?, 1.0, 1)",
        [(encoder, number, code.tobytes()) for number, code in zip(numbers, codes, strict=True)],
    )


def _made(folder: Path, numbers: range) -> Iterator[tuple[bytes, os.stat_result]]:
    """Make empty files; yield their paths from the folder on, and what the system says of them."""
    for number in numbers:
        path = f"{number // 1000:04}/{number:07}.jpg"
        handle = os.open(folder / path, os.O_CREAT | os.O_WRONLY)
        yield path.encode(), os.fstat(handle)
        os.close(handle)


def time_updates(store: Path, folder: Path, photos: Path) -> None:
    """Time an update with nothing new, and some with a thousand new images each."""
    print(f"update, nothing new: {_update(store)}", flush=True)
    for turn in range(_TURNS):
        _add_photos(photos, folder / f"new {time.time_ns()}")
        print(f"update, 1,000 new images ({turn + 1}): {_update(store)}", flush=True)


def _update(store: Path) -> str:
    start = time.perf_counter()
    with Collection.change(store) as collection:
        report = collection.update()
    seconds = time.perf_counter() - start
    return f"{seconds:.1f} s, {report.found:,} files, {report.encoded:,} encoded"


def _add_photos(photos: Path, folder: Path) -> None:
    """Write a thousand small photographs, no two of equal bytes."""
    from PIL import Image

    folder.mkdir()
    files = sorted(photos.glob("*.jpg"))
    for number in range(1000):
        with Image.open(files[number % len(files)]) as image:
            image.draft("RGB", (256, 256))
            small = image.convert("RGB")
        comment = f"{folder.name} {number}".encode()
        small.save(folder / f"{number}.jpg", quality=50 + number // 50, comment=comment)


def time_duplicates(store: str) -> None:
    """Find all duplicates, and print how long that takes, and how much memory an image."""
    with Collection.open(store) as collection:
        images = len(collection.index("perceptual"))
        before = forget_peak()
        start = time.perf_counter()
        groups = find_duplicates(collection.catalogue, collection.row("perceptual"))
        sizes = np.array([len(one.members) for one in groups])
        seconds = time.perf_counter() - start
        own = resident("VmHWM") - before
    print(
        f"duplicates of {images:,} images: {seconds:.1f} s, {len(sizes):,} groups of "
        f"{sizes.sum():,} copies; {own / images:.0f} bytes an image",
        flush=True,
    )


def measure(store: Path) -> dict[str, float]:
    """Time opening, and searches of one process; seconds, and MiB of its own memory (PSS)."""
    times: dict[str, float] = {}
    start = time.perf_counter()
    collection = Collection.open(store)
    index = collection.index("perceptual")
    times["open"] = time.perf_counter() - start
    filters = {"": None, " taken": "taken >= 2020", " folder": "folder = 0012"}
    for name, where in filters.items():
        start = time.perf_counter()
        search(collection, "perceptual", of_ids(collection, "perceptual", [7]), where=where)
        times[f"search{name}, first"] = time.perf_counter() - start
        start = time.perf_counter()
        search(collection, "perceptual", of_ids(collection, "perceptual", [77]), where=where)
        times[f"search{name}, second"] = time.perf_counter() - start
    times["images"] = len(index)
    rollup = Path("/proc/self/smaps_rollup")
    if rollup.exists():
        lines = rollup.read_text(encoding="ascii").splitlines()
        times["PSS MiB"] = next(int(one.split()[1]) for one in lines if one[:4] == "Pss:") / 1024
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    if given.photos is not None:
        codes = real_codes(given.photos, given.seconds)
        print(f"{len(codes)} codes of real photographs, the others are synthetic", flush=True)
        folder = given.store / "photos"
        os.makedirs(folder, exist_ok=True)
        start = time.perf_counter()
        write_store(given.store / "store", folder, codes, given.images)
        print(f"written in {time.perf_counter() - start:.1f} s", flush=True)
        time_updates(given.store / "store", folder, given.photos)
    duplicates = multiprocessing.get_context("spawn").Process(
        target=time_duplicates, args=(str(given.store / "store"),)
    )
    duplicates.start()
    duplicates.join()
    print(json.dumps({k: round(v, 4) for k, v in measure(given.store / "store").items()}))
    command = [sys.executable, "-m", "hashret", "search", "--id", "7", "--json"]
    command += ["--store", str(given.store / "store")]
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"the whole command: {time.perf_counter() - start:.3f} s", flush=True)


if __name__ == "__main__":
    main()
