"""Recall against queries a second, as ann-benchmarks has it: one query at a time, on one thread.

    python -m benchmarks.ann --out docs/ann.jsonl --page docs/ann.md --pictures docs/images

Codes of real images at 256, 512 and 1,024 bits, held-out images as queries, all engines in one
process and in turns. Exact engines are a point each, at recall 1; the others a line, along the one
dial that each has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import hashret
from hashret.evaluation.canvas import frame, line_style, new_figure, save
from hashret.files import replacing

from . import approximate, check, data, lsh, machine, peers, real
from .approximate import K, Rival
from .data import Codes, Real, Searched
from .duel import OURS, Duel
from .peers import Search

# Bits of each of 16 tables, where an engine wants tables.
TABLES, WIDTHS = 16, (16, 32, 64)
WANTED = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
# A dial is doubled until this recall is reached.
ENOUGH = 0.995
FLIPS = (0, 1, 2)
QUERIES, ROUNDS = 300, 5
# At which recalls the page compares.
SHOWN = (0.9, 0.95, 0.99, 1.0)
EXACT = "exact"
LEAST_DRAWN = 0.5

INTRODUCTION = """\
# Recall against queries a second

This page is written by

    python -m benchmarks.ann --out docs/ann.jsonl --page docs/ann.md --pictures docs/images

in the manner of [ann-benchmarks](https://ann-benchmarks.com): one query at a time, on one thread,
all engines in one process and in turns; the median of the turns. *Recall* is the share of the ten
nearest, ties by distance, over held-out images. `hashret approximate` is told the recall that is
wanted and tunes itself, on its own codes; the others are measured along their dials, which are
doubled from setting to setting, on these very queries: where one is far above the recall it is
shown for, a setting between would be quicker. A dash: not reached at any setting. A line has only
settings that no other of the same engine beats.

{processor}, {cores} cores, instruction set {instruction set}; faiss {faiss-cpu}, usearch {usearch},
pynear {pynear}."""

Row = dict[str, Any]


class Way(NamedTuple):
    """An engine at a setting of its dial, and the recall that it has there."""

    engine: str
    setting: str
    search: Search
    recall: float


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write rows, pictures and the page."""
    options = _parser().parse_args(arguments)
    if options.out is not None and not options.read:
        rows = [{"machine": machine.facts()}]
        for name, codes in sets(options.size):
            rows += measured(name, codes)
            print(f"{name}: {len(codes.codes):,} codes of {codes.bits} bits", flush=True)
        with replacing(options.out) as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    for name in _names(rows):
        draw(name, rows, options.pictures / picture_of(name))
    with replacing(options.page) as file:
        file.write(page(rows).encode())
    return 0


def sets(size: int) -> Iterator[tuple[str, Real]]:
    """Yield codes of real images by name."""
    whole = size >= 1_000_000
    itq = real.fashion_itq(TABLES * WIDTHS[0], size, QUERIES)
    yield "HOG, ITQ", Real(itq.codes, itq.queries, None, itq.bits, TABLES, "HOG, ITQ")
    for width in WIDTHS:
        yield "HOG, random projections", data.fashion_mnist_codes(width, TABLES, whole, QUERIES)


def measured(name: str, codes: Real) -> list[Row]:
    """Measure all engines on codes of one sort."""
    ways = list(_ways(codes))
    calls = {
        str(number): partial(_ask, way.search, codes.queries) for number, way in enumerate(ways)
    }
    # The first is ours, which a duel never lets sit out.
    duel = Duel({OURS: calls.pop("0"), **calls}, rival_seconds=10).play(ROUNDS)
    return [
        {
            "data": f"{name}, {codes.bits} bits",
            "bits": codes.bits,
            "codes": len(codes.codes),
            "engine": way.engine,
            "setting": way.setting,
            "recall": round(way.recall, 5),
            "queries a second": len(codes.queries) / duel.median(str(number) if number else OURS),
        }
        for number, way in enumerate(ways)
    ]


def _ask(search: Search, queries: Codes) -> None:
    for number in range(len(queries)):
        search(queries[number : number + 1], K)


def _ways(codes: Real) -> Iterator[Way]:
    searched = Searched(codes.codes, codes.queries, codes.bits)
    exact = peers.exact(codes.codes, codes.bits, slow=True)
    check.answers(exact, codes.queries, codes.codes, K)
    nearest = exact["faiss flat"](codes.queries, K)[0]
    for name, search in exact.items():
        yield Way("hashret auto" if name == OURS else name, EXACT, search, 1.0)
    for wanted in WANTED:
        index = peers.build(codes.codes, codes.bits, kind="approximate", recall=wanted)
        search = peers.ours(index)
        found = check.recall(search(codes.queries, K)[0], nearest)
        yield Way("hashret approximate", f"recall={wanted}", search, found)
    for rival in approximate.rivals(searched):
        yield from _along(rival, codes.queries, nearest)
    hashes = peers.multi_hash(codes)
    for flips in FLIPS:
        way = lsh.theirs(hashes, codes, flips, nearest)
        yield Way("faiss MultiHash", f"{flips} flips", _flipping(hashes, flips), way.recall)


def _along(rival: Rival, queries: Codes, nearest: Any) -> Iterator[Way]:
    """Yield a rival along its dial."""
    dial = K if rival.most > K else 1
    while True:
        search = rival.at(dial)
        recall = check.recall(search(queries, K)[0], nearest)
        yield Way(rival.name, f"dial {dial}", search, recall)
        if recall >= ENOUGH or dial >= rival.most:
            return
        dial = min(2 * dial, rival.most)


def _flipping(index: Any, flips: int) -> Search:
    def find(queries: Codes, k: int) -> Any:
        index.nflip = flips
        return index.search(hashret.codes.to_lsb_first(queries, index.d), k)

    return find


def _names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["data"] for row in rows if "data" in row))


def picture_of(name: str) -> str:
    """Return the name of the file with the picture of some codes."""
    return "ann-" + name.lower().replace(",", "").replace(" ", "-") + ".png"


def best(rows: list[Row], recall: float) -> Row | None:
    """Return the fastest of rows that reach a recall, None if none does."""
    enough = [row for row in rows if row["recall"] >= recall]
    return max(enough, key=lambda row: row["queries a second"], default=None)


def draw(name: str, rows: list[Row], path: Path) -> None:
    """Draw queries a second against recall, a line an engine."""
    figure = new_figure(8, 4.6)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for number, (engine, points) in enumerate(_engines(name, rows).items()):
        # What is slower than another of its points at a higher recall is no choice.
        front = [row for row in points if best(points, row["recall"]) is row]
        front.sort(key=lambda row: row["recall"])
        style = line_style(number) | {"markersize": 6, "linewidth": 2}
        recalls = [row["recall"] for row in front]
        if recalls[-1] < LEAST_DRAWN:
            continue
        axes.plot(recalls, [row["queries a second"] for row in front], label=engine, **style)
    frame(axes, name, "recall of the ten nearest", "queries a second, one thread")
    axes.set_xlim(LEAST_DRAWN, 1.01)
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=11, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def _engines(name: str, rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.get("data") == name:
            found.setdefault(row["engine"], []).append(row)
    return found


def page(rows: list[Row]) -> str:
    """Return the page that shows the rows."""
    parts = [INTRODUCTION.format(**rows[0]["machine"])]
    for name in _names(rows):
        engines = _engines(name, rows)
        count = next(iter(engines.values()))[0]["codes"]
        parts += [
            f"## {name}",
            f"{count:,} codes of images, queries a second at a recall of at least:",
        ]
        parts += [_table(engines), f"![Queries a second against recall](images/{picture_of(name)})"]
    return "\n\n".join(parts) + "\n"


def _table(engines: dict[str, list[Row]]) -> str:
    head = [
        "| engine |" + "".join(f" {recall} |" for recall in SHOWN),
        "|---|" + "--:|" * len(SHOWN),
    ]
    return "\n".join(head + [f"| {name} |{_cells(rows)}" for name, rows in engines.items()])


def _cells(rows: list[Row]) -> str:
    found = (best(rows, recall) for recall in SHOWN)
    return "".join(f" {row['queries a second']:,.0f} |" if row else " - |" for row in found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("ann.jsonl"), help="the rows")
    parser.add_argument("--page", type=Path, default=Path("ann.md"))
    parser.add_argument("--pictures", type=Path, default=Path("."))
    parser.add_argument(
        "--read", action="store_true", help="draw what --out holds, measure nothing"
    )
    parser.add_argument("--size", type=int, default=1_000_000, help="below a million: the sample")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
