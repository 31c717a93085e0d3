"""Ranking rules, and the dictionaries by which the oracle knows them."""

from __future__ import annotations

import numpy as np
import oracle

from hashret.ranking import ClassAware, FloatQuery, SameClass, WeightedPrefix

WEIGHTS = [0.0, 0.3, 0.5, 1.0, 4.0, 1e6, 2.0**40]


def make_rule(rng, bits, own, weight, *, classes=0, share=0.5, floats=False):
    """Return a rule and what the oracle is told of it, without margins."""
    known = {"bits": bits, "prefix_bits": own, "weight": weight}
    if classes:
        known |= {"centres": oracle.random_codes(rng, classes, own), "share": share}
        rule = ClassAware(bits, own, weight, centres=known["centres"], share=share)
        if rng.random() < 0.4:
            rule = same_class(rng, known)
    else:
        rule = WeightedPrefix(bits, own, weight)
    if floats and rng.random() < 0.5:
        known["scale"] = rng.uniform(0.1, 3, bits).astype(np.float32)
    return (FloatQuery(rule, known.get("scale")) if floats else rule), known


def same_class(rng, known):
    """Return a rule by probabilities, some of which are 0 or alike, and tell the oracle of them."""
    count = len(known["centres"])
    known["posteriors"] = rng.dirichlet(np.full(rng.integers(1, 6), 0.3), count)
    known["posteriors"][rng.random(count) < 0.3] = np.eye(len(known["posteriors"].T))[0]
    known["of_cells"] = float(rng.choice([0, 1.5, 32]))
    return SameClass(
        known["bits"],
        known["prefix_bits"],
        known["of_cells"],
        centres=known["centres"],
        posteriors=known["posteriors"],
        prefix_weight=known["weight"],
    )


def make_queries(rng, count, rule, known):
    """Return random queries as a rule takes them, their codes, and what the oracle is told."""
    if rule.takes == "codes":
        codes = oracle.random_codes(rng, count, rule.bits)
        return codes, codes, known
    # Of several sizes, some equal and some 0, so that sums tie.
    margins = rng.integers(-3, 4, (count, rule.bits)) * 2.0 ** rng.integers(-20, 4, (count, 1))
    if rng.random() < 0.5:
        margins = margins * rng.random(margins.shape)
    return margins, (margins > 0), known | {"margins": margins}
