"""The pictures of docs/results.md; make_results.py has them made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashret.datasets.cifar10 import CLASS_NAMES as CIFAR10_CLASSES
from hashret.datasets.fashion_mnist import CLASS_NAMES as FASHION_CLASSES
from hashret.evaluation.charts import (
    Distances,
    Point,
    Series,
    write_distances,
    write_scores_by_bits,
    write_scores_by_time,
)
from hashret.evaluation.code_map import write_code_map
from hashret.evaluation.plots import Curve, write_precision_recall
from hashret.experiments.benchmark.findings import title
from hashret.experiments.benchmark.runs import Run
from hashret.experiments.benchmark.tables import SAME, Group

MEASURES = {"map_all": "mAP@all", "map1000_hits": "mAP@1000 (hits)"}
IMAGES = Path("docs/images")
CLASSES = {"fashion-mnist": FASHION_CLASSES, "cifar10": CIFAR10_CLASSES}


def unique(values: Iterable[Any]) -> list[Any]:
    """Return the values that are not None, each once, in their order."""
    return list(dict.fromkeys(value for value in values if value is not None))


def label(group: Group, groups: Sequence[Group]) -> str:
    """Return the method's name, and what tells it from the same method trained otherwise."""
    same = [other for other in groups if other["method"] == group["method"]]
    varied = [
        key
        for key in ("network", "features", "budget", "device")
        if len({other[key] for other in same}) > 1 and group[key]
    ]
    words = ", ".join(Path(group[key]).name for key in varied)
    return f"{title(group)} ({words})" if words else title(group)


def most_seeds(groups: Sequence[Group]) -> list[Group]:
    """Leave out what was measured on another device with more seeds."""
    kept: dict[tuple[Any, ...], Group] = {}
    for group in groups:
        same = tuple(group[key] for key in SAME if key != "device")
        if same not in kept or len(group.rows) > len(kept[same].rows):
            kept[same] = group
    return list(kept.values())


def pictures(name: str, groups: Sequence[Group], measure: str, cache: Path | None) -> list[str]:
    words, groups = MEASURES[measure], most_seeds(groups)
    lines = series(groups, measure)
    files = []
    if lines:
        by_bits = f"{words} by length of code, {name}", IMAGES / f"results-{name}-bits.png"
        files.append(write_scores_by_bits(lines, f"{words}, tie-aware", *by_bits))
    files += [
        write_scores_by_time(
            [
                Point(label(group, groups), time, score)
                for group in groups
                if (time := group.average("query_microseconds")) is not None
                and (score := group.average(measure)) is not None
            ],
            f"{words}, tie-aware",
            f"Retrieval time against {words}, {name}",
            IMAGES / f"results-{name}-time.png",
        ),
    ]
    coded = [g for g in groups if g["bits"] and g["curves"] and g["curves"]["precision"]]
    for bits in unique(sorted(group["bits"] for group in coded if group["method"] == "itq"))[:2]:
        files += curves_of(name, [g for g in coded if g["bits"] == bits], groups, bits)
    files += maps(name, coded, measure, cache)
    return [f"![{alt(path)}](images/{path.name})\n" for path in files]


def alt(path: Path) -> str:
    return path.stem.replace("results-", "").replace("-", " ")


def series(groups: Sequence[Group], measure: str) -> list[Series]:
    """Return a line a method and setting; what has one length only is no line."""
    lines = []
    for name in unique(label(group, groups) for group in groups):
        own = [g for g in groups if label(g, groups) == name and g["bits"]]
        found = [(g["bits"], g.over(measure)) for g in sorted(own, key=lambda g: g["bits"])]
        points = [(bits, score) for bits, score in found if score is not None]
        if len(points) > 1:
            bits, scores = zip(*points, strict=True)
            means = tuple(score.mean for score in scores)
            lines.append(Series(name, bits, means, tuple(score.half or 0.0 for score in scores)))
    return lines


def curves_of(name: str, part: Sequence[Group], groups: Sequence[Group], bits: int) -> list[Path]:
    curves = [
        Curve(label(g, groups), np.array(g["curves"]["precision"]), np.array(g["curves"]["recall"]))
        for g in part
    ]
    panels = [
        Distances(
            label(g, groups), np.array(g["curves"]["within"]), np.array(g["curves"]["between"])
        )
        for g in part
    ]
    return [
        write_precision_recall(
            curves,
            f"Precision and recall by Hamming radius, {bits} bits, {name}, seed 0",
            IMAGES / f"results-{name}-precision-recall-{bits}.png",
        ),
        write_distances(
            panels,
            f"Distances of queries to the database, {bits} bits, {name}, seed 0",
            IMAGES / f"results-{name}-distances-{bits}.png",
        ),
    ]


def maps(name: str, coded: Sequence[Group], measure: str, cache: Path | None) -> list[Path]:
    """Draw ITQ's codes and those of the best method, of the shortest length.

    Without the codes a picture that was drawn before stays.
    """
    hashed = [group for group in coded if group["method"] != "classifier"]
    compared = [group for group in hashed if group["method"] == "itq"] or hashed
    if not compared:
        return []
    shortest = min(group["bits"] for group in compared)
    part = [group for group in coded if group["bits"] == shortest]
    best = max(part, key=lambda group: group.average(measure) or 0)
    shown = {group["method"]: group for group in part if group["method"] == "itq" or group is best}
    files = []
    for group in shown.values():
        picture = IMAGES / f"results-{name}-map-{group['method']}-{shortest}.png"
        fields = Run.__dataclass_fields__
        run = Run(**{key: value for key, value in group.rows[0].items() if key in fields})
        path = cache / "codes" / f"{run.key}.npz" if cache else None
        if path and path.exists():
            with np.load(path) as file:
                codes, labels = file["query_codes"], file["query_labels"]
            words = f"{title(group)}, {shortest} bits, queries of {name}"
            names = CLASSES[group["dataset"]]
            write_code_map(
                codes, shortest, labels, words, picture, method="tsne", class_names=names
            )
        if picture.exists():
            files.append(picture)
    return files
