"""The commands that measure shown rows again, and what these would now do otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ...methods import Deep, method
from .runs import list_runs
from .suites import SUITES
from .tables import DECIDED, Group

__all__ = ["changes_since", "commands"]

_MISSING = object()


def commands(groups: Sequence[Group], *, trials: bool = False) -> list[str]:
    """Return the ``hashret benchmark`` commands that measure all rows of groups.

    Methods that were asked for alike, lengths of codes and seeds included, share one. Those of
    `trials` set what differs from what is set without being asked.
    """
    methods: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        asked = tuple(group[name] for name in ("protocol", "dataset", "budget", "network"))
        asked = (*asked, group["device"], _seeds(group), _set(group) if trials else "")
        methods.setdefault((*asked, group["method"]), []).append(group)
    together: dict[tuple[Any, ...], list[Group]] = {}
    for (*asked_, _), own in methods.items():
        together.setdefault((*asked_, _lengths(own)), []).extend(own)
    return [
        _command(part, bits, words, "trials" if trials else "results")
        for (*_, words, bits), part in together.items()
    ]


def _set(group: Group) -> str:
    old = {name: values[0] for name, values in changes_since(group).items()}
    return "".join(f" --set {name}={_plain(value)}" for name, value in old.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _seeds(group: Group) -> int:
    """Return how many seeds, from 0 on, hold the group's."""
    return 1 + max(int(row["seed"]) for row in group.rows)


def _suite(group: Group) -> str:
    return "cifar10" if group["dataset"] == "cifar10" else "fashion-mnist"


def _lengths(groups: Sequence[Group]) -> tuple[int, ...] | None:
    """Return the lengths of a method's codes, or None if they are the suite's."""
    found = tuple(sorted(group["bits"] for group in groups if group["bits"]))
    entry = method(groups[0]["method"])
    fixed = isinstance(entry, Deep) and entry.bit_a_class
    return None if not found or fixed or found == SUITES[_suite(groups[0])].bits else found


def _command(groups: Sequence[Group], bits: Iterable[int] | None, words: str, out: str) -> str:
    first, suite, changes = groups[0], _suite(groups[0]), words
    words = f"hashret benchmark --suite {suite} --protocol {first['protocol']}"
    words += f" --methods {','.join(dict.fromkeys(group['method'] for group in groups))}"
    words += f" --bits {','.join(map(str, bits))}" if bits else ""
    for name in ("budget", "network", "device"):
        words += f" --{name} {first[name]}" if first[name] else ""
    words += f" --seeds {_seeds(first)}" if _seeds(first) > 1 else ""
    words += " --data cifar10-jpeg.zip" if suite == "cifar10" else ""
    return f"{words}{changes} --out docs/{out}.jsonl --cache CACHE"


def changes_since(group: Group) -> dict[str, tuple[Any, Any]]:
    """Return the options and settings that the group's command now gives other values.

    By name, what its rows were measured with and what it would be now; None where there was or
    is no such option.
    """
    (run,) = list_runs(
        _suite(group),
        [group["method"]],
        [group["bits"]] if group["bits"] else None,
        protocols=[group["protocol"]],
        budget=group["budget"] or "zoo",
        network=group["network"],
        device=group["device"] or "cpu",
    )[:1]
    now = run.fields()
    pairs = [(group[kind], now[kind]) for kind in DECIDED]
    return {
        name: (old.get(name), new.get(name))
        for old, new in pairs
        for name in {**old, **new}
        if old.get(name, _MISSING) != new.get(name, _MISSING)
    }
