"""One run judged on two axes: class and likeness, copies, classes never seen, cost of search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import Index
from ...codes import pack
from ...evaluation.collisions import collision_entropy, distinct_codes, expected_bucket_length
from ...evaluation.protocols import protocol
from ...evaluation.splits import Rows
from ...evaluation.two_axis import Levels, Ranker, found_at, score_axes, share
from ...methods import Exact, TwoPart, method
from ...ranking import (
    ClassAware,
    FloatQuery,
    Hamming,
    Rule,
    SameClass,
    WeightedPrefix,
    class_centres,
    mean_margins,
)
from ...types import Codes
from ..scoring import candidates_of, time_queries
from ..steps import Advance, Steps
from . import edits
from .bit_posteriors import by_posteriors
from .inputs import Source
from .measure import Facts, fitted, unit
from .provenance import provenance
from .rows import Row
from .runs import Run

__all__ = [
    "JUDGED",
    "RULES",
    "ceilings_of",
    "copies_of",
    "encoded_of",
    "figures_of",
    "judged",
    "measure_axes",
    "same_class",
]

RULES = ("hamming", "weighted", "class-aware", "float-query", "same-class", "rest")

# What decides figures beside a run: rows that were judged otherwise are measured again.
JUDGED: dict[str, Any] = {
    "rules": list(RULES),
    "weight": 4,
    "same_class": 32,
    "copies": 500,
    "depths": [1, 10, 100],
    "crop": edits.CROP,
    "jpeg": edits.QUALITY,
    "degrees": edits.DEGREES,
    "bar": edits.BAR,
    "least_images": 20,
}
# Queries asked one by one, for their time and their candidates.
_TIMED = 200

Items = npt.NDArray[Any]
Between = Callable[[Any, Any], Ranker]
"""From queries and a database, margins or vectors, to a ranking of one by the other."""


def judged() -> Facts:
    """Return the fields that tell how rows were judged."""
    text = json.dumps(JUDGED, sort_keys=True)
    return {"judged": hashlib.sha256(text.encode()).hexdigest()[:12]}


@dataclass(frozen=True)
class Encoded:
    """What the images of a protocol were made into: margins, whose signs are codes, or vectors.

    `edited` are copies of the first queries, by family; `encode` makes more of the kind.
    """

    database: Items
    others: Items
    queries: Items
    edited: dict[str, Items]
    encode: Callable[[Items], Items]


def measure_axes(run: Run, source: Source, steps: Steps, augmented: int = 0) -> Row:
    """Measure a run on both axes and return its row.

    With `augmented` the cost of search is measured among so many codes, too, of random views of
    the database's images.

    The row has the run's fields, the class measures of the Hamming distance under the names that
    all rows have, and

    - ``axes``: by rule (the last is for codes of two parts only) and database ("trained",
      "untrained") the class measures with bounds, ``within`` with bounds, its ``chance``,
      ``ceiling`` and ``share``, ``queries_within``;
    - ``copies``: by rule and family of edits, how often the original is in the first 1, 10, 100;
    - ``distinct_codes``, ``bucket_length``, ``collision_entropy``, ``candidates`` and
      ``query_microseconds`` of the exact ten nearest by Hamming distance among the trained ones;
    - the same as ``augmented_...`` among the codes of ``augmented`` random views, if asked;
    - ``judged`` and ``settings_digest``, and what :func:`~.provenance.provenance` gives.
    """
    rows = protocol(run.protocol).rows(source.images, run.seed)
    with steps.step(run.title) as advance:
        encoded, rules, facts = _encode(run, source, rows, advance)
        advance(1, 1, "scoring")
        ceilings = ceilings_of(source, run, rows)
        axes, copies = {}, {}
        for name, between in rules.items():
            axes[name] = figures_of(between, encoded, source, rows, ceilings)
            copies[name] = copies_of(between, encoded)
        if not isinstance(method(run.method), Exact):
            bits, queries = encoded.database.shape[1], pack(encoded.queries)
            facts |= _cost(bits, pack(encoded.database), queries)
            if augmented:
                codes = _augmented(source, run, rows, encoded, augmented, advance)
                found = _cost(bits, codes, queries).items()
                facts |= {f"augmented_{name}": value for name, value in found}
    first = axes[next(iter(rules))]["trained"]
    figures = {key: value for key, value in first.items() if key.startswith("map")}
    missing = ("distinct_codes", "query_microseconds", "train_seconds", "train_cpu_seconds")
    row = run.fields() | judged() | figures | dict.fromkeys(missing) | facts
    row |= {"settings_digest": _digest(run), "images": len(rows.database)}
    row |= {"augmented": augmented} if augmented else {}
    return row | {"axes": axes, "copies": copies} | provenance(run.device)


def _digest(run: Run) -> str:
    text = json.dumps([run.fields(), JUDGED], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _encode(
    run: Run, source: Source, rows: Rows, advance: Advance
) -> tuple[Encoded, dict[str, Between], Facts]:
    """Return the encoded images, rankings by the names of their rules, and facts of fitting."""
    entry = method(run.method)
    if isinstance(entry, Exact):
        shape = _centred(source, run, rows) if entry.cosine else np.asarray
        return encoded_of(run, source, rows, shape), {"float": _by_vectors}, {}
    inputs = source.inputs(run.protocol, run.seed, run.features)
    encoder, facts = fitted(run, source, inputs, advance)
    prefix = encoder.code_bits
    if isinstance(entry, TwoPart):
        prefix = encoder.prefix_bits
    labels = np.asarray(inputs.train_labels)
    trained = encoder.project(inputs.train)
    rules = _rules(trained, labels, prefix)
    rules["same-class"] = same_class(encoder, trained[:, :prefix], labels)(JUDGED["same_class"])
    if prefix < encoder.code_bits:
        rules["rest"] = _by_rule(WeightedPrefix(encoder.code_bits, prefix, 0))
    return encoded_of(run, source, rows, encoder.project), rules, facts | {"prefix_bits": prefix}


def same_class(
    encoder: Any, prefixes: Items, labels: npt.NDArray[np.int64]
) -> Callable[[float], Between]:
    """Return the ranking by the probability of one class, by its weight.

    Of cells by their own rule, of other codes by what their bits tell; `prefixes` are margins of
    training images.
    """
    if isinstance(encoder.ranking, SameClass):
        return lambda weight: _by_rule(encoder.prefix_.rule(encoder.code_bits, weight))
    return by_posteriors(prefixes, labels)


def encoded_of(run: Run, source: Source, rows: Rows, encode: Callable[[Items], Items]) -> Encoded:
    assert rows.others is not None
    parts = [
        encode(source.items(part, run.features))
        for part in (rows.database, rows.others, rows.queries)
    ]
    originals = source.items(rows.queries[: JUDGED["copies"]])
    copies = {
        family: encode(source.described(edits.edited(originals, family), run.features))
        for family in edits.families(originals)
    }
    database, others, queries = parts
    return Encoded(database, others, queries, copies, encode)


def _centred(source: Source, run: Run, rows: Rows) -> Callable[[Items], Items]:
    """Return vectors less the mean of the training images', of length 1."""
    mean = source.items(rows.train, run.features).mean(axis=0)
    return lambda items: unit(items - mean)


def _by_vectors(queries: Items, database: Items) -> Ranker:
    queries, database = (np.asarray(part, np.float32) for part in (queries, database))
    norms = np.square(database).sum(axis=1)

    def rank(rows: slice) -> npt.NDArray[Any]:
        return np.asarray(norms - 2 * queries[rows] @ database.T)

    return rank


def _by_rule(rule: Rule) -> Between:
    def between(queries: Items, database: Items) -> Ranker:
        codes = pack(database)
        return lambda rows: rule.distances(rule.queries_of(queries[rows]), codes)

    return between


def _rules(trained: Items, labels: npt.NDArray[np.int64], prefix: int) -> dict[str, Between]:
    """Return the rules of bits, for whatever encoder; one without a prefix has the whole code.

    Where the whole code is the prefix a weight changes nothing: there "weighted" counts its first
    half more.
    """
    weight, bits = JUDGED["weight"], trained.shape[1]
    half = prefix if prefix < bits else max(1, bits // 2)
    centres = class_centres(pack(trained), labels, bits, prefix)
    found: tuple[Rule, ...] = (
        Hamming(bits),
        WeightedPrefix(bits, half, weight),
        ClassAware(bits, prefix, weight, centres=centres),
        FloatQuery(WeightedPrefix(bits, prefix, weight), mean_margins(trained)),
    )
    return {name: _by_rule(rule) for name, rule in zip(RULES, found, strict=False)}


def _levels(source: Source, rows: Rows, database: npt.NDArray[np.int64]) -> Levels:
    labels, finer = source.labels, source.finer
    if finer is None:
        return Levels(labels[rows.queries], labels[database])
    return Levels(labels[rows.queries], labels[database], finer[rows.queries], finer[database])


def ceilings_of(source: Source, run: Run, rows: Rows) -> dict[str, float | None]:
    """Return what real vectors have within classes, by database: the cosine of frozen features.

    A scale for within-class scores, not a judge: finer labels judge the vectors, too.
    """
    features = source.ceiling
    if source.finer is None or features is None:
        return {"trained": None, "untrained": None}
    assert rows.others is not None
    key = (run.protocol, run.seed if protocol(run.protocol).drawn else 0)
    if key not in source.ceilings:
        mean = source.items(rows.train, features).mean(axis=0)
        queries, *databases = (
            unit(source.items(part, features) - mean)
            for part in (rows.queries, rows.database, rows.others)
        )
        found = {}
        for name, own, part in zip(
            ("trained", "untrained"), databases, (rows.database, rows.others), strict=True
        ):
            scores = score_axes(_by_vectors(queries, own), _levels(source, rows, part))
            found[name] = None if scores.within is None else scores.within[0]
        source.ceilings[key] = found
    return source.ceilings[key]


def figures_of(
    between: Between,
    encoded: Encoded,
    source: Source,
    rows: Rows,
    ceilings: dict[str, float | None],
) -> dict[str, Facts]:
    assert rows.others is not None
    found = {}
    for name, own, part in (
        ("trained", encoded.database, rows.database),
        ("untrained", encoded.others, rows.others),
    ):
        scores = score_axes(between(encoded.queries, own), _levels(source, rows, part))
        figures: Facts = {}
        for key in ("map_all", "map10_hits", "map10_mink", "within"):
            value = getattr(scores, key) or (None,) * 3
            figures |= zip((key, f"{key}_low", f"{key}_high"), value, strict=True)
        within = figures["within"]
        figures |= {"chance": scores.chance, "ceiling": ceilings[name]}
        figures |= {"share": share(within, scores.chance, ceilings[name])}
        found[name] = figures | {"queries_within": scores.queries_within}
    return found


def copies_of(between: Between, encoded: Encoded) -> dict[str, dict[str, float]]:
    """Return how often originals are found, which no training saw, among the trained images."""
    first = next(iter(encoded.edited.values()))
    count = len(first)
    database = np.concatenate([encoded.database, encoded.queries[:count]])
    own = len(encoded.database) + np.arange(count)
    return {
        family: {
            str(depth): found
            for depth, found in found_at(
                between(copies, database), own, tuple(JUDGED["depths"])
            ).items()
        }
        for family, copies in encoded.edited.items()
    }


def _augmented(
    source: Source, run: Run, rows: Rows, encoded: Encoded, count: int, advance: Advance
) -> Codes:
    """Return the codes of `count` random views of the database's images."""
    parts, done = [], 0
    for images in edits.views(source.items(rows.database), count):
        parts.append(pack(encoded.encode(source.described_once(images, run.features))))
        done += len(images)
        advance(done, count, "augmented images")
    return np.concatenate(parts)


def _cost(bits: int, codes: Codes, queries: Codes) -> Facts:
    """Measure the exact ten nearest by Hamming distance among codes, and how these spread."""
    queries = queries[:_TIMED]
    index = Index(bits)
    index.add(codes)
    return {
        "distinct_codes": distinct_codes(codes),
        "bucket_length": expected_bucket_length(codes),
        "collision_entropy": collision_entropy(codes),
        "candidates": candidates_of(index, queries),
        "query_microseconds": float(np.median(time_queries(index, queries))),
    }
