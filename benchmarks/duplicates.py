"""How many copies of real photographs duplicates are found of, and what is taken for one falsely.

    python -m benchmarks.duplicates PHOTOS [--count 200] [--peer PYTHON] [--out FILE]

PHOTOS is a folder of different photographs; nothing of it is published. Some are copied in the ways
in which copies come about, others are frames of bursts; blanks and documents of one template are
drawn. Every contender reads the same files. A pair is a copy and an original: true if it is its
own. False pairs are also those among originals and negatives. Of each kind of copy the table has
the recall at the largest radius at which precision is at least 0.99, for every contender.

PYTHON is an interpreter with imagededup; its network's weights are not to be had offline.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from hashret.collection.duplicates.mirrored import transformed
from hashret.collection.duplicates.rules import PLAIN
from hashret.collection.encoders.perceptual import Borderless, Perceptual
from hashret.images.reading import Read, read_files

PRECISION = 0.99
T = Image.Transpose


def caption(image: Any, draw_text: str = "me, when the build is green") -> Any:
    bar = max(24, image.height // 8)
    made = Image.new("RGB", (image.width, image.height + bar), "white")
    made.paste(image, (0, bar))
    ImageDraw.Draw(made).text((8, bar // 5), draw_text, "black", ImageFont.load_default(bar // 2))
    return made


def screenshot(image: Any) -> Any:
    """A phone shows the picture between its bars."""
    made = Image.new("RGB", (720, 1280), "black")
    shown = ImageOps.contain(image, (720, 1100))
    made.paste(shown, ((720 - shown.width) // 2, (1280 - shown.height) // 2))
    draw = ImageDraw.Draw(made)
    font = ImageFont.load_default(28)
    draw.text((24, 14), "12:04", "white", font)
    draw.rectangle((630, 18, 690, 40), outline="white")
    for x in (120, 360, 600):
        draw.ellipse((x - 22, 1216, x + 22, 1260), outline="white", width=4)
    return made


def scaled(factor: float) -> Callable[[Any], Any]:
    return lambda image: image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))),
        Image.Resampling.LANCZOS,
    )


def cropped(share: float) -> Callable[[Any], Any]:
    """Cut so much of width and height off, unevenly."""

    def cut(image: Any) -> Any:
        x, y = round(image.width * share), round(image.height * share)
        return image.crop((x // 3, y * 2 // 3, image.width - x + x // 3, image.height - y // 3))

    return cut


def bordered(colour: str, share: float) -> Callable[[Any], Any]:
    return lambda image: ImageOps.expand(image, round(min(image.size) * share), colour)


# Kind: (what is done, JPEG quality) of each of its variants.
COPIES: dict[str, list[tuple[Callable[[Any], Any], int]]] = {
    "re-encoded, quality 30-90": [(lambda image: image, q) for q in (30, 50, 70, 90)],
    "resized, 0.25-2": [(scaled(f), 85) for f in (0.25, 0.5, 2)],
    "brightness, contrast ±20 %": [
        (lambda image, kind=kind, f=f: kind(image).enhance(f), 85)
        for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast)
        for f in (0.8, 1.2)
    ],
    "grey": [(lambda image: image.convert("L").convert("RGB"), 85)],
    "cropped by 5 %": [(cropped(0.05), 85)],
    "cropped by 10 %": [(cropped(0.10), 85)],
    "border": [(bordered("black", 0.06), 85), (bordered("white", 0.06), 85)],
    "caption bar": [(caption, 85)],
    "screenshot": [(screenshot, 85)],
    "mirrored": [(lambda image: image.transpose(T.FLIP_LEFT_RIGHT), 85)],
    "turned": [
        (lambda image, t=t: image.transpose(t), 85)
        for t in (T.ROTATE_90, T.ROTATE_180, T.ROTATE_270)
    ],
}
TURNED = ("mirrored", "turned")
EASY = tuple(COPIES)[:3]


def burst(image: Any) -> list[Any]:
    """Three frames, each shifted by a fifth of its width."""
    width, height = round(image.width * 0.7), round(image.height * 0.9)
    steps = [round(image.width * share) for share in (0, 0.15, 0.3)]
    return [image.crop((x, x // 4, x + width, min(image.height, x // 4 + height))) for x in steps]


def document(number: int) -> Any:
    """A letter on the paper of one sender."""
    chance = random.Random(number)
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(34), ImageFont.load_default(15)
    draw.rectangle((0, 0, 620, 90), "#234a7c")
    draw.text((40, 24), "Northern Water & Light", "white", large)
    draw.text((40, 130), f"Invoice {chance.randrange(10**6):06}", "black", large)
    for line in range(chance.randrange(14, 26)):
        words = " ".join(
            "".join(chance.choices("abcdefghijklmnoprstu", k=chance.randrange(2, 9)))
            for _ in range(chance.randrange(3, 9))
        )
        draw.text((40, 200 + 24 * line), words, "black", small)
    return page


def make(photos: list[Path], folder: Path, count: int) -> list[tuple[str, str, str]]:
    """Write all files; return name, kind and source of each."""
    made: list[tuple[str, str, str]] = []

    def save(image: Any, kind: str, source: str, quality: int = 90) -> None:
        name = f"{len(made):06}.jpg"
        image.save(folder / name, quality=quality)
        made.append((name, kind, source))

    for number, path in enumerate(photos):
        image = Image.open(path).convert("RGB")
        source = f"photo {number}"
        if number < count:
            save(image, "original", source, 92)
            for kind, ways in COPIES.items():
                for way, quality in ways:
                    save(way(image), kind, source, quality)
        elif number < count + count // 2:
            for frame, part in enumerate(burst(image)):
                save(part, "burst", f"{source}, frame {frame}")
        else:
            save(image, "other", source)
    for number in range(40):
        shade = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        save(Image.new("RGB", (640, 480), shade), "blank", f"blank {number}")
        save(document(number), "document", f"document {number}")
    return made


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
    """Make the files, ask every contender, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    photos = sorted(given.photos.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as made:
        folder = given.work or Path(made)
        folder.mkdir(exist_ok=True)
        files = make(photos, folder, given.count)
        (folder.parent / "files.json").write_text(json.dumps(files))
        report(folder, files, given)


def report(folder: Path, files: list[tuple[str, str, str]], given: argparse.Namespace) -> None:
    """Ask every contender, and print and write what it found."""
    names = [name for name, *_ in files]
    contenders = {
        "hashret": ours(folder, names),
        "pdqhash": bare_pdq(folder, names),
        "imagededup pHash": peer_phash(given.peer, folder, names),
    }
    speed = {who: round(found[2]) for who, found in contenders.items()}
    results: dict[str, Any] = {"files": len(files), "images a CPU second": speed}
    # Blanks are all alike to whoever does not leave plain pictures out.
    for which, left_out in (("all", ()), ("without blanks", ("blank",))):
        truth = Truth([one for one in files if one[1] not in left_out])
        rows = [row for row, one in enumerate(files) if one[1] not in left_out]
        kinds: dict[str, Any] = {}
        for who, (codes, plain, _) in contenders.items():
            for name, cell in scores(codes[:, rows], plain[:, rows], truth, who).items():
                kinds.setdefault(name, {})[who] = cell
        results[which] = kinds
        show(which, kinds, tuple(contenders))
    print(f"{'images a CPU second':<60}" + "".join(f"{one:>26}" for one in speed.values()))
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n")


def scores(codes: Any, plain: Any, truth: Truth, who: str) -> dict[str, Any]:
    """Return by kind of copy the best recall at the precision wanted, and the curve."""
    bits = 8 * codes.shape[2]
    own = who == "hashret"
    matrices = {turned: matrix_of(codes, plain, truth, turned) for turned in {False, own}}
    found = {}
    for kinds in (*((kind,) for kind in COPIES), EASY):
        precision, recall = truth.curve(matrices[own and kinds[0] in TURNED], kinds, bits)
        good = np.flatnonzero((precision >= PRECISION) & (recall > 0))
        found[" + ".join(kinds)] = {
            "recall": round(float(recall[good[-1]]), 4) if len(good) else 0.0,
            "radius": int(good[-1]) if len(good) else None,
            "curve": [
                [radius, round(float(precision[radius]), 4), round(float(recall[radius]), 4)]
                for radius in range(0, bits // 2 + 1, 1 if bits < 100 else 4)
            ],
            "at 31": [round(float(one[31]), 4) for one in (precision, recall)] if own else None,
        }
    return found


def show(which: str, kinds: dict[str, Any], contenders: tuple[str, ...]) -> None:
    """Print a table."""
    head = f"recall at precision {PRECISION}, {which}"
    print(f"{head:<60}" + "".join(f"{who:>26}" for who in contenders))
    for name, row in kinds.items():
        cells = "".join(f"{one['recall']:>18.3f} at {one['radius']!s:>4}" for one in row.values())
        at = row["hashret"]["at 31"]
        print(f"{name[:59]:<60}{cells}   at 31: {at[1]:.3f}, precision {at[0]:.3f}")


if __name__ == "__main__":
    main()
