"""Rules: their distances against the oracle, what they refuse, and what they are saved as."""

from __future__ import annotations

import json
import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranking.rules import WEIGHTS, make_queries, make_rule

from hashret import Index, codes
from hashret.errors import (
    CodeError,
    DTypeError,
    EncoderMismatchError,
    FormatError,
    HashretError,
    ParameterError,
    ShapeError,
)
from hashret.ranking import (
    ClassAware,
    FloatQuery,
    Hamming,
    SameClass,
    WeightedPrefix,
    class_centres,
    mean_margins,
    rule_from,
)

ALL = [
    Hamming(16),
    WeightedPrefix(16, 5, 0.3),
    ClassAware(16, 9, 4, centres=np.array([[1, 128], [255, 0]], np.uint8), share=0.25),
]
ALL += [FloatQuery(rule) for rule in ALL]
CELLS = {"centres": np.array([[0], [128], [192]], np.uint8), "posteriors": np.eye(3)}
ALL += [SameClass(16, 2, 8, **CELLS), SameClass(16, 2, 8, **CELLS, prefix_weight=0.5)]
ALL += [FloatQuery(ALL[-1])]
ALL += [FloatQuery(Hamming(16), np.geomspace(0.01, 3, 16))]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([1, 2, 3, 8, 9, 63, 64, 65, 130, 1024]),
    weight=st.sampled_from(WEIGHTS),
    classes=st.sampled_from([0, 1, 5]),
    share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    floats=st.booleans(),
)
def test_distances_equal_the_oracle(seed, bits, weight, classes, share, floats):
    rng = np.random.default_rng(seed)
    own = int(rng.integers(1, bits + 1)) if rng.random() < 0.8 else bits
    rule, known = make_rule(rng, bits, own, weight, classes=classes, share=share, floats=floats)
    queries, plain, known = make_queries(rng, 3, rule, known)
    packed = plain if rule.takes == "codes" else codes.pack(plain)
    database = oracle.random_codes(rng, int(rng.integers(0, 40)), bits)
    found = rule.distances(queries, database)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, oracle.ranked_distances(packed, database, known))


def test_hamming_is_hamming():
    rng = np.random.default_rng(0)
    for bits in (1, 7, 64, 100):
        left, right = oracle.random_codes(rng, 4, bits), oracle.random_codes(rng, 30, bits)
        wanted = oracle.distances(left, right)
        np.testing.assert_array_equal(Hamming(bits).distances(left, right), wanted)
        # Where all margins are of one size a float query is nothing else.
        margins = np.where(codes.unpack(left, bits), 2.0, -2.0)
        found = FloatQuery(Hamming(bits)).distances(margins, right)
        np.testing.assert_array_equal(found, 2.0 * wanted)


def test_many_codes_are_compared_in_pieces(monkeypatch):
    rng = np.random.default_rng(1)
    monkeypatch.setattr("hashret.ranking.rule.PIECE", 64)
    for floats in (False, True):
        rule, known = make_rule(rng, 20, 8, 4.0, classes=3, floats=floats)
        queries, plain, known = make_queries(rng, 5, rule, known)
        packed = plain if rule.takes == "codes" else codes.pack(plain)
        database = oracle.random_codes(rng, 57, 20)
        wanted = oracle.ranked_distances(packed, database, known)
        np.testing.assert_array_equal(rule.distances(queries, database), wanted)


def test_the_farthest_code_is_the_one_that_differs_in_all_bits():
    rng = np.random.default_rng(2)
    # Not those by centres: the opposite code is of another class, or not.
    for rule in ALL[:2] + ALL[3:5]:
        queries = rng.normal(size=(4, 16)).astype(np.float32)
        asked = rule.queries_of(queries)
        opposite = codes.pack(-queries)
        far = np.diag(rule.distances(asked, opposite))
        np.testing.assert_array_equal(rule.farthest(asked), far)


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_a_rule_comes_back_from_json(rule):
    again = rule_from(json.loads(json.dumps(rule.as_dict())))
    assert again == rule
    assert hash(again) == hash(rule)
    assert again.fingerprint == rule.fingerprint
    assert type(again) is type(rule)
    queries = rule.queries_of(np.random.default_rng(0).normal(size=(3, 16)))
    database = oracle.random_codes(np.random.default_rng(1), 20, 16)
    np.testing.assert_array_equal(
        again.distances(queries, database), rule.distances(queries, database)
    )


@pytest.mark.parametrize("classes", [1000, 2000, 10_000, 100_000])
@pytest.mark.parametrize("sure", [0.0, 0.9, 0.99])
def test_a_rule_of_many_classes_comes_back_from_json(classes, sure):
    # Most of such probabilities are less than half a unit, or about one: rounding adds up.
    rest = np.random.default_rng(0).dirichlet(np.ones(classes), 2)
    even = np.full((1, classes), 1 / classes)
    posteriors = (1 - sure) * np.concatenate([rest, even])
    posteriors[:, 0] += sure
    rule = SameClass(16, 2, 8, centres=[[0], [64], [128]], posteriors=posteriors)
    again = rule_from(json.loads(json.dumps(rule.as_dict())))
    assert again == rule
    assert again.fingerprint == rule.fingerprint


def test_no_two_rules_have_one_fingerprint():
    assert len({rule.fingerprint for rule in ALL}) == len(ALL)
    assert WeightedPrefix(16, 5, 1) != WeightedPrefix(16, 5, 2)
    assert WeightedPrefix(16, 5, 1) == WeightedPrefix(16, 5, 1.0)
    assert WeightedPrefix(16, 5, 1) != "weighted-prefix"


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        {},
        {"rule": "nearest"},
        {"rule": ["hamming"], "bits": 8},
        {"rule": "hamming"},
        {"rule": "hamming", "bits": "8"},
        {"rule": "hamming", "bits": 8, "weight": 2},
        {"rule": "weighted-prefix", "bits": 8, "prefix_bits": 9, "weight": 1.0},
        {"rule": "weighted-prefix", "bits": 8, "prefix_bits": 2, "weight": math.nan},
        {"rule": "weighted-prefix", "bits": 8, "prefix_bits": 2, "weight": 10**400},
        {"rule": "class-aware", "bits": 8, "prefix_bits": 2, "centres": ["zz"], "share": 0.5},
        {"rule": "class-aware", "bits": 8, "prefix_bits": 2, "centres": ["c0", "c000"]},
        {"rule": "class-aware", "bits": 8, "prefix_bits": 2, "centres": 3},
        {"rule": "same-class", "bits": 8, "prefix_bits": 2, "centres": ["c0"]},
        {
            "rule": "same-class",
            "bits": 8,
            "prefix_bits": 2,
            "centres": ["c0"],
            "posteriors": "none",
        },
        {"rule": "float-query", "of": {"rule": "float-query", "of": {"rule": "hamming"}}},
        {"rule": "float-query", "of": 3},
        {"rule": "float-query", "of": {"rule": "hamming", "bits": 2}, "scale": [1.0, 0.0]},
        {"rule": "float-query", "of": {"rule": "hamming", "bits": 2}, "scale": "no numbers"},
        {"rule": "hamming", "bits": 8, "of": {"rule": "hamming", "bits": 8}},
    ],
    ids=str,
)
def test_what_is_no_rule_is_a_format_error(saved):
    with pytest.raises(FormatError, match="ranking"):
        rule_from(saved)


@pytest.mark.parametrize(
    ("error", "match", "make"),
    [
        (ParameterError, "weight", lambda: WeightedPrefix(8, 2, -1)),
        (ParameterError, "weight", lambda: WeightedPrefix(8, 2, math.nan)),
        (ParameterError, "weight", lambda: WeightedPrefix(8, 2, math.inf)),
        (
            ParameterError,
            "weight: expected at most 1099511627776",
            lambda: WeightedPrefix(8, 2, 2e12),
        ),
        (DTypeError, "weight", lambda: WeightedPrefix(8, 2, "4")),
        (DTypeError, "weight", lambda: WeightedPrefix(8, 2, True)),
        (ParameterError, "prefix_bits: expected 1 to the 8 bits", lambda: WeightedPrefix(8, 0)),
        (ParameterError, "prefix_bits", lambda: WeightedPrefix(8, 9)),
        (ParameterError, "prefix_bits", lambda: WeightedPrefix(8, -1)),
        (ParameterError, "prefix_bits", lambda: WeightedPrefix(1, 2)),
        (DTypeError, "prefix_bits", lambda: WeightedPrefix(8, 2.0)),
        (ParameterError, "bits", lambda: WeightedPrefix(5000, 2)),
        (ShapeError, "centres", lambda: ClassAware(16, 4, centres=np.zeros((2, 2), np.uint8))),
        (CodeError, "centres", lambda: ClassAware(16, 4, centres=[[255]])),
        (ShapeError, "centres", lambda: ClassAware(16, 4, centres=np.zeros((0, 1), np.uint8))),
        (DTypeError, "centres", lambda: ClassAware(16, 4, centres=[[0.5]])),
        (DTypeError, "centres", lambda: ClassAware(16, 4, centres=None)),
        (ParameterError, "share", lambda: ClassAware(16, 4, centres=[[0]], share=1.5)),
        (ParameterError, "share", lambda: ClassAware(16, 4, centres=[[0]], share=-0.1)),
        (ParameterError, "share", lambda: ClassAware(16, 4, centres=[[0]], share=math.nan)),
        (
            ShapeError,
            "centres",
            lambda: SameClass(16, 2, centres=np.zeros((0, 1), np.uint8), posteriors=[]),
        ),
        (
            ShapeError,
            r"posteriors: expected \(3, n_classes\)",
            lambda: SameClass(16, 2, **CELLS | {"posteriors": np.eye(2)}),
        ),
        (
            CodeError,
            "posteriors",
            lambda: SameClass(16, 2, **CELLS | {"posteriors": np.full((3, 2), math.nan)}),
        ),
        (
            ParameterError,
            "posteriors: .* sum to 1",
            lambda: SameClass(16, 2, **CELLS | {"posteriors": np.ones((3, 2))}),
        ),
        (
            ParameterError,
            "sum to 1",
            # What rounding may lose does not excuse what was not rounded.
            lambda: SameClass(16, 2, **CELLS | {"posteriors": np.full((3, 9999), 0.97 / 9999)}),
        ),
        (
            ParameterError,
            "sum to 1",
            lambda: SameClass(16, 2, **CELLS | {"posteriors": np.full((3, 2), 1e308)}),
        ),
        (
            ParameterError,
            "posteriors",
            lambda: SameClass(16, 2, **CELLS | {"posteriors": [[2.0, -1.0]] * 3}),
        ),
        (
            ShapeError,
            "centres: expected 1 to 2048",
            lambda: SameClass(
                16, 16, centres=np.zeros((2049, 2), np.uint8), posteriors=np.ones((2049, 1))
            ),
        ),
        (ParameterError, "prefix_weight", lambda: SameClass(16, 2, **CELLS, prefix_weight=-1)),
        (ParameterError, "prefix_weight", lambda: SameClass(16, 2, **CELLS, prefix_weight=2e12)),
        (DTypeError, "rule", lambda: FloatQuery(64)),
        (DTypeError, "rule", lambda: FloatQuery(FloatQuery(Hamming(8)))),
        (ShapeError, r"scale: expected \(8,\)", lambda: FloatQuery(Hamming(8), np.ones(7))),
        (ShapeError, "scale", lambda: FloatQuery(Hamming(8), 2.0)),
        (DTypeError, "scale", lambda: FloatQuery(Hamming(1), ["a"])),
        (ParameterError, "scale: .* got 0.0 for bit 1", lambda: FloatQuery(Hamming(2), [1, 0.0])),
        (ParameterError, "scale: .* got nan", lambda: FloatQuery(Hamming(1), [math.nan])),
        (ParameterError, "scale: .* got 1e", lambda: FloatQuery(Hamming(1), [1e300])),
        (ParameterError, "scale: .* got 1e", lambda: FloatQuery(Hamming(1), [1e-300])),
        (ShapeError, "margins", lambda: mean_margins(np.zeros((0, 8)))),
        (CodeError, "margins", lambda: mean_margins([[math.nan]])),
        (ShapeError, "labels", lambda: class_centres([[0], [1]], [0], 8, 4)),
        (DTypeError, "labels", lambda: class_centres([[0], [1]], [0.0, 1.0], 8, 4)),
        (ParameterError, "labels: .* not missing", lambda: class_centres([[0]], [-1], 8, 4)),
        (ParameterError, "prefix_bits", lambda: class_centres([[0]], [0], 8, 9)),
        (ShapeError, "codes", lambda: class_centres([[0]], [0], 16, 9)),
    ],
)
def test_bad_parameters_are_named(error, match, make):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("error", "match", "queries"),
    [
        (CodeError, "queries: .*row 1", np.array([[0.0] * 8, [math.nan] * 8])),
        (CodeError, "queries: .*row 0", np.full((1, 8), math.inf)),
        (CodeError, "queries", np.full((1, 8), 1e300)),
        (ShapeError, "queries", np.zeros((2, 7))),
        (ShapeError, "queries", np.zeros(8)),
        (DTypeError, "queries", np.zeros((1, 8), complex)),
        (DTypeError, "queries", None),
    ],
)
def test_bad_margins_are_named(error, match, queries):
    index = Index(8)
    index.add(np.zeros((3, 1), np.uint8))
    ranked = index.ranked(FloatQuery(Hamming(8)))
    for refuse in (
        lambda: ranked.rule.distances(queries, index.get([0])),
        lambda: ranked.search(queries, 1),
        lambda: ranked.range_search(queries, 1),
    ):
        with pytest.raises(error, match=match):
            refuse()


def test_margins_of_codes_are_equally_sure_of_all_bits():
    rng = np.random.default_rng(3)
    left, right = oracle.random_codes(rng, 4, 30), oracle.random_codes(rng, 20, 30)
    for rule in (Hamming(30), WeightedPrefix(30, 30, 4), WeightedPrefix(30, 9, 4)):
        wanted = rule.distances(left, right)
        assert rule.queries_of_codes(left) is left
        for floats in (FloatQuery(rule), FloatQuery(rule, rng.uniform(0.1, 9, 30))):
            found = floats.distances(floats.queries_of_codes(left), right)
            np.testing.assert_array_equal(found, wanted)


def test_a_scale_of_mean_margins_makes_parts_of_any_size_alike():
    margins = np.random.default_rng(4).normal(size=(50, 16))
    grown = margins * np.where(np.arange(16) < 5, 1000, 1)
    database = codes.pack(margins)
    found = [
        FloatQuery(Hamming(16), mean_margins(part)).distances(part, database)
        for part in (margins, grown)
    ]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-6)
    assert mean_margins(np.zeros((3, 2))).min() > 0


def test_centres_are_the_majority_of_each_class():
    rng = np.random.default_rng(5)
    packed, labels = oracle.random_codes(rng, 60, 21), rng.integers(-1, 4, 60)
    bits = codes.unpack(packed, 21)
    wanted = [(2 * bits[labels == c, :9].sum(axis=0) > (labels == c).sum()) for c in range(4)]
    found = class_centres(packed, labels, 21, 9)
    np.testing.assert_array_equal(codes.unpack(found, 9), wanted)
    assert len(ClassAware(21, 9, centres=found).centres) == 4


def test_codes_are_refused_where_they_do_not_fit():
    rule = WeightedPrefix(16, 5)
    for queries in (np.zeros((1, 3), np.uint8), np.zeros((1, 2)), np.zeros(2, np.uint8)):
        with pytest.raises(HashretError, match="queries"):
            rule.distances(queries, np.zeros((1, 2), np.uint8))
    with pytest.raises(ShapeError, match="codes"):
        rule.distances(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))


def test_an_index_of_other_bits_or_of_an_inexact_kind_is_refused():
    with pytest.raises(ParameterError, match="codes of 16 bits, the index holds 8"):
        Index(8).ranked(Hamming(16))
    with pytest.raises(ParameterError, match="kind auto, mih, scan, this is 'lsh'"):
        Index(16, "lsh", tables=2).ranked(Hamming(16))
    with pytest.raises(DTypeError, match="rule: expected a Rule, got str"):
        Index(16).ranked("hamming")


def test_an_index_of_another_rule_is_refused():
    from hashret.ranking import with_rule

    rule, other = WeightedPrefix(16, 5, 1), WeightedPrefix(16, 5, 4)
    for fingerprint in ("a" * 64, "pca", "a/b"):
        named = with_rule(fingerprint, rule)
        assert len(named) <= 64
        Index(16, encoder=named).ranked(rule)
        with pytest.raises(EncoderMismatchError, match="under another ranking rule"):
            Index(16, encoder=named).ranked(other)
        # One that was built under none may be looked at by any.
        Index(16, encoder=fingerprint).ranked(other)
    Index(16).ranked(other)
