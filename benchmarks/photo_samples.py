"""How many photographs an encoder must be fitted to: P@10 after a sample of 1 to 4,096.

    python -m benchmarks.photo_samples FOLDER [--images 5421] [--size 160]

FOLDER as for benchmarks.photo_encoders. ITQ of 256 bits beside random axes about the sample's mean,
both fitted to the same images of the folder and asked for all others.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

from hashret import Index
from hashret.encoders import ITQ, RandomProjectionLSH
from hashret.features.lite import lite_model, lite_weights

from .photo_encoders import by_onnx, read

COUNTS = (1, 10, 100, 300, 1000, 2000)
QUERIES = 400


def precision(codes: np.ndarray, labels: np.ndarray) -> float:
    index = Index(256)
    index.add(codes)
    _, ids = index.search(codes[:QUERIES], 11)
    others = np.stack([row[row != number][:10] for number, row in enumerate(ids)])
    return float(np.mean(labels[others] == labels[:QUERIES, None]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--size", type=int, default=160)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pictures, labels = read(options.folder, options.images)
    model = lite_model(lite_weights("lite0"), "lite0", options.size)
    features = by_onnx(model, options.size)(pictures)
    print("| sample | ITQ | random axes |\n|---|---|---|", flush=True)
    for count in (count for count in COUNTS if count <= len(features)):
        rows = features[-count:]
        random = RandomProjectionLSH(256, 1, "orthogonal", random_state=0)
        random.fit(np.concatenate([rows, np.zeros_like(rows[:1])]))
        shares = [f"{precision(random.transform(features), labels):.3f}"]
        if count > 1:
            fitted = ITQ(256, random_state=0).fit(rows)
            shares.insert(0, f"{precision(fitted.transform(features), labels):.3f}")
        print(f"| {count} | {' | '.join(shares if count > 1 else ['', *shares])} |", flush=True)


if __name__ == "__main__":
    main()
