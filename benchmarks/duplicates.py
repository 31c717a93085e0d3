"""How many copies of real photographs duplicates are found of, and what is taken for one falsely.

    python -m benchmarks.duplicates PHOTOS [--count 100] [--peer PYTHON] [--rows FILE]
        [--pictures FOLDER]

PHOTOS is a folder of different photographs; nothing of it is published. Their bytes divide them in
two halves (by SHA-256). Of each half, some are copied as :mod:`.duplicate_files` does, others are
frames of bursts; blanks and documents of one template are drawn, of another template in each half.
Every contender reads the same files. A pair is a copy and an original: true if it is its own.
False pairs are also those among originals and negatives.

The radius is chosen on the first half, and everything is judged on the second. The table has the
recall at the largest radius at which precision is at least 0.99, for every contender.

PYTHON is an interpreter with imagededup; its network's weights are not to be had offline.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hashret import cpu
from hashret.collection.duplicates import RADIUS
from hashret.collection.duplicates.mirrored import transformed
from hashret.collection.duplicates.rules import PLAIN
from hashret.collection.encoders.perceptual import Borderless, Perceptual
from hashret.images.reading import Read, read_files

from .duplicate_curves import draw
from .duplicate_files import COPIES, EASY, TURNED, make

PRECISION = 0.99
# The radius that is chosen is the smallest that finds so many of the copies of EASY.
RECALL = 0.99
EASY_ONES = "re-encoded, resized, re-toned"
FRAMED = "framed, captioned, on a screen"
KINDS = {
    **{kind: (kind,) for kind in COPIES},
    EASY_ONES: EASY,
    FRAMED: ("border", "caption bar", "screenshot"),
}
HALVES = ("first half", "second half")
# Radii that the page shows.
SHOWN = (24, RADIUS, 40, 48, 52, 56, 60, 64)

File = tuple[str, str, str]
# By contender: codes by way of encoding, which of them are plain, and images a CPU second.
Codes = dict[str, tuple[Any, Any, float]]


def halves(photos: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Divide photographs in two by their bytes, in an order that has nothing to do with names."""
    named = sorted((hashlib.sha256(path.read_bytes()).digest(), path) for path in photos)
    first, second = ([path for name, path in named if name[-1] % 2 == odd] for odd in (0, 1))
    return first, second


def cpu_seconds() -> float:
    """Return the time that CPUs have spent for this process and those it has waited for."""
    return sum(os.times()[:4])


def ours(folder: Path, names: list[str]) -> tuple[Any, Any, float]:
    encoders = Perceptual(), Borderless()
    codes = np.zeros((2, len(names), 32), np.uint8)
    plain = np.ones((2, len(names)), bool)
    start = cpu_seconds()
    requests = ((row, os.fsencode(folder / name)) for row, name in enumerate(names))
    for read in read_files(requests, side=encoders[0].side):
        assert isinstance(read, Read), read
        for kind, encoder in enumerate(encoders):
            code, quality = encoder.encode([read.pixels])
            codes[kind, read.token], plain[kind, read.token] = code[0], quality[0] < PLAIN
    return codes, plain, len(names) / (cpu_seconds() - start)


def bare_pdq(folder: Path, names: list[str]) -> tuple[Any, Any, float]:
    import pdqhash

    start = cpu_seconds()
    codes = [
        np.packbits(pdqhash.compute(np.asarray(Image.open(folder / name).convert("RGB")))[0])
        for name in names
    ]
    plain = np.zeros((1, len(names)), bool)
    return np.array(codes)[None], plain, len(names) / (cpu_seconds() - start)


# Only its hashing is wanted: what it imports beside that need not be there.
_PEER = """
import json, os, sys
from unittest.mock import MagicMock
for name in ("torchvision", "torchvision.models", "torchvision.models.vision_transformer",
             "torchvision.transforms", "pywt"):
    sys.modules[name] = MagicMock()
from imagededup.methods import PHash
if __name__ == "__main__":
    start = sum(os.times()[:4])
    codes = PHash(verbose=False).encode_images(sys.argv[1])
    json.dump([sum(os.times()[:4]) - start, codes], open(sys.argv[2], "w"))
"""


def peer_phash(python: str, folder: Path, names: list[str]) -> tuple[Any, Any, float]:
    with tempfile.TemporaryDirectory() as work:
        script, out = Path(work, "peer.py"), Path(work, "codes.json")
        script.write_text(_PEER)
        subprocess.run([python, str(script), str(folder), str(out)], check=True)
        seconds, found = json.loads(out.read_text())
    codes = np.array([np.frombuffer(bytes.fromhex(found[name]), np.uint8) for name in names])
    return codes[None], np.zeros((1, len(names)), bool), len(names) / seconds


def distances(queries: Any, database: Any) -> Any:
    return np.stack(
        [np.bitwise_count(one ^ database).sum(axis=1, dtype=np.int32) for one in queries]
    )


class Truth:
    """Which pairs of files are true."""

    def __init__(self, files: list[tuple[str, str, str]]) -> None:
        self.kinds = np.array([kind for _, kind, _ in files])
        self.sources = np.array([source for *_, source in files])
        self.database = np.flatnonzero(~np.isin(self.kinds, list(COPIES)))
        self.negatives = self.database

    def curve(self, matrix: Any, kinds: tuple[str, ...], bits: int) -> tuple[Any, Any]:
        """Return precision and recall at every radius, of copies of some kinds."""
        rows = np.flatnonzero(np.isin(self.kinds, list(kinds)))
        own = self.sources[rows][:, None] == self.sources[self.database][None]
        true = _within(matrix[rows][own], bits)
        false = _within(matrix[rows][~own], bits)
        among = matrix[self.database]
        upper = np.triu(np.ones(among.shape, bool), 1)
        false = false + _within(among[upper], bits)
        return true / np.maximum(true + false, 1), true / len(rows)


def _within(found: Any, bits: int) -> Any:
    return np.cumsum(np.bincount(found, minlength=2 * bits + 1)[: bits + 1])


def matrix_of(codes: Any, plain: Any, truth: Truth, turned: bool) -> Any:
    """Distances of all files to the originals and negatives, by the nearest of their codes.

    Those of plain ones are beyond all.
    """
    beyond = 2 * 8 * codes.shape[2]
    nearest = np.full((codes.shape[1], len(truth.database)), beyond)
    for queries, query_plain in zip(codes, plain, strict=True):
        for database, database_plain in zip(codes, plain, strict=True):
            kept = database[truth.database]
            ways = transformed(kept) if turned else kept[None]
            found = np.min([distances(queries, way) for way in ways], axis=0)
            out = query_plain[:, None] | database_plain[truth.database][None]
            nearest = np.minimum(nearest, np.where(out, beyond, found))
    return nearest


def main() -> None:
    """Make the files, ask every contender, print the tables, draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=100, help="photographs of a half to copy")
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--out", type=Path, help="for figures, as JSON")
    parser.add_argument("--rows", type=Path, help="for the figures of docs/duplicates.md")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="for curves, as PNG")
    parser.add_argument("--work", type=Path, help="for the files, which are kept then")
    given = parser.parse_args()
    photos = halves(sorted(given.photos.rglob("*.jpg")))
    results = {}
    with tempfile.TemporaryDirectory() as made:
        for paper, name in enumerate(HALVES):
            folder = (given.work or Path(made)) / name.replace(" ", "-")
            folder.mkdir(parents=True)
            files = make(photos[paper], folder, given.count, paper)
            results[name] = half(folder, files, len(photos[paper]), given.peer)
    report(results)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n")
    if given.rows:
        command = "python -m benchmarks.duplicates " + " ".join(sys.argv[1:])
        about = {"command": command, "machine": f"{os.cpu_count()} cores, {cpu()['isa']}"}
        given.rows.write_text("".join(json.dumps(row | about) + "\n" for row in rows(results)))
    if given.pictures:
        draw(results["second half"]["without blanks"], given.pictures, RADIUS)


def half(folder: Path, files: list[File], photos: int, peer: str) -> dict[str, Any]:
    """Return what every contender finds in the files of a half."""
    names = [name for name, *_ in files]
    codes: Codes = {
        "hashret": ours(folder, names),
        "pdqhash": bare_pdq(folder, names),
        "imagededup pHash": peer_phash(peer, folder, names),
    }
    speed = {who: round(found[2]) for who, found in codes.items()}
    results: dict[str, Any] = {"photographs": photos, "files": len(files), "speed": speed}
    # Blanks are all alike to whoever does not leave plain pictures out.
    for which, left_out in (("all", ()), ("without blanks", ("blank",))):
        truth = Truth([one for one in files if one[1] not in left_out])
        rows = [row for row, one in enumerate(files) if one[1] not in left_out]
        results[which] = {
            who: curves(found[:, rows], plain[:, rows], truth, who)
            for who, (found, plain, _) in codes.items()
        }
    return results


def curves(codes: Any, plain: Any, truth: Truth, who: str) -> dict[str, list[list[float]]]:
    """Return by kinds of copies precision and recall at every radius to half of the bits."""
    bits = 8 * codes.shape[2]
    own = who == "hashret"
    matrices = {turned: matrix_of(codes, plain, truth, turned) for turned in {False, own}}
    found = {}
    for name, kinds in KINDS.items():
        pair = truth.curve(matrices[own and kinds[0] in TURNED], kinds, bits)
        found[name] = [[round(float(one), 4) for one in line[: bits // 2 + 1]] for line in pair]
    return found


def largest(curve: list[list[float]]) -> int | None:
    """Return the largest radius that finds something at the precision wanted."""
    good = [
        radius
        for radius, (precision, recall) in enumerate(zip(*curve, strict=True))
        if precision >= PRECISION and recall > 0
    ]
    return good[-1] if good else None


def smallest(curve: list[list[float]]) -> int | None:
    """Return the smallest radius that finds enough."""
    return next((radius for radius, recall in enumerate(curve[1]) if recall >= RECALL), None)


def rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the figures of the manual's page, which docs/make_measured.py makes of them."""
    first, second = (results[name] for name in HALVES)
    of: dict[str, Any] = {"half": HALVES[0], "contender": "hashret", "copies": EASY_ONES}
    curve = first["without blanks"]["hashret"][EASY_ONES]
    yield {"name": "enough", **of, "value": smallest(curve)}
    yield {"name": "first wrong", **of, "value": first_wrong(curve)}
    curve = second["without blanks"]["hashret"][EASY_ONES]
    yield {"name": "first wrong", **of, "half": HALVES[1], "value": first_wrong(curve)}
    yield {"name": "files", "value": second["files"]}
    yield {"name": "photographs", "value": second["photographs"]}
    for who, rate in second["speed"].items():
        yield {"name": "images a CPU second", "contender": who, "value": rate}
    for who, kinds in second["without blanks"].items():
        for kind, curve in kinds.items():
            if kind == FRAMED:
                continue
            of = {"blanks": False, "contender": who, "copies": kind}
            radius = largest(curve)
            yield {"name": "recall", **of, "value": 0.0 if radius is None else curve[1][radius]}
            if radius is not None:
                yield {"name": "radius", **of, "value": radius}
    for kind, curve in second["all"]["hashret"].items():
        of = {"blanks": True, "contender": "hashret", "copies": kind}
        yield {"name": "recall", **of, "at": RADIUS, "value": curve[1][RADIUS]}
        for radius in SHOWN if kind in (EASY_ONES, "border") else (RADIUS,):
            yield {"name": "precision", **of, "at": radius, "value": curve[0][radius]}


def first_wrong(curve: list[list[float]]) -> int | None:
    """Return the smallest radius at which something is found and not all of it right."""
    pairs = enumerate(zip(*curve, strict=True))
    return next((radius for radius, (right, found) in pairs if found and right < 1), None)


def report(results: dict[str, Any]) -> None:
    """Print what a radius from the first half does in the second, and the tables."""
    first, second = (results[name] for name in HALVES)
    for name, one in results.items():
        speed = ", ".join(f"{who} {rate}" for who, rate in one["speed"].items())
        print(
            f"{name}: {one['files']} files of {one['photographs']} photographs; "
            f"images a CPU second: {speed}"
        )
    print(
        f"\n{EASY_ONES}, radius from the first half: smallest of recall {RECALL}, largest of "
        f"precision {PRECISION}; then what it does in the second, blanks left out"
    )
    for who, kinds in first["without blanks"].items():
        judged = second["without blanks"][who][EASY_ONES]
        for choice, radius in zip(
            ("smallest", "largest"),
            (smallest(kinds[EASY_ONES]), largest(kinds[EASY_ONES])),
            strict=True,
        ):
            cell = "none" if radius is None else f"{radius:>3}: {_at(judged, radius)}"
            print(f"{who:<20}{choice:<10}{cell}")
    contenders = second["without blanks"]
    print(
        f"\nsecond half without blanks, recall at precision {PRECISION}; "
        f"at last hashret at {RADIUS}, blanks too"
    )
    print(" " * 40 + "".join(f"{who:>24}" for who in contenders))
    for name in KINDS:
        cells = ""
        for kinds in contenders.values():
            radius = largest(kinds[name])
            recall = 0 if radius is None else kinds[name][1][radius]
            cells += f"{recall:>16.3f} at {radius!s:>4}"
        print(f"{name[:39]:<40}{cells}   {_at(second['all']['hashret'][name], RADIUS)}")
    print("\nsecond half, blanks too: radius, and hashret's recall, precision")
    shown = (EASY_ONES, "border", "caption bar", "screenshot", "cropped by 5 %")
    for radius in (0, 8, 16, 24, 31, 40, 48, 52, 56, 60, 64):
        print(
            f"{radius:>4}  "
            + "  ".join(_at(second["all"]["hashret"][one], radius) for one in shown)
        )


def _at(curve: list[list[float]], radius: int) -> str:
    precision, recall = (line[radius] for line in curve)
    return f"recall {recall:.3f}, precision {precision:.3f}"


if __name__ == "__main__":
    main()
