"""What rows show, in sentences: every figure in them is a row's, or a mean of rows."""

from __future__ import annotations

from collections.abc import Sequence

from ...methods import Deep, Exact, method
from .orders import above, paired, separated
from .tables import Group

__all__ = [
    "against_control",
    "against_neighbours",
    "beside",
    "best_seed",
    "ceiling",
    "knows_its_own",
    "title",
]

Cell = tuple[Group, Group]


def title(group: Group) -> str:
    """Return the title of a group's method."""
    return method(group["method"]).title


def against_control(groups: Sequence[Group], control: str, measure: str, words: str) -> list[str]:
    """Say which supervised methods lie above a control, which below, and which neither.

    Parameters
    ----------
    groups : sequence of Group
        Of one setting.
    control : str
        A method; nothing is said without it.
    measure, words : str
        A figure of rows, and what it is called.

    Returns
    -------
    sentences : list of str
        One, or none where no cell has enough seeds in common with the control.

    Examples
    --------
    >>> def group(method, bits, *scores):
    ...     rows = ({"seed": n, "map": score} for n, score in enumerate(scores))
    ...     return Group(tuple({"method": method, "bits": bits} | row for row in rows))
    >>> groups = [group("classifier", 10, 0.5, 0.6, 0.7), group("dsh", 16, 0.6, 0.7, 0.8)]
    >>> against_control(groups, "classifier", "map", "mAP")
    ['By mAP 1 of 1 cells lies above it: DSH at 16 bits (+0.100 ± 0.000).']
    """
    standards = [group for group in groups if group["method"] == control]
    others = [group for group in groups if _is_supervised_hash(group)]
    pairs = [(group, standard) for standard in standards for group in others]
    cells = [pair for pair in pairs if separated(*pair, measure) is not None]
    if not cells:
        return []
    better = [pair for pair in cells if above(*pair, measure)]
    tied = [pair for pair in cells if not separated(*pair, measure)]
    count = f"{len(better)} of {len(cells)} cells lie{'s' if len(better) == 1 else ''} above it"
    if not better:
        count = f"none of {len(cells)} cells lies above it" + ("" if tied else ": all below")
    sentence = f"By {words} {count}" + (f": {_listed(better, measure)}" if better else "")
    if tied:
        sentence += f". Not separated from it: {_lengths([group for group, _ in tied])}"
    below = len(cells) - len(better) - len(tied)
    return [sentence + (f". The other {below}: below" if below and (better or tied) else "") + "."]


def _is_supervised_hash(group: Group) -> bool:
    entry = method(group["method"])
    return isinstance(entry, Deep) and entry.supervised and not entry.bit_a_class


def _listed(pairs: Sequence[Cell], measure: str) -> str:
    by_name: dict[str, list[str]] = {}
    for group, standard in sorted(pairs, key=lambda pair: pair[0]["bits"]):
        found = paired(group, standard, measure)
        words = f"{group['bits']} bits" + (f" (+{found.text()})" if found else "")
        by_name.setdefault(title(group), []).append(words)
    return "; ".join(f"{name} at {', '.join(cells)}" for name, cells in by_name.items())


def ceiling(groups: Sequence[Group], measures: Sequence[tuple[str, str]]) -> list[str]:
    """Say what a classifier scores when it is ranked by more than which class is first."""
    words = {
        "classifier": "The plain classifier's codes",
        "classifier-softmax": "such codes ranked by the query's softmax",
        "classifier-inner-product": "without codes, softmaxes ranked by inner product",
    }
    found = {group["method"]: group for group in groups if group["method"] in words}
    if len(found) < 2:
        return []
    parts = [
        f"{words[name]}: "
        + ", ".join(f"{called} {_text(found[name], measure)}" for measure, called in measures)
        for name in words
        if name in found
    ]
    return ["; ".join(parts) + "."]


def _text(group: Group, measure: str) -> str:
    found = group.over(measure)
    return "-" if found is None else found.text()


def against_neighbours(groups: Sequence[Group], measure: str, words: str) -> list[str]:
    """Say which hashes lie above exact neighbours of the vectors that they hash."""
    exact = [group for group in groups if isinstance(method(group["method"]), Exact)]
    features = {group["features"] for group in exact}
    hashes = [
        group
        for group in groups
        if group["features"] in features and group["bits"] and not _is_classifier(group)
    ]
    scored = [group for group in exact if group.average(measure) is not None]
    if not scored or not hashes:
        return []
    best = max(scored, key=lambda group: group.average(measure) or 0)
    above = [group for group in hashes if _lies_above(group, best, measure)]
    sentence = f"By mean {words} {title(best)} ({_text(best, measure)}) lies above "
    if not above:
        return [f"{sentence}every hash of the same vectors, {len(hashes)} cells."]
    below = f"{len(hashes) - len(above)} of {len(hashes)}"
    return [f"{sentence}{below} cells of hashes of the same vectors, not {_lengths(above)}."]


def _lengths(groups: Sequence[Group]) -> str:
    """Return methods, each with its lengths of codes."""
    by_name: dict[str, list[str]] = {}
    for group in sorted(groups, key=lambda group: group["bits"]):
        by_name.setdefault(title(group), []).append(str(group["bits"]))
    return "; ".join(f"{name} at {', '.join(bits)} bits" for name, bits in by_name.items())


def _is_classifier(group: Group) -> bool:
    entry = method(group["method"])
    return isinstance(entry, Deep) and entry.bit_a_class


def _lies_above(group: Group, other: Group, measure: str) -> bool:
    """Tell by the means; seeds of exact neighbours are often one, where nothing is drawn."""
    return (group.average(measure) or 0) > (other.average(measure) or 0)


def knows_its_own(groups: Sequence[Group]) -> list[str]:
    """Say how often a classifier is right on its database and on the queries."""
    for group in groups:
        own, other = (group.average(f"accuracy_{side}") for side in ("database", "queries"))
        if own is not None and other is not None:
            return [
                f"The classifier tells the class of {own:.1%} of the database's images and of "
                f"{other:.1%} of the queries."
            ]
    return []


def beside(
    groups: Sequence[Group], others: Sequence[Group], name: str, measure: str, called: str
) -> list[str]:
    """Say what groups score under another protocol, by method and length, where both did.

    Parameters
    ----------
    others : sequence of Group
        Of the protocol that is called `name`.
    """
    keys = ("method", "bits", "network", "features", "budget", "device")
    theirs = {tuple(group[key] for key in keys): group for group in others}
    parts = []
    for group in groups:
        other = theirs.get(tuple(group[key] for key in keys))
        seeds = _seeds(group) & _seeds(other) if other else set()
        if other and seeds:
            bits = f", {group['bits']} bits" if group["bits"] else ""
            here, there = (_text(_only(part, seeds), measure) for part in (group, other))
            parts.append(f"{title(group)}{bits}: {here}, {there}")
    words = f"{called} here, and under `{name}`, of the same seeds"
    return [f"{words}: {'; '.join(parts)}."] if parts else []


def _seeds(group: Group) -> set[int]:
    return {row["seed"] for row in group.rows}


def _only(group: Group, seeds: set[int]) -> Group:
    return Group(tuple(row for row in group.rows if row["seed"] in seeds))


def best_seed(groups: Sequence[Group], measure: str, words: str) -> list[str]:
    """Say how often the first seed has the highest figure, for where it once stood alone."""
    trained = [g for g in groups if len(g.rows) > 1 and isinstance(method(g["method"]), Deep)]
    best = [g for g in trained if max(g.rows, key=lambda row: row[measure])["seed"] == 0]
    count = f"{len(best)} of {len(trained)}"
    return [f"Seed 0 has the highest {words} in {count} rows of the table."] if trained else []
