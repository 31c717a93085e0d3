"""Draw the rooms of the package and of the engine: ``python docs/make_house.py``.

A room is a folder or a file of hashret/, or a folder of csrc/; the imports and includes of its
files are the arrows. What follows from other arrows is left out, as are files that several use. The
picture keeps in words what it was drawn from, so that a test can tell when it is out of date.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from hashret.evaluation.canvas import INK, SOFT, new_figure
from hashret.files import replacing

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "house.svg"
EXTENSION = "_native"

# Inches: a box, the way of an arrow that passes by a floor, and what is between them.
WIDTH, HEIGHT, PASSAGE, GAP = 1.4, 0.8, 0.04, 0.1
TALL, COLUMN, WALL, MARGIN, HEAD = 7.5, 0.62, 0.28, 0.17, 0.56
LETTER = 0.0535  # of the small words, mean
# Fill and edge.
PYTHON, ENGINE, SHARED = ("#eef3f9", "#9fb4cc"), ("#f8f3ea", "#cdbb9a"), ("#f1f2f4", "#c3cad3")
LINE = "#76838f"

Uses = dict[str, set[str]]


class House(NamedTuple):
    """Rooms with a few words on each, and which rooms each uses.

    The files in `shared` use no room and are used by several: arrows to them would hide others.
    """

    words: dict[str, str]
    uses: Uses
    shared: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [
            f"{name} ({self.words[name]}): {', '.join(sorted(used))}"
            for name, used in self.uses.items()
        ]
        return "\n".join([*rows, f"shared: {', '.join(self.shared)}"])


def houses() -> tuple[House, House]:
    """Return the package and the engine as they are now."""
    return python_house(ROOT / "hashret"), c_house(ROOT / "csrc")


def python_house(package: Path) -> House:
    """Read the rooms of a package whose files import each other relatively."""
    uses: Uses = {}
    for path in sorted([*package.rglob("*.py"), *package.glob("*.pyx")]):
        room = path.relative_to(package).parts[0].split(".")[0]
        uses.setdefault(room, set()).update(_imports(path, package))
    # What starts with an underscore is no room, but the way in, and the way out to the engine.
    rooms = {name for name in uses if not name.startswith("_")} | {EXTENSION}
    uses = {name: uses[name] & rooms - {name} for name in sorted(rooms)}
    shared = _shared(package, uses)
    words = {name: _summary(package, name) for name in uses if name not in shared}
    return House(words, {name: uses[name] - {*shared} for name in words}, shared)


def c_house(folder: Path) -> House:
    """Read the rooms of the engine; the words are the names of their files."""
    uses, words = {}, {}
    for room in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(room.glob("*.[ch]"))
        # Of kernels the instruction set says enough.
        names = dict.fromkeys(path.stem.removeprefix("hamming_") for path in files)
        included = (re.findall(r'#include "(\w+)/', path.read_text("utf-8")) for path in files)
        uses[room.name] = {*itertools.chain.from_iterable(included)} - {room.name}
        words[room.name] = ", ".join(name for name in names if name not in (room.name, "internal"))
    return House(words, uses)


def _imports(path: Path, package: Path) -> set[str]:
    """Return the rooms that a file imports, also by ``import_extra("hashret.deep", ...)``."""
    text = path.read_text("utf-8")
    if path.suffix == ".pyx":
        return {*re.findall(r"^from \.(\w+) c?import", text, re.M)}
    found, folder = set(), path.relative_to(package).parent.parts
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            found |= {parts[0]} if parts[0] else {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            found |= {*re.findall(r"^hashret\.(\w+)", str(node.args[0].value))}
    return {_public(package).get(name, name) for name in found}


def _public(package: Path) -> dict[str, str]:
    """Return the rooms of the names that the package itself offers, such as ``Index``."""
    nodes = ast.parse((package / "__init__.py").read_text("utf-8")).body
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: str(node.module) for node in froms for alias in node.names}


def _shared(package: Path, uses: Uses) -> tuple[str, ...]:
    """Return the files that use no room and are used by several."""
    shared: set[str] = set()
    for name in TopologicalSorter(uses).static_order():
        users = sum(name in used for used in uses.values())
        if (package / f"{name}.py").exists() and uses[name] <= shared and users > 1:
            shared.add(name)
    return tuple(sorted(shared))


def _summary(package: Path, name: str) -> str:
    """Return the beginning of a room's docstring, up to a colon, comma or full stop."""
    if name == EXTENSION:
        return "the engine's binding, in Cython"
    path = package / f"{name}.py"
    path = path if path.exists() else package / name / "__init__.py"
    text = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or name).replace("``", "")
    text = re.sub(rf"^{name}: ", "", " ".join(text.split()), flags=re.I)
    # "Re-ranking" alone would say no more than the name.
    words = re.split(r"[:,;.](?: |$)", text)
    told = words[0] if len(words[0]) > 12 else ", ".join(words[:2])
    return told[0].lower() + told[1:]


# Floors: each room below all that use it, in an order with as few crossings as there can be.

Node = tuple[str, ...]  # a room; or user, used and floor, where an arrow passes by


def _reduced(uses: Uses) -> Uses:
    """Leave out what is used through others."""
    reach: Uses = {}
    for name in TopologicalSorter(uses).static_order():
        reach[name] = uses[name].union(*(reach[used] for used in uses[name]))
    return {
        name: {one for one in used if not any(one in reach[other] for other in used)}
        for name, used in uses.items()
    }


def _floors(uses: Uses) -> dict[str, int]:
    """Return the floor of each room: above what it uses, and as close to its users as it can."""
    order = [*TopologicalSorter(uses).static_order()]
    floors: dict[str, int] = {}
    for name in order:
        floors[name] = 1 + max((floors[used] for used in uses[name]), default=-1)
    for name in reversed(order):
        users = [floors[user] for user, used in uses.items() if name in used]
        floors[name] = min(users) - 1 if users else floors[name]
    return floors


def _arrows(uses: Uses, floors: Mapping[str, int]) -> list[list[Node]]:
    """Return what each arrow goes through, from the user down to what is used."""
    pairs = [(user, used) for user, all_used in uses.items() for used in sorted(all_used)]
    return [
        [(a,), *((a, b, str(floor)) for floor in range(floors[a] - 1, floors[b], -1)), (b,)]
        for a, b in pairs
    ]


def _order(uses: Uses, floors: Mapping[str, int]) -> tuple[dict[Node, float], list[list[Node]]]:
    """Return how far right of the middle each node is, and the arrows."""
    arrows = _arrows(uses, floors)
    floor_of = {
        node: floors[node[0]] if len(node) == 1 else int(node[2])
        for node in dict.fromkeys([*((name,) for name in uses), *itertools.chain(*arrows)])
    }
    links = [link for arrow in arrows for link in itertools.pairwise(arrow)]
    rows = [
        [node for node in floor_of if floor_of[node] == floor]
        for floor in range(max(floors.values()) + 1)
    ]
    x: dict[Node, float] = {}
    for row in rows:
        x |= _spread(row)
    for _ in range(4):
        for row in rows:
            around = [link for link in links if {*link} & {*row}]
            orders = (x | _spread(order) for order in itertools.permutations(row))
            x = min(orders, key=lambda tried: _cost(around, tried, floor_of))
    return x, arrows


def _spread(row: Iterable[Node]) -> dict[Node, float]:
    widths = {node: WIDTH if len(node) == 1 else PASSAGE for node in row}
    ends = itertools.accumulate(width + GAP for width in widths.values())
    middle = (sum(widths.values()) + GAP * len(widths)) / 2
    return {
        node: end - (width + GAP) / 2 - middle
        for (node, width), end in zip(widths.items(), ends, strict=True)
    }


def _cost(
    links: list[tuple[Node, Node]], x: Mapping[Node, float], floor_of: Mapping[Node, int]
) -> tuple[int, float]:
    """Count the crossings, then what the arrows go sideways."""
    ends = [(floor_of[a], x[a], x[b]) for a, b in links]
    crossings = sum(
        floor == other and (a - c) * (b - d) < 0
        for (floor, a, b), (other, c, d) in itertools.combinations(ends, 2)
    )
    return crossings, round(sum((a - b) ** 2 for _, a, b in ends), 6)


# Drawing, in inches from the lower left corner.


def draw(python: House, engine: House) -> Any:
    """Return the figure: what all share, the package, the way out, and the engine."""
    plans = [Plan(house) for house in (python, engine)]
    width = COLUMN + WALL + sum(plan.width for plan in plans) + 6 * MARGIN
    figure = new_figure(width, TALL)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, TALL))
    axes.set_axis_off()
    left = MARGIN
    _column(axes, left, COLUMN, python.shared)
    _title(axes, left, "", "for several")
    left += COLUMN + MARGIN
    _title(
        axes,
        left,
        "hashret/",
        "the package: arrows lead to what a room imports; what follows from others is left out",
    )
    plans[0].draw(axes, left, PYTHON)
    wall = left + plans[0].width + MARGIN
    _column(axes, wall, WALL, ["hashret.h, the only way into the engine"], rotation=90)
    native = plans[0].boxes[EXTENSION]
    _arrow(axes, [(native[0] + WIDTH / 2, native[1]), (wall, native[1])], sideways=True)
    left = wall + WALL + MARGIN
    _title(axes, left, "csrc/", "the engine, in C11")
    plans[1].draw(axes, left, ENGINE)
    return figure


class Plan:
    """Where the rooms of a house are drawn."""

    def __init__(self, house: House) -> None:
        self.house = house
        uses = _reduced(house.uses)
        self.floors = _floors(uses)
        self.x, self.arrows = _order(uses, self.floors)
        self.middle = WIDTH / 2 - min(self.x.values())
        self.width = self.middle + max(self.x.values()) + WIDTH / 2
        self.boxes: dict[str, tuple[float, float]] = {}

    def floor(self, node: Node) -> int:
        """Return the floor on which a room is, or which an arrow passes."""
        return self.floors[node[0]] if len(node) == 1 else int(node[2])

    def draw(self, axes: Any, left: float, colours: tuple[str, str]) -> None:
        """Draw arrows, then rooms, into what is below the head."""
        low, high = MARGIN + HEIGHT / 2, TALL - HEAD - HEIGHT / 2
        step = (high - low) / max(self.floors.values())

        def at(node: Node) -> tuple[float, float]:
            return left + self.middle + self.x[node], low + self.floor(node) * step

        for arrow in self.arrows:
            # From a box's lower side past those of each floor between to a box's upper side.
            (x, y), *passed, (x_end, y_end) = map(at, arrow)
            sides = [
                (across, up + side) for across, up in passed for side in (HEIGHT / 2, -HEIGHT / 2)
            ]
            _arrow(axes, [(x, y - HEIGHT / 2), *sides, (x_end, y_end + HEIGHT / 2)])
        self.boxes = {name: at((name,)) for name in self.floors}
        for name, (x, y) in self.boxes.items():
            _box(axes, x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT, colours)
            _text(axes, x, y + HEIGHT / 2 - 0.12, name, 9.5, weight="bold")
            words = textwrap.wrap(
                self.house.words[name],
                int((WIDTH - 0.06) / LETTER),
                max_lines=4,
                placeholder=" ...",
            )
            _text(axes, x, y - 0.11, "\n".join(words), 7.4, color=SOFT, linespacing=1.15)


def _title(axes: Any, left: float, name: str, words: str) -> None:
    axes.text(left, TALL - 0.26, name, fontsize=10.5, weight="bold", color=INK, parse_math=False)
    axes.text(left, TALL - 0.43, words, fontsize=7.8, color=SOFT, parse_math=False)


def _column(
    axes: Any, left: float, width: float, words: Sequence[str], rotation: float = 0
) -> None:
    """Draw what stands beside all floors."""
    tall = TALL - HEAD - MARGIN
    _box(axes, left, MARGIN, width, tall, SHARED)
    for number, word in enumerate(words):
        y = MARGIN + tall * (1 - (number + 0.5) / len(words))
        _text(axes, left + width / 2, y, word, 8, rotation=rotation)


def _box(
    axes: Any, x: float, y: float, width: float, height: float, colours: tuple[str, str]
) -> None:
    style, (fill, edge) = "round,pad=0,rounding_size=0.06", colours
    axes.add_patch(FancyBboxPatch((x, y), width, height, style, fc=fill, ec=edge, lw=0.9))


def _text(axes: Any, x: float, y: float, text: str, size: float, **options: Any) -> None:
    options = {"color": INK, "ha": "center", "va": "center", "parse_math": False} | options
    axes.text(x, y, text, fontsize=size, **options)


def _arrow(axes: Any, points: list[tuple[float, float]], sideways: bool = False) -> None:
    """Draw a smooth line through points, upright at each unless it goes sideways."""
    vertices, codes = [points[0]], [Line.MOVETO]
    for (a, b), (c, d) in itertools.pairwise(points):
        bends = (
            [((a + c) / 2, b), ((a + c) / 2, d)]
            if sideways
            else [(a, (b + d) / 2), (c, (b + d) / 2)]
        )
        vertices += [*bends, (c, d)]
        codes += [Line.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Line(vertices, codes),
            arrowstyle="-|>,head_length=3.4,head_width=1.8",
            shrinkA=0,
            shrinkB=0,
            color=LINE,
            lw=1.0,
            zorder=0.5,
        )
    )


def main() -> None:
    """Write the picture."""
    python, engine = houses()
    figure = draw(python, engine)
    with matplotlib.rc_context({"svg.hashsalt": "hashret"}), replacing(PICTURE) as file:
        metadata = {"Description": f"{python}\n{engine}", "Date": None, "Creator": None}
        figure.savefig(file, format="svg", metadata=metadata)
    print(PICTURE)


if __name__ == "__main__":
    main()
