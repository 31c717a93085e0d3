"""Put rows into the tables of pages that are written by hand: ``python docs/make_measured.py``.

The rows of ``docs/NAME.md`` are ``docs/NAME.jsonl``: a figure each, by its name and what it is of,
and the command, the machine and the day of its publication; ``rounded`` where it was taken from the
page, whose run was not kept. Figures between the tables are held to the same rows by
``tests/docs/test_figures.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scale_sums import Rows

DOCS = Path(__file__).parent


class Table(NamedTuple):
    """What stands in a table of a page, below the line that it begins with."""

    head: str
    lines: list[str]


def line(*cells: str) -> str:
    return re.sub("  +", " ", f"| {' | '.join(cells)} |")


def told(rows: Rows, name: str, spec: str, **about: Any) -> str:
    """Return a figure, or nothing where there is none."""
    return format(rows.value(name, **about), spec) if rows.all(name, **about) else ""


def share(text: str) -> str:
    return text.removeprefix("0")


# Encoders of photographs, the quickest first.
NETWORKS = (
    ("lite0", 96, ""),
    ("lite0", 128, "`photo-fast`"),
    ("lite0", 160, ""),
    ("lite1", 160, ""),
    ("lite0", 192, ""),
    ("lite2", 160, ""),
    ("lite0", 224, "`photo`"),
    ("lite2", 192, ""),
    ("lite1", 224, ""),
    ("lite2", 224, "`photo-best`"),
)


def encoders(rows: Rows) -> list[Table]:
    def cells(network: str, size: int, runtime: str) -> tuple[str, str]:
        of = {"network": network, "size": size, "runtime": runtime}
        rate = told(rows, "images a second", ",.0f", **of)
        return rate, share(told(rows, "P@10", ".3f", **of))

    samples = sorted({row["sample"] for row in rows.rows if "sample" in row})
    return [
        Table(
            "| network | size | images/s, onnxruntime | P@10 | int8: images/s | P@10 | |",
            [
                line(
                    network,
                    str(size),
                    *cells(network, size, "onnxruntime"),
                    *cells(network, size, "int8"),
                    called,
                )
                for network, size, called in NETWORKS
            ],
        ),
        Table(
            "| sample | ITQ | random axes about the mean |",
            [
                line(
                    f"{sample:,}",
                    share(told(rows, "P@10", ".3f", sample=sample, axes="ITQ")),
                    share(told(rows, "P@10", ".3f", sample=sample, axes="random")),
                )
                for sample in samples
            ],
        ),
    ]


FORMS = [(state, form) for state in ("cold", "warm") for form in ("one query", "batch")]


def planner(rows: Rows) -> list[Table]:
    def policies(when: str, isa: str, head: str, names: Sequence[str], count: bool) -> Table:
        lines = []
        for state, form in FORMS:
            of = {"when": when, "isa": isa, "state": state, "form": form}
            cells = f", {rows.value('cells', **of):.0f} cells" if count else ""
            figures = [
                f"{rows.value('median', policy=name, **of):.2f}, "
                f"{rows.value('worst', policy=name, **of):.2f}, "
                f"{rows.value('missed', policy=name, **of):.0f}"
                for name in names
            ]
            lines.append(line(f"{state}, {form}{cells}", *figures))
        return Table(f"| {isa} | {head} |", lines)

    old = "model", "corrected", "two ways", "three ways"
    new = "model", "two ways", "three ways"
    kept = " | ".join(new) + ": kept"
    return [
        policies("before", "AVX-512", " | ".join(old), old, True),
        policies("before", "AVX2", " | ".join(old), old, True),
        policies("now", "AVX-512", kept, new, True),
        policies("now", "AVX2", kept, new, True),
        policies("later", "AVX2", kept, new, False),
        policies("doubted", "AVX2", kept, new, False),
        policies("hoped", "AVX-512", kept, new, False),
        policies("warmed", "AVX-512", kept, new, False),
        policies("warmed", "AVX2", kept, new, False),
        policies("spared", "AVX-512", f"{kept} | again", (*new, "again"), False),
        policies("spared", "AVX2", f"{kept} | again", (*new, "again"), False),
    ]


MILLION = (
    "opening the collection | {seconds of opening} s",
    "`search --id`, the first of a process, without its start | {seconds of a first search} s",
    "the next one | {seconds of the next} s",
    "with `taken >= 2020`; with `folder = 0012` | {seconds by date} s; {seconds by folder} s",
    "the whole command `search --id`, most of it Python's start | {seconds of the command} s",
    "`index`, nothing new | {seconds of an update} s, {CPU seconds of an update} of a CPU",
    "`index`, {new photographs:,} new photographs | {seconds with new ones} s, "
    "{CPU seconds with new ones} of a CPU beside those that read them",
    "`dedup` within 31 bits, {groups:,} groups of {copies:,} copies | {seconds of dedup} s",
    "its memory, beside that of an open collection | {bytes an image} bytes an image",
)


def commands(rows: Rows) -> list[Table]:
    folders = [row for row in rows.all("ms of processor") if "folder" in row]
    lines = []
    for row in folders:
        of = {"folder": row["folder"], "encoder": row["encoder"]}
        lines.append(
            line(
                row["folder"],
                f"`{row['encoder']}`",
                told(rows, "ms of processor", ".1f", **of),
                told(rows, "ms of decoding alone", ".1f", **of),
                f"{rows.value('MiB', **of):.0f} MiB",
            )
        )
    return [
        Table(
            "| folder | encoder | ms of processor an image | decoding alone | peak memory (PSS) |",
            lines,
        ),
        Table("| | |", filled(MILLION, rows)),
    ]


PAGE = (
    "a page of 50 of {groups:,} groups; memory | {first page} ms | "
    "{page} ms in the middle of {pages} pages; +{MiB of pages} MiB",
    "search by id, 60 results | {by id, first} ms | "
    "{by id} ms, of these {by id, search} in the search",
    "search among `taken >= 2020` | {by date, first} s | "
    "{by date} ms, {by date, search} in the search",
    "search in a folder | {in a folder, first} s | "
    "{in a folder} ms, {in a folder, search} in the search",
    "the images added last | {latest, first} ms | {latest} ms",
    "the folders, known from the last start | {folders, first} ms | {folders} ms",
    "{clients} clients by id for a minute | | no error; {by id, a second} a second, "
    "p99 {by id, p99} s; memory of its own {by id, MiB} MiB from the first quarter to the end",
    "{clients} clients with uploads for a minute | | {uploads, answered:,} answered, "
    "p99 {uploads, p99} s, {uploads, told to come again:,} told to come again "
    "(503, `Retry-After`), no time-out; {uploads, MiB} MiB, flat in the second half",
)


def serve(rows: Rows) -> list[Table]:
    return [Table("| What | First | Then |", filled(PAGE, rows))]


def filled(lines: Sequence[str], rows: Rows) -> list[str]:
    """Return lines of a table with the figures that they name."""
    figures = {row["name"]: row["value"] for row in rows.rows if "folder" not in row}
    return [line(each.format_map(figures)) for each in lines]


# In the order of the columns; and the radii that are shown.
CONTENDERS = ("hashret", "pdqhash", "imagededup pHash")
RADII = (24, 31, 40, 48, 52, 56, 60, 64)
EASY = "re-encoded, resized, re-toned"


def duplicates(rows: Rows) -> list[Table]:
    kinds = [row["copies"] for row in rows.all("recall", contender="hashret", blanks=False)]
    # Those of the first three rows together come fourth.
    kinds.insert(3, kinds.pop(kinds.index(EASY)))
    lines = []
    for kind in kinds:
        of = {"blanks": False, "copies": kind}
        found = {who: told(rows, "recall", ".3f", contender=who, **of) for who in CONTENDERS}
        best = max(found.values())
        cells = []
        for who, recall in found.items():
            radius = told(rows, "radius", ".0f", contender=who, **of)
            text = f"**{recall}**" if recall == best else recall
            cells.append(f"{text} ({radius})" if radius else text)
        at = {"blanks": True, "copies": kind, "at": 31}
        default = f"{rows.value('recall', **at):.3f}, {rows.value('precision', **at):.3f}"
        lines.append(line("the three above together" if kind == EASY else kind, *cells, default))
    beside = {EASY: f"{EASY} copies", "border": "copies with borders"}
    return [
        Table(
            "| copies | hashret | bare `pdqhash` | imagededup's pHash | "
            "hashret at radius 31: recall, precision |",
            lines,
        ),
        Table(
            f"| radius, second half with blanks | {' | '.join(map(str, RADII))} |",
            [
                line(
                    f"precision beside {words}",
                    *(
                        f"{rows.value('precision', blanks=True, copies=kind, at=radius):.3f}"
                        for radius in RADII
                    ),
                )
                for kind, words in beside.items()
            ],
        ),
    ]


PAGES: dict[str, Callable[[Rows], list[Table]]] = {
    "commands": commands,
    "duplicates": duplicates,
    "encoders": encoders,
    "planner": planner,
    "serve": serve,
}


def renewed(text: str, tables: Sequence[Table]) -> str:
    """Return a page with these tables in place of its own, which come in the same order."""
    place = 0
    for table in tables:
        place = text.index(f"\n{table.head}\n", place) + 1
        start = text.index("\n", text.index("\n", place) + 1) + 1
        end = start
        while text.startswith("|", end):
            end = text.index("\n", end) + 1
        text = text[:start] + "".join(f"{one}\n" for one in table.lines) + text[end:]
        place = start
    return text


def read(name: str, folder: Path = DOCS) -> list[Any]:
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(one) for one in lines]


def page(name: str, rows: Sequence[Any]) -> str:
    """Return a page with the figures of these rows."""
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    return renewed(text, PAGES[name](Rows(rows)))


def main() -> None:
    for name in PAGES:
        text = page(name, read(name))
        (DOCS / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
