"""Write docs/results.md and its pictures: ``python docs/make_results.py RESULTS.jsonl [CACHE]``.

CACHE is the folder that ``hashret benchmark`` kept codes in; with it, maps of codes are drawn too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import results_pictures
from results_pictures import MEASURES, unique
from results_trials import trials
from results_words import ANCHORS, HEADER, REMARKS

from hashret.evaluation.protocols import PROTOCOLS, protocol
from hashret.experiments.benchmark.commands import changes_since, commands
from hashret.experiments.benchmark.findings import (
    against_control,
    against_neighbours,
    beside,
    best_seed,
    ceiling,
    knows_its_own,
    title,
)
from hashret.experiments.benchmark.orders import above, order, separated
from hashret.experiments.benchmark.rows import Row, read_rows
from hashret.experiments.benchmark.tables import (
    Column,
    Group,
    average,
    bounds,
    first,
    group_rows,
    mean,
    table_of,
)
from hashret.methods import Deep, method

PAGE, README = Path("docs/results.md"), Path("README.md")
AT_10 = "mAP@10 (min)"


def within_radius(group: Group) -> str:
    """Return the precision, blank where any two codes lie within the radius."""
    return "-" if is_classifier(group) else mean("precision_radius2")(group)


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
    groups = [group for group in groups if is_control(group) or not is_classifier(group)]
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
                lines += against_plain(ranked, name)
    return ["Orders:", "", *lines, ""] if lines else []


def against_plain(ranked: Sequence[tuple[Group, str]], name: str) -> list[str]:
    """Return which methods are separated from the plain classifier, if it is among them."""
    others = [group for group, _ in ranked if not is_control(group)]
    controls = [group for group, _ in ranked if is_control(group)]
    if not controls or not others:
        return []
    (control,) = controls
    beat = [title(group) for group in others if above(group, control, name)]
    tied = [title(group) for group in others if not separated(group, control, name)]
    words = f"  {len(beat)} of {len(others)} above the plain classifier"
    return [f"{words}; not separated from it: {'; '.join(tied)}." if tied else f"{words}."]


def is_control(group: Group) -> bool:
    return bool(group["method"] == "classifier")


def is_classifier(group: Group) -> bool:
    """Tell whether it is the plain classifier, in whatever way its answers are ranked."""
    entry = method(group["method"])
    return isinstance(entry, Deep) and entry.bit_a_class


CONTROLS = (
    ("classifier", "Against the plain classifier"),
    ("classifier-softmax", "Against its codes by the query's softmax"),
)
# Where rows of the first seed stood alone before the others were measured.
FIRST_SEED_ALONE = "cifar10-59k"
# Protocols that train alike, one with the training images in its database.
BESIDE = {"cifar10-59k": "cifar10-54k", "cifar10-54k": "cifar10-59k"}


def shows(name: str, groups: Sequence[Group], others: Sequence[Group], measure: str) -> list[str]:
    """Return what the rows of a protocol show; `others` are of the one it is compared with."""
    measures = ((measure, MEASURES[measure]), ("map10_mink", AT_10))
    lines = []
    for words in unique(setting(group) for group in groups):
        part = [group for group in groups if setting(group) == words]
        said = ceiling(part, measures) + knows_its_own(part)
        for control, start in CONTROLS:
            found = [s for m in measures for s in against_control(part, control, *m)]
            said += [f"{start}. {' '.join(found)}"] if found else []
        lines += [f"- {words[0].upper()}{words[1:]}. {sentence}" for sentence in said]
    for figure, words in (("map10_hits", "mAP@10 (hits)"), ("map10_mink", AT_10)):
        lines += [f"- {sentence}" for sentence in against_neighbours(groups, figure, words)]
    if name in BESIDE:
        found = beside(groups, others, BESIDE[name], "map_all", MEASURES["map_all"])
        lines += [f"- {sentence}" for sentence in found]
    if name == FIRST_SEED_ALONE:
        lines += [f"- {sentence}" for sentence in best_seed(groups, "map_all", "mAP@all")]
    if any(map(is_control, groups)) and protocol(name).training == "the database":
        lines.append(f"- {LEARNED}")
    return ["What the rows show:", "", *lines, ""] if lines else []


LEARNED = (
    "The database is what was trained on, so that its codes are nearly all right: mAP@all of "
    "methods that learn from labels is much too high for a database of other images. By how much "
    "is measured for 5,000 labels alone: `cifar10-54k` is `cifar10-59k` without them."
)


def missing(groups: Sequence[Group]) -> list[str]:
    """Return the commands of rows that stand elsewhere and not here."""
    names = ["classifier-softmax", "classifier-inner-product"]
    there = {(setting(group), group["method"]) for group in groups}
    lines = []
    for group in groups:
        absent = [name for name in names if (setting(group), name) not in there]
        if is_control(group) and absent:
            rows = [Group(tuple(row | {"method": name} for row in group.rows)) for name in absent]
            lines += [f"- `{command}`" for command in commands(rows)]
    return ["Not measured yet:", "", *lines, ""] if lines else []


def superseded(rows: Sequence[Row]) -> list[str]:
    """Return a table of the rows that others stand for, and why."""
    old = [Group((row,)) for row in rows if "superseded" in row]
    columns = [
        *(column for column in COLUMNS if column.head not in ("P@r2", "checked", "query µs")),
        Column("superseded, since", first("superseded")),
    ]
    if not old:
        return []
    network = [Column("network", first("network")), Column("budget", first("budget"))]
    table = table_of(old, [columns[0], *network, *columns[1:]])
    return ["Superseded rows, of one seed each:", "", *table.markdown()]


def section(
    name: str,
    dataset: str,
    groups: Sequence[Group],
    rows: Sequence[Row],
    others: Sequence[Group],
    cache: Path | None,
) -> list[str]:
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
        own = [row for group in part for row in group.rows]
        threads = "/".join(map(str, unique(row["threads"] for row in own)))
        machines = "; ".join(unique(row["hardware"] for row in own))
        lines += [
            f"### {words[0].upper()}{words[1:]}",
            "",
            "```sh",
            *commands(part),
            "```",
            "",
            f"{machines}; threads: {threads}; hashret "
            f"{', '.join(unique(row['version'] for row in own))}{measured(own)}.",
            "",
            *table(part, measure),
            *trained_by_threads(part),
            *earlier_settings(part),
            *orders(part, measure),
        ]
    lines += shows(name, groups, others, measure) + superseded(rows) + missing(groups)
    files = results_pictures.pictures(full, groups, measure, cache)
    return lines + remarks(name, groups) + files


def protocol_and_data(group: Group) -> tuple[str, str]:
    return group["protocol"], group["dataset"]


def readme(groups: Sequence[Group]) -> list[str]:
    """Return README's rows of learned codes."""

    def cell(name: str, device: str, method: str, bits: int) -> Group:
        wanted = {"protocol": name, "network": "resnet-9", "device": device, "bits": bits}
        wanted |= {"method": method}
        (found,) = (g for g in groups if all(g[key] == value for key, value in wanted.items()))
        return found

    def score(group: Group, digits: int = 4) -> str:
        found = group.over("map_all")
        assert found is not None
        return found.text(digits)

    def views(group: Group) -> int:
        own = group["settings"]
        return (1 + own["mirror"]) * (5 if own.get("nudge") else 1)

    fashion, cifar10, pruned = "fmnist-full", "cifar10-full", "greedyhash-pruned"
    best, control = cell(fashion, "cuda", pruned, 48), cell(fashion, "cuda", "classifier", 10)
    long, longer = cell(fashion, "cpu", pruned, 48), cell(cifar10, "cpu", "orthohash", 32)
    others = cell(cifar10, "cuda", pruned, 32), cell(cifar10, "cuda", "classifier", 10)
    published, pretrained = (
        next(scores[bits] for of, _, scores in ANCHORS if of == name)
        for name, bits in ((fashion, 48), (cifar10, 32))
    )
    numbers = {2: "two", 5: "five", 10: "ten"}
    return [
        f"| Fashion-MNIST, a ResNet-9 from scratch, 48 bits, {numbers[len(best.rows)]} seeds on a "
        f"GPU | {title(best)}: mAP@all {score(best)}; the same network as a plain classifier "
        f"{score(control)}. A code is the mean of {numbers[views(best)]} views of its image, and "
        "the database is the training images, which makes this measure much too high for other "
        f"ones. On {numbers[long['threads']]} cores, in {long['train_seconds'] / 60:.0f} minutes, "
        "one seed: "
        f"{score(long, 3)}. Published, of a network of two convolutions, by 11-point averages: "
        f"{published:.3f} |",
        f"| CIFAR-10, the same at 32 bits | mAP@all {score(others[0])}; the classifier "
        f"{score(others[1])}; {numbers[views(others[0])]} views. OrthoHash in "
        f"{longer['train_cpu_seconds'] / 60:.0f} CPU minutes, one seed: {score(longer, 3)}. "
        f"Published, of a VGG-F that was pretrained on ImageNet: {pretrained:.3f} |",
    ]


def renewed(text: str, lines: Sequence[str]) -> str:
    """Return README with these rows in place of those that begin alike."""
    for line in lines:
        start = re.escape(line.split("|")[1])
        text = re.sub(rf"^\|{start}\|.*$", lambda _, line=line: line, text, flags=re.MULTILINE)
    return text


def main(path: Path, cache: Path | None = None) -> None:
    rows = read_rows(path)
    groups = group_rows(rows)
    lines = [HEADER]
    order = list(PROTOCOLS)
    pairs = {protocol_and_data(group) for group in groups}
    for pair in sorted(pairs, key=lambda pair: (order.index(pair[0]), pair)):
        part = [group for group in groups if protocol_and_data(group) == pair]
        old = [row for row in rows if (row["protocol"], row["dataset"]) == pair]
        others = [group for group in groups if group["protocol"] == BESIDE.get(pair[0])]
        lines += section(*pair, part, old, others, cache)
    lines += trials(path.with_name("trials.jsonl"))
    PAGE.write_text("\n".join(lines), "utf-8")
    if README.exists():
        README.write_text(renewed(README.read_text("utf-8"), readme(groups)), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
