"""Write docs/fashion-mnist.md from DIR of ``hashret reproduce fashion-mnist --out DIR``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import hashret
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
from hashret.experiments.study.results import PROTOCOLS, name_of, published

PAGE = Path("docs/fashion-mnist.md")
HEADER = """# The study of LSH and DSH on Fashion-MNIST, measured again

```sh
hashret reproduce fashion-mnist --out DIR
python docs/make_study.py DIR
```

hashret {version}, instruction set {isa}, CPU, one seed ({seed}). Supervised methods train on the
labels of the database images. DSH minimises the study's loss over all pairs of a batch, with a
network and a learning rate of our own; LSH projects HOG features onto orthogonal random directions,
looks into the query's bucket of each table and into those one bit away, and ranks the candidates by
all bits.

- **mAP@10 (hits)** divides by the right images among the ten, as the study does; **(min)** by the
  ten that could be right. Both are expectations over random order of images at equal distance.
- **mAP@all** ranks the whole database, training images included, by all bits; its **bounds** are
  those of the worst and the best order of equal distances.
- The **study's** figures belong to its own code, which fills short answers up with right ones.
- Times are of this run on a shared machine with two cores: an order of magnitude, no more.
"""


def published_there(cell: Group) -> str:
    return show(published(cell) if cell["protocol"] == "fmnist-seed" else None, ".3f")


COLUMNS = (
    Column("method", name_of),
    Column("bits", first("bits")),
    Column("study's mAP@10", published_there),
    Column("mAP@10 (hits)", average("map10_hits")),
    Column("mAP@10 (min)", average("map10_mink")),
    Column("mAP@all", average("map_all")),
    Column("bounds", bounds("map_all")),
    Column("distinct codes", first("distinct_codes", ",")),
    Column("train s", first("train_seconds", ".0f")),
    Column("query µs", first("query_microseconds", ".0f")),
)


def main(folder: Path) -> None:
    cells = [Group((row,)) for row in json.loads((folder / "results.json").read_text("utf-8"))]
    lines = [
        HEADER.format(version=hashret.__version__, isa=hashret.cpu()["isa"], seed=cells[0]["seed"])
    ]
    for name in PROTOCOLS[:2]:
        about = protocol(name)
        lines += [
            f"## `{name}`",
            "",
            f"Database: {about.database}; queries: {about.queries}.",
            "",
            *table_of([cell for cell in cells if cell["protocol"] == name], COLUMNS).markdown(),
        ]
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
