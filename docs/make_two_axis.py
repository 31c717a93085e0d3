"""Write docs/two-axis.md and its pictures: ``python docs/make_two_axis.py ROWS.jsonl``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from two_axis_words import HEADER, LIMITS, REMARKS

from hashret.evaluation.charts import Traded, pareto, write_two_axes
from hashret.evaluation.protocols import PROTOCOLS, protocol
from hashret.experiments.benchmark.axes_tables import by_rule, is_ours
from hashret.experiments.benchmark.edits import EDITS
from hashret.experiments.benchmark.findings import title
from hashret.experiments.benchmark.orders import LEAST_SEEDS, paired
from hashret.experiments.benchmark.rows import Row, read_rows
from hashret.experiments.benchmark.tables import (
    Column,
    Group,
    average,
    bounds,
    first,
    mean,
    table_of,
)

PAGE = Path("docs/two-axis.md")
CLASS, WITHIN, SHARE = "untrained_map_all", "untrained_within", "untrained_share"
COLUMNS = (
    Column("method", title),
    Column("bits", first("bits", "d")),
    Column("seeds", lambda group: str(len(group.rows))),
    Column("mAP@all, trained on", mean("trained_map_all")),
    Column("mAP@all", mean(CLASS)),
    Column("bounds", bounds(CLASS)),
    Column("mAP@10 (min)", mean("untrained_map10_mink")),
    Column("within class", mean(WITHIN)),
    Column("share", average(SHARE, ".2f")),
    Column("copies in 1", average("copies_1")),
    Column("in 10", mean("copies_10")),
    Column("in 100", average("copies_100")),
)
COST = (
    Column("method", title),
    Column("bits", first("bits", "d")),
    Column("distinct codes", average("distinct_codes", ",.0f")),
    Column("bucket", average("bucket_length", ",.1f")),
    Column("entropy, bits", average("collision_entropy", ".1f")),
    Column("compared", average("candidates", ",.0f")),
    Column("query µs", average("query_microseconds", ",.0f")),
    Column("train CPU s", average("train_cpu_seconds", ",.0f")),
)
RULES = {
    "hamming": "Hamming distance",
    "weighted": "weighted prefix, w = 4",
    "class-aware": "class-aware, w = 4",
    "float-query": "float query",
    "same-class": "same class, w = 32",
    "rest": "the rest of the code alone",
    "float": "real vectors",
}


def unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def commands(groups: Sequence[Group]) -> list[str]:
    """Return the commands that measure groups: one for the methods of as many seeds."""
    of = {group["method"]: 1 + max(row["seed"] for row in group.rows) for group in groups}
    counts = sorted(set(of.values()), reverse=True)
    return [command([g for g in groups if of[g["method"]] == count], count) for count in counts]


def command(groups: Sequence[Group], seeds: int) -> str:
    row = groups[0].rows[0]
    trained = next((g.rows[0] for g in groups if g["network"]), row)
    words = f"hashret benchmark --suite two-axis --protocol {row['protocol']}"
    words += f" --methods {','.join(unique([group['method'] for group in groups]))}"
    words += f" --seeds {seeds}"
    for name in ("network", "budget", "device"):
        words += f" --{name} {trained[name]}" if trained[name] else ""
    lengths = bits(groups)
    words += f" --bits {lengths}" if lengths else ""
    return f"{words} --data DATA --out docs/two-axis.jsonl --cache CACHE"


def bits(groups: Sequence[Group]) -> str:
    found = {group["bits"] for group in groups if group["bits"] and group["method"] != "classifier"}
    return ",".join(map(str, sorted(found)))


def measured(rows: Sequence[Row]) -> str:
    told = ("hardware", "threads", "date", "commit", "version", "judged")
    return "; ".join(
        f"{name} {', '.join(unique([str(row[name]) for row in rows]))}" for name in told
    )


def ordered(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -(group.average(CLASS) or 0))


def claims(groups: Sequence[Group]) -> list[str]:
    """Say how our methods lie to the best of the zoo of equal bits, or that seeds are too few."""
    ours = [group for group in groups if is_ours(group)]
    zoo = [g for g in groups if not is_ours(g) and any(g["bits"] == our["bits"] for our in ours)]
    if not ours or not zoo:
        return []
    several = [group for group in zoo if len(group.rows) >= LEAST_SEEDS]
    best = max(several or zoo, key=lambda group: group.average(CLASS) or 0)
    whose = "of those of one part that have several seeds" if several else "of those of one part"
    lines = [f"Against {title(best)}, the best here by class {whose}, paired by seed:"]
    for group in ours:
        parts = []
        for name, words in ((CLASS, "class mAP"), (WITHIN, "within"), ("copies_10", "copies")):
            found = paired(group, best, name)
            if found is not None:
                parts.append(f"{words} {found.mean:+.3f} ± {found.half:.3f}")
        times = (group.average("copies_10") or 0) / max(best.average("copies_10") or 0, 1e-9)
        parts += [f"copies {times:.1f} times as often"] if parts else []
        words = ", ".join(parts) if parts else "one seed in common, no claim"
        lines.append(f"- {title(group)}: {words}.")
    return [lines[0], "", *lines[1:], ""]


def families(groups: Sequence[Group]) -> list[str]:
    names = [name for name in EDITS if f"copies_10_{name}" in groups[0].rows[0]]
    columns = [Column("method", title), Column("bits", first("bits", "d"))]
    columns += [Column(name, average(f"copies_10_{name}", ".2f")) for name in names]
    return [
        "Copies in the first ten, by family of edits:",
        "",
        *table_of(groups, columns).markdown(),
    ]


def picture(name: str, rule: str, groups: Sequence[Group]) -> list[str]:
    measure = SHARE if any(group.average(SHARE) is not None for group in groups) else "copies_10"
    words = {SHARE: "Within class, share of chance to ceiling", "copies_10": "Copies in first 10"}
    points = [
        Traded(title(g), g.average(CLASS) or 0.0, g.average(measure) or 0.0)
        for g in groups
        if g.average(measure) is not None
    ]
    file = f"images/two-axis-{name}-{rule}.png"
    path = PAGE.parent / file
    write_two_axes(points, ("mAP@all by class", words[measure]), f"{name}, {RULES[rule]}", path)
    front = ", ".join(point.name for point in pareto(points))
    return [
        f"![Class against likeness, {RULES[rule]}]({file})",
        "",
        f"Not beaten on both: {front}.",
        "",
    ]


def spread(rows: Sequence[Row], name: str) -> str:
    """Return a number, or the least and the most where seeds differ."""
    numbers = sorted({row[name] for row in rows})
    return " to ".join(f"{number:,}" for number in unique([numbers[0], numbers[-1]]))


def section(name: str, groups: Sequence[Group]) -> list[str]:
    about = protocol(name)
    rows = [row for group in groups for row in group.rows]
    lines = [
        f"## `{name}`",
        "",
        f"Database: {about.database}; queries: {about.queries}; training: {about.training}. "
        f"Ties: {about.tie_rule}. Note: {about.note}.",
        "",
        "<!-- not run: needs the data, and takes long -->",
        "```sh",
        *commands(groups),
        "```",
        "",
        f"Measured: {measured(rows)}.",
        "",
        *([REMARKS[name], ""] if name in REMARKS else []),
        f"{spread(rows, 'images')} images in the trained database; "
        f"{spread(rows, 'untrained_queries_within')} queries have something to tell apart within "
        f"their class. Chance there is {show(groups, 'untrained_chance')}, the ceiling, cosine of "
        f"frozen features, {show(groups, 'untrained_ceiling')}. Figures without a word are of the "
        "database that was not trained on.",
        "",
    ]
    exact = [group for group in groups if group["rule"] == "float"]
    for rule in unique([group["rule"] for group in groups if group["rule"] != "float"]):
        part = ordered([group for group in groups if group["rule"] == rule])
        lines += [f"### {RULES[rule][0].upper()}{RULES[rule][1:]}", ""]
        lines += table_of([*exact, *part], COLUMNS).markdown()
        lines += claims(part)
        if rule in ("hamming", "same-class"):
            lines += picture(name, rule, part)
        if rule == "hamming":
            lines += families([*exact, *part])
            lines += ["Cost of the ten nearest by Hamming distance, and of training:", ""]
            lines += table_of(part, COST).markdown()
    return lines


def show(groups: Sequence[Group], name: str) -> str:
    found = groups[0].average(name)
    return "-" if found is None else f"{found:.3f}"


def main(path: Path) -> None:
    groups = by_rule(read_rows(path))
    lines = [HEADER, ""]
    order = list(PROTOCOLS)
    for name in sorted({group["protocol"] for group in groups}, key=order.index):
        lines += section(name, [group for group in groups if group["protocol"] == name])
    PAGE.write_text("\n".join([*lines, LIMITS, ""]), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
