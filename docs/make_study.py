"""Write docs/fashion-mnist.md from DIR of ``hashret reproduce fashion-mnist --out DIR``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import hashret
from hashret.experiments.results import NAMES, STUDY

PAGE = Path("docs/fashion-mnist.md")
PROTOCOLS = {
    "fmnist-seed": "Database: the first 6,000 training images; queries: the first 1,000 test ones.",
    "fmnist-full": "Database: all 60,000 training images; queries: all 10,000 test images.",
}
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


def row_of(result: dict[str, Any]) -> str:
    variant = result["tables"] or result["alpha"]
    study = STUDY.get((result["method"], variant, result["bits"]))
    name = NAMES[result["method"]]
    if result["method"] == "LSH":
        name += f", {variant} tables"
    elif variant is not None:
        name += f", alpha {variant}"
    cells = [
        name,
        "-" if result["bits"] is None else str(result["bits"]),
        "-" if study is None or result["protocol"] != "fmnist-seed" else f"{study:.3f}",
        f"{result['map10_hits']:.3f}",
        f"{result['map10_mink']:.3f}",
        f"{result['map_all']:.3f}",
        f"{result['map_all_low']:.3f} to {result['map_all_high']:.3f}",
        "-" if result["distinct_codes"] is None else f"{result['distinct_codes']:,}",
        "-" if result["train_seconds"] is None else f"{result['train_seconds']:.0f}",
        "-" if result["query_microseconds"] is None else f"{result['query_microseconds']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text("utf-8"))
    lines = [
        HEADER.format(
            version=hashret.__version__, isa=hashret.cpu()["isa"], seed=results[0]["seed"]
        )
    ]
    for protocol, selection in PROTOCOLS.items():
        lines += [
            f"## `{protocol}`",
            "",
            selection,
            "",
            "| method | bits | study's mAP@10 | mAP@10 (hits) | mAP@10 (min) | mAP@all | bounds "
            "| distinct codes | train s | query µs |",
            "|---" + "|--:" * 9 + "|",
            *(row_of(result) for result in results if result["protocol"] == protocol),
            "",
        ]
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
