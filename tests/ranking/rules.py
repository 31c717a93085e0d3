"""Ranking rules, and the dictionaries by which the oracle knows them."""

from __future__ import annotations

import oracle

from hashret.ranking import ClassAware, FloatQuery, Hamming, WeightedPrefix

WEIGHTS = [0.0, 0.3, 0.5, 1.0, 4.0, 1e6, 2.0**40]


def make_rule(rng, bits, own, weight, *, classes=0, share=0.5, floats=False):
    """Return a rule and what the oracle is told of it, without margins."""
    known = {"bits": bits, "prefix_bits": own, "weight": weight}
    if classes:
        known |= {"centres": oracle.random_codes(rng, classes, own), "share": share}
        rule = ClassAware(bits, own, weight, centres=known["centres"], share=share)
    elif own == bits:  # no rest: of codes of one bit
        rule, known["weight"] = Hamming(bits), 1.0
        known["prefix_bits"] = rule.prefix_bits
    else:
        rule = WeightedPrefix(bits, own, weight)
    return (FloatQuery(rule) if floats else rule), known


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
