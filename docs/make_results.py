"""Write docs/results.md and its pictures: ``python docs/make_results.py RESULTS.jsonl [CACHE]``.

CACHE is the folder that ``hashret benchmark`` kept codes in; with it, maps of codes are drawn too.
"""

from __future__ import annotations

import sys
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
from hashret.evaluation.protocols import PROTOCOLS, protocol
from hashret.experiments.benchmark.commands import changes_since, commands
from hashret.experiments.benchmark.orders import order, separated
from hashret.experiments.benchmark.rows import Row, read_rows
from hashret.experiments.benchmark.runs import Run
from hashret.experiments.benchmark.tables import (
    SAME,
    Column,
    Group,
    average,
    bounds,
    first,
    group_rows,
    mean,
    table_of,
)
from hashret.methods import method

MEASURES = {"map_all": "mAP@all", "map1000_hits": "mAP@1000 (hits)"}
PAGE, IMAGES = Path("docs/results.md"), Path("docs/images")
CLASSES = {"fashion-mnist": FASHION_CLASSES, "cifar10": CIFAR10_CLASSES}

# Published figures: protocol, what they are, by bits. Their networks and measures differ.
ANCHORS: tuple[tuple[str, str, dict[int, float]], ...] = (
    (
        "fmnist-full",
        "QSMIH, two convolutions from scratch, 50 epochs, 11-point mAP@all",
        {12: 0.842, 24: 0.873, 36: 0.863, 48: 0.860},
    ),
    (
        "cifar10-full",
        "MIHash, VGG-F pretrained on ImageNet and trained on, mAP@all",
        {16: 0.922, 24: 0.931, 32: 0.940, 48: 0.942},
    ),
    ("cifar10-full", "GreedyHash, AlexNet pretrained and trained on, mAP@all", {48: 0.932}),
    ("cifar10-59k", "OrthoHash, AlexNet pretrained, best test epoch, mAP@all", {48: 0.824}),
    ("cifar10-59k", "GreedyHash, likewise", {48: 0.817}),
    ("cifar10-59k", "HashNet, likewise", {48: 0.807}),
    ("cifar10-59k", "DSH, likewise", {48: 0.800}),
    (
        "cifar10-unsup",
        "CIBHash, VGG16 pretrained, mAP@1000",
        {16: 0.590, 32: 0.622, 64: 0.641},
    ),
    ("cifar10-unsup", "BiHalf, VGG16 pretrained, mAP@1000", {64: 0.595}),
    ("cifar10-unsup", "CroVCA on frozen CLIP-B/16, mAP@1000", {30: 0.892}),
    ("cifar10-unsup", "CIBHash on frozen CLIP-B/16, mAP@1000", {30: 0.816}),
    ("cifar10-unsup", "BiHalf on frozen CLIP-B/16, mAP@1000", {30: 0.760}),
)

# Why a method is where it is, by protocol and method, "*" for any; and what goes for all of a
# protocol.
_PAIRS = (
    "Nine pairs in ten are of different classes, and nothing in its likelihood makes up for that: "
    "HashNet, whose likelihood is the same but for weights and continuation, lies above it."
)
_FASHION = (
    "What five seeds on a GPU show. With `resnet-9` every method lies above the plain classifier "
    "by both measures, and leaving out learned images (pruned epochs) above the same loss on all "
    "of them, by 0.005 to 0.006 mAP@all; at 48 bits it is not separated from OrthoHash by mAP@all. "
    "OrthoHash and GreedyHash are separated by mAP@all at 48 bits alone. With `small-cnn`, 7 of 9 "
    "methods that learn from labels lie above the classifier, but DSH at 16 bits by mAP@10 does "
    "not; DPSH, DHN and all that learn without labels lie below. HashNet, OrthoHash and GreedyHash "
    "are not separated at 48 bits by mAP@all. A CPU's rows are of one seed, which tells no order; "
    "by mAP@all 26 of the 27 of `small-cnn` lie within two standard deviations of the GPU's."
)
_CIFAR10 = (
    "What seeds show. With `resnet-9` on a GPU all three methods lie above the plain classifier by "
    "mAP@all, and by mAP@10 (min) pruned GreedyHash alone. Of the heads over `lite0` features only "
    "HashNet, from 32 bits on, lies above it by mAP@all, and none by mAP@10 (min): a classifier's "
    "ten nearest are all of one class, right or wrong. The features are of a small network at "
    "96x96 pixels, as it was trained on ImageNet; a head is all that learns. The published "
    "networks are trained on as a whole."
)
_FEW_LABELS = (
    "What five seeds show. Every method lies above the plain classifier by both measures, but "
    "OrthoHash at 16 bits. By mAP@all HashNet lies above CSQ at every length and above DSH at 16 "
    "bits alone; by mAP@10 (min) OrthoHash lies above all from 48 bits on. Exact neighbours of the "
    "vectors by cosine have a higher mAP@10 (hits) than any hash. Of five seeds, the first, which "
    "stood here alone before, has the highest mAP@all in 11 of 16 rows. Below the published "
    "figures by 0.2, which are of an AlexNet trained on as a whole, at its best epoch on the "
    "queries: our features stay as they are, 5,000 labels train a head, and the number of epochs "
    "was chosen before."
)
REMARKS: dict[tuple[str, str], str] = {
    ("*", "classifier"): "Its codes have one bit a class, any two of them at distance 2, so that "
    "all of the database lies within radius 2: that precision is left blank.",
    ("*", "dpsh"): _PAIRS,
    ("*", "dhn"): _PAIRS,
    ("fmnist-full", "*"): _FASHION,
    ("fmnist-full", "cibhash"): "Images are seen twice, so that it has half of the others' epochs.",
    ("fmnist-full", "bihalf"): "Gamma is the published 6, for features of a pretrained network. "
    "Here a network from scratch learns cosines of HOG features, and so strong a pull to halves "
    "leaves few distinct codes.",
    ("fmnist-full", "bgan"): "Others could not reproduce its published figures; this is what it "
    "gives here, with cosines of HOG features for its graph of neighbours.",
    ("fmnist-full", "greedyhash"): "With `resnet-9` codes are the mean of ten views of an image "
    "(`mirror` and `nudge` in training.py); rows that are said to be without `nudge` are of two.",
    ("fmnist-full", "greedyhash-pruned"): "Half of the images whose loss was below the mean are "
    "left out of each pass (`Pruned`); an epoch is as many images as the others'.",
    ("cifar10-full", "cibhash"): "Its views of a vector are the vector with noise, which say less "
    "than cut and recoloured images do; the published figures are of images and a VGG16.",
    ("cifar10-full", "orthohash"): "With `resnet-9`, 20 epochs in place of 14, which took 47 CPU "
    "minutes, reached mAP@all 0.887 with the same seed.",
    ("cifar10-full", "*"): _CIFAR10,
    ("cifar10-59k", "*"): _FEW_LABELS,
}

HEADER = """# Methods beside each other

Above each table stand the commands that measure its rows; of all rows, this makes the page and its
pictures, for some of which CACHE has the codes:

```sh
python docs/make_results.py docs/results.jsonl CACHE
```

All methods of a table share data, network, budget of training images, augmentation and evaluation;
settings that were tuned for one stand in its rows of [results.jsonl](results.jsonl) and in
`hashret/experiments/benchmark/training.py`. The number of epochs was chosen before, never on the
queries.

- **mAP@10 (hits)** divides by the right images among the ten, **(min)** by the ten that could be
  right; **mAP@all** ranks the whole database. All are expectations over random order of images at
  equal distance; **bounds** are mAP@all in the worst and the best order.
- **P@10**: right ones among the first ten. **Recall**: of the R images of the query's class, the
  share among the first R answers. **P@r2**: right ones within Hamming distance 2, 0 where that ball
  is empty.
- **Codes**: distinct ones in the database. **Bucket**: items with the code of a random item.
  **Checked**: codes that our index (kind "auto") compares with a query for its ten nearest.
- **Query µs**: median of single queries by code, one thread, the code's computation not included.
  **Train CPU s** counts all threads; the machine was shared, so neither is exact.
- `±` is half the 95% interval over seeds; without it there is one seed. Protocols that draw images
  draw them anew for each seed.
- **Orders** are of means. Between two neighbours stands `>` where the 95% interval (Student's t) of
  their paired difference over seeds leaves out 0, `~` where it does not, so that these seeds tell
  nothing of their order; no allowance is made for there being many pairs.
- **Exact k-NN** of the float features is what hashing them can at best reach without labels; the
  **plain classifier** predicts a class, which is its code: a supervised hash has to beat it.
"""


def title(group: Group) -> str:
    return method(group["method"]).title


def within_radius(group: Group) -> str:
    """Return the precision, blank where any two codes lie within the radius."""
    return "-" if group["method"] == "classifier" else mean("precision_radius2")(group)


COLUMNS = (
    Column("method", title),
    Column("bits", first("bits", "d")),
    Column("seeds", lambda group: str(len(group.rows))),
    Column("epochs", average("epochs", ",.0f")),
    Column("mAP@10 (hits)", mean("map10_hits")),
    Column("(min)", mean("map10_mink")),
    Column("mAP@all", mean("map_all")),
    Column("bounds", bounds("map_all")),
    Column("P@10", mean("precision")),
    Column("recall", mean("recall")),
    Column("P@r2", within_radius),
    Column("codes", average("distinct_codes", ",.0f")),
    Column("bucket", average("bucket_length", ",.0f")),
    Column("checked", average("candidates", ",.0f")),
    Column("query µs", average("query_microseconds", ",.0f")),
    Column("train CPU s", average("train_cpu_seconds", ",.0f")),
)


def table(groups: Sequence[Group], measure: str) -> list[str]:
    columns = list(COLUMNS)
    if measure == "map1000_hits":
        columns.insert(4, Column("mAP@1000 (hits)", mean(measure)))
    ordered = sorted(groups, key=lambda g: (g["bits"] or 0, -(g.average(measure) or 0)))
    return table_of(ordered, columns).markdown()


def unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value is not None))


def setting(group: Group) -> str:
    """Return what was trained and on what, in words."""
    parts = [
        f"network `{group['network']}`" if group["network"] else "nothing trained by gradients",
        f"features `{Path(group['features']).name}`" if group["features"] else "images",
        f"budget `{group['budget']}`" if group["budget"] else "",
        f"device `{group['device']}`" if group["device"] not in (None, "cpu") else "",
    ]
    return ", ".join(part for part in parts if part)


def measure_of(name: str) -> str:
    deep = any(measure.k == 1000 for measure in protocol(name).measures)
    return "map1000_hits" if deep else "map_all"


def anchors(name: str) -> list[str]:
    found = [(words, scores) for of, words, scores in ANCHORS if of == name]
    if not found:
        return []
    lines = ["Published, with their own networks, measures and choice of epochs:", ""]
    for words, scores in found:
        figures = ", ".join(f"{score:.3f} ({bits})" for bits, score in scores.items())
        lines.append(f"- {words}: {figures}")
    return [*lines, ""]


def remarks(name: str, groups: Sequence[Group]) -> list[str]:
    lines = [f"- {REMARKS[name, '*']}"] if (name, "*") in REMARKS else []
    lines += [
        f"- {title(group)}: {REMARKS[key]}"
        for group in {g["method"]: g for g in groups}.values()
        for key in ((name, group["method"]), ("*", group["method"]))
        if key in REMARKS
    ]
    return [*lines, ""] if lines else []


def trained_by_threads(groups: Sequence[Group]) -> list[str]:
    """Return how long trainings on more than one thread took; the others shared the machine."""
    return [
        f"{title(group)}, {group['bits']} bits: trained in {seconds / 60:.1f} minutes on "
        f"{group['threads']} threads.\n"
        for group in groups
        if group["threads"] > 1 and (seconds := group.average("train_seconds")) is not None
    ]


def measured(rows: Sequence[Row]) -> str:
    """Return when, at which commits and in what numbers, as far as rows say."""
    told = ("date", "commit", "training_precision")
    dates, commits, numbers = (unique(row.get(name) for row in rows) for name in told)
    words = f"; {', '.join(sorted(dates))}, commit {', '.join(commits)}" if commits else ""
    return words + (f"; trained in {', '.join(numbers)}" if numbers else "")


def earlier_settings(groups: Sequence[Group]) -> list[str]:
    """Return which rows were measured with settings that have changed since."""
    lines = []
    for group in groups:
        if changes := changes_since(group):
            words = ", ".join(f"`{name}` {old}, now {new}" for name, (old, new) in changes.items())
            lines.append(f"{title(group)}, {group['bits']} bits: measured with {words}.\n")
    return lines


def orders(groups: Sequence[Group], measure: str) -> list[str]:
    """Return a line a length and measure: methods by their means, and which are separated."""
    lines = []
    for bits in unique(sorted(group["bits"] or 0 for group in groups)):
        part = [group for group in groups if group["bits"] == bits or is_control(group)]
        if all(map(is_control, part)):
            continue
        for name, words in ((measure, MEASURES[measure]), ("map10_mink", "mAP@10 (min)")):
            ranked = order(part, name)
            if len(ranked) > 1:
                text = "".join(f"{title(group)}{sign}" for group, sign in ranked)
                lines.append(f"- {bits} bits, {words}: {text}")
                lines += against_control(ranked, name)
    return ["Orders:", "", *lines, ""] if lines else []


def against_control(ranked: Sequence[tuple[Group, str]], name: str) -> list[str]:
    """Return which methods are separated from the plain classifier, if it is among them."""
    others = [group for group, _ in ranked if not is_control(group)]
    controls = [group for group, _ in ranked if is_control(group)]
    if not controls or not others:
        return []
    (control,) = controls
    beat = [title(g) for g in others if separated(g, control, name) and above(g, control, name)]
    tied = [title(group) for group in others if not separated(group, control, name)]
    words = f"  {len(beat)} of {len(others)} above the plain classifier"
    return [f"{words}; not separated from it: {'; '.join(tied)}." if tied else f"{words}."]


def above(first: Group, second: Group, name: str) -> bool:
    return (first.average(name) or 0) > (second.average(name) or 0)


def is_control(group: Group) -> bool:
    return bool(group["method"] == "classifier")


def section(name: str, dataset: str, groups: Sequence[Group], cache: Path | None) -> list[str]:
    about, measure = protocol(name), measure_of(name)
    # One that fits any data set is named with it.
    full = name if about.dataset else f"{name}-{dataset}"
    lines = [
        f"## `{name}`" + ("" if about.dataset else f" of {dataset}"),
        "",
        f"Database: {about.database}; queries: {about.queries}; training: {about.training}. "
        f"Ties: {about.tie_rule}. Note: {about.note}.",
        "",
        *anchors(name),
    ]
    for words in unique(setting(group) for group in groups):
        part = [group for group in groups if setting(group) == words]
        rows = [row for group in part for row in group.rows]
        threads = "/".join(map(str, unique(row["threads"] for row in rows)))
        machines = "; ".join(unique(row["hardware"] for row in rows))
        lines += [
            f"### {words[0].upper()}{words[1:]}",
            "",
            "```sh",
            *commands(part),
            "```",
            "",
            f"{machines}; threads: {threads}; hashret "
            f"{', '.join(unique(row['version'] for row in rows))}{measured(rows)}.",
            "",
            *table(part, measure),
            *trained_by_threads(part),
            *earlier_settings(part),
            *orders(part, measure),
        ]
    return lines + remarks(name, groups) + pictures(full, groups, measure, cache)


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
    files = [
        write_scores_by_bits(
            series(groups, measure),
            f"{words}, tie-aware",
            f"{words} by length of code, {name}",
            IMAGES / f"results-{name}-bits.png",
        ),
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
    coded = [group for group in groups if group["bits"] and group["curves"]]
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


def protocol_and_data(group: Group) -> tuple[str, str]:
    return group["protocol"], group["dataset"]


def main(path: Path, cache: Path | None = None) -> None:
    groups = group_rows(read_rows(path))
    lines = [HEADER]
    order = list(PROTOCOLS)
    pairs = {protocol_and_data(group) for group in groups}
    for pair in sorted(pairs, key=lambda pair: (order.index(pair[0]), pair)):
        part = [group for group in groups if protocol_and_data(group) == pair]
        lines += section(*pair, part, cache)
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
