"""Write docs/fashion-mnist.md from rows of ``hashret reproduce fashion-mnist``.

``python docs/make_study.py docs/study.jsonl``, or ``DIR/results.jsonl`` of another run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hashret.evaluation.protocols import protocol
from hashret.experiments.benchmark.tables import (
    Column,
    Group,
    average,
    bounds,
    first,
    show,
    table_of,
)
from hashret.experiments.study.results import PROTOCOLS, name_of, published, read_cells

PAGE = Path("docs/fashion-mnist.md")
HEADER = """# The study of LSH and DSH on Fashion-MNIST, measured again

```sh
hashret reproduce fashion-mnist --out DIR
python docs/make_study.py docs/study.jsonl
```

The first measures all cells anew, and puts a row a cell into `DIR/results.jsonl`; rows of
[study.jsonl](study.jsonl) are such rows, of which the newest of a cell is shown. {measured}

CPU, one seed ({seed}), which tells no order of cells that lie near each other. Supervised methods
train on the labels of the database images. DSH minimises the study's loss over all pairs of a
batch, with a network and a learning rate of our own; LSH projects HOG features onto orthogonal
random directions, looks into the query's bucket of each table and into those one bit away, and
ranks the candidates by all bits.

- **mAP@10 (hits)** divides by the right images among the ten, as the study does; **(min)** by the
  ten that could be right. Both are expectations over random order of images at equal distance.
  **As padded there**: as the study computes it, short lists filled up with right images, ties by
  id; its own code's figures are the **study's**.
- **mAP@all** ranks the whole database, training images included, by all bits; its **bounds** are
  those of the worst and the best order of equal distances.
- Times are of a shared machine with two cores: an order of magnitude, no more.
"""
ROUNDED = (
    "Cells with * are of the first run ({machines}), whose rows were not kept: three digits, and "
    "without the padded figure. "
)


def published_there(cell: Group) -> str:
    return show(published(cell) if cell["protocol"] == "fmnist-seed" else None, ".3f")


def padded(cell: Group) -> str:
    there = cell["protocol"] == "fmnist-seed" and published(cell) is not None
    return show(cell.average("map10_padded") if there else None, ".3f")


def name(cell: Group) -> str:
    return name_of(cell) + (" *" if is_rounded(cell) else "")


def is_rounded(cell: Group) -> bool:
    return "rounded" in cell.rows[0]


COLUMNS = (
    Column("method", name),
    Column("bits", first("bits")),
    Column("study's mAP@10", published_there),
    Column("as padded there", padded),
    Column("mAP@10 (hits)", average("map10_hits")),
    Column("mAP@10 (min)", average("map10_mink")),
    Column("mAP@all", average("map_all")),
    Column("bounds", bounds("map_all")),
    Column("distinct codes", first("distinct_codes", ",")),
    Column("train s", first("train_seconds", ".0f")),
    Column("query µs", first("query_microseconds", ".0f")),
)
MEASURES = {"map10_hits": "mAP@10 (hits)", "map10_mink": "mAP@10 (min)", "map_all": "mAP@all"}


def measured(cells: Sequence[Group]) -> str:
    """Return where and when, and which cells are only known by three digits."""
    new, old = ([c for c in cells if is_rounded(c) == rounded] for rounded in (False, True))
    words = ROUNDED.format(machines=", ".join({c["hardware"]: None for c in old})) if old else ""
    facts = ("hardware", "version", "date", "commit")
    told = [", ".join({str(c[fact]): None for c in new}) for fact in facts]
    return words + (f"The others: {told[0]}; hashret {told[1]}; {told[2]}, commit {told[3]}.")


def below_classifier(cells: Sequence[Group]) -> list[str]:
    """Say which cells lie below the plain classifier, above it or, by the digits known, level."""
    (control,) = [cell for cell in cells if cell["method"] == "classifier"]
    hashes = [cell for cell in cells if cell["method"] in ("LSH", "DSH")]
    lines = []
    for measure, words in MEASURES.items():
        level = control.average(measure) or 0
        scored = [(cell, cell.average(measure) or 0) for cell in hashes]
        below = [cell for cell, score in scored if score < level]
        sentence = (
            f"- By {words} {len(below)} of {len(hashes)} cells of LSH and DSH lie below the plain "
            f"classifier ({level:.3f})"
        )
        above = [cell for cell, score in scored if score > level]
        level_with = [cell for cell, score in scored if score == level]
        for what, part in (("above it", above), ("level with it", level_with)):
            names = "; ".join(f"{name_of(cell)}, {cell['bits']} bits" for cell in part)
            sentence += f"; {what}: {names}" if part else ""
        lines.append(f"{sentence}.")
    return [*lines, ""]


def main(path: Path) -> None:
    cells = [Group((row,)) for row in read_cells(path, 0, "full")]
    shown = [cell for cell in cells if cell["protocol"] in PROTOCOLS[:2]]
    lines = [HEADER.format(measured=measured(shown), seed=shown[0]["seed"])]
    for protocol_name in PROTOCOLS[:2]:
        about = protocol(protocol_name)
        part = [cell for cell in shown if cell["protocol"] == protocol_name]
        lines += [
            f"## `{protocol_name}`",
            "",
            f"Database: {about.database}; queries: {about.queries}.",
            "",
            *table_of(part, COLUMNS).markdown(),
            *below_classifier(part),
        ]
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
