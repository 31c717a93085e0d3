"""Measures against brute force over every order of ties, and against scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from sklearn.metrics import average_precision_score

from hashret import evaluation as ev
from hashret.errors import DTypeError, ParameterError, ShapeError

DENOMINATORS = ("relevant", "min", "hits")


def brute_force_ap(order: list[bool], k: int, denominator: str, total: int) -> float:
    hits = [sum(order[: i + 1]) for i in range(min(k, len(order)))]
    summed = sum(h / (i + 1) for i, h in enumerate(hits) if order[i])
    chosen = {"relevant": total, "min": min(k, total), "hits": hits[-1] if hits else 0}
    return summed / max(1, chosen[denominator])


def every_order(distances: list[int], relevant: list[bool]) -> list[list[bool]]:
    """All orders of the items that keep distances ascending, each permutation once."""
    groups = [
        [r for d, r in zip(distances, relevant, strict=True) if d == distance]
        for distance in sorted(set(distances))
    ]
    products = itertools.product(*(itertools.permutations(group) for group in groups))
    return [list(itertools.chain(*order)) for order in products]


def histograms_of(distances: list[int], relevant: list[bool]) -> ev.DistanceHistograms:
    width = max(distances, default=0) + 2
    items = np.bincount(np.array(distances, int), minlength=width)
    hits = np.bincount(np.array(distances, int), np.array(relevant, float), minlength=width)
    return ev.DistanceHistograms(items[None], hits[None].astype(np.int64))


ranking = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6)


@given(ranking, st.integers(1, 8), st.sampled_from(DENOMINATORS))
def test_tied_ap_is_the_mean_over_all_orders(items, k: int, denominator: str) -> None:
    distances, relevant = [list(column) for column in zip(*items, strict=True)]
    histograms = histograms_of(distances, relevant)
    # min(k, R) with k past the database is R either way.
    scores = [
        brute_force_ap(order, k, denominator, sum(relevant))
        for order in every_order(distances, relevant)
    ]
    expected, low, high = ev.average_precision(histograms, k, denominator).means()
    np.testing.assert_allclose(
        [expected, low, high], [np.mean(scores), min(scores), max(scores)], atol=1e-12
    )


@given(ranking, st.integers(1, 8))
def test_tied_precision_and_recall_are_means_over_all_orders(items, k: int) -> None:
    distances, relevant = [list(column) for column in zip(*items, strict=True)]
    histograms = histograms_of(distances, relevant)
    hits = [sum(order[:k]) for order in every_order(distances, relevant)]
    triple = np.array([np.mean(hits), min(hits), max(hits)])
    np.testing.assert_allclose(ev.precision_at(histograms, k).means(), triple / k)
    total = max(1, sum(relevant))
    np.testing.assert_allclose(ev.recall_at(histograms, k).means(), triple / total)


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_without_ties_ap_is_scikit_learns(relevant: list[bool]) -> None:
    n = len(relevant)
    tied = ev.average_precision(histograms_of(list(range(n)), relevant))
    expected = average_precision_score(relevant, -np.arange(n))
    np.testing.assert_allclose(tied.means(), [expected] * 3)
    ranked = ev.ranked_average_precision([relevant], "relevant", totals=[sum(relevant)])
    np.testing.assert_allclose(ranked, expected)


def test_the_order_of_ties_decides_and_the_bounds_tell() -> None:
    """A class-sorted database in ten collapsed codes: shuffles agree with the expectation."""
    rng = np.random.default_rng(0)
    items = rng.integers(20, 60, 10)
    relevant = rng.integers(0, items)
    histograms = ev.DistanceHistograms(items[None], relevant[None])
    groups = [np.arange(n) < p for n, p in zip(items, relevant, strict=True)]
    scores = [
        brute_force_ap(np.concatenate([rng.permutation(g) for g in groups]).tolist(), 50, "hits", 0)
        for _ in range(2000)
    ]
    expected, low, high = ev.average_precision(histograms, 50, "hits").means()
    error = np.std(scores) / np.sqrt(len(scores))
    assert abs(np.mean(scores) - expected) < 5 * error
    assert low < min(scores) < max(scores) < high


def random_codes(n: int, bits: int, seed: int) -> np.ndarray:
    return np.packbits(np.random.default_rng(seed).integers(0, 2, (n, bits)), axis=1)


def brute_force_histograms(queries, codes, bits, query_labels, labels):
    items = np.zeros((len(queries), bits + 1), int)
    relevant = np.zeros((len(queries), bits + 1), int)
    for i, query in enumerate(queries):
        for code, label in zip(codes, labels, strict=True):
            distance = sum(int(byte).bit_count() for byte in query ^ code)
            items[i, distance] += 1
            relevant[i, distance] += label == query_labels[i]
    return items, relevant


@pytest.mark.parametrize("bits", [1, 7, 8, 12, 64, 100])
@pytest.mark.parametrize(("n_queries", "n"), [(0, 5), (5, 0), (1, 1), (13, 57)])
def test_histograms_equal_counting(bits: int, n_queries: int, n: int) -> None:
    queries, codes = random_codes(n_queries, bits, 1), random_codes(n, bits, 2)
    query_labels, labels = np.arange(n_queries) % 4, np.arange(n) % 3
    found = ev.distance_histograms(queries, codes, bits, query_labels, labels)
    items, relevant = brute_force_histograms(queries, codes, bits, query_labels, labels)
    np.testing.assert_array_equal(found.items, items)
    np.testing.assert_array_equal(found.relevant, relevant)


def test_blocks_of_queries_score_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, codes = random_codes(50, 8, 1), random_codes(300, 8, 2)
    histograms = ev.distance_histograms(queries, codes, 8, np.arange(50) % 3, np.arange(300) % 3)
    whole = ev.average_precision(histograms, 10, "hits")
    monkeypatch.setattr(ev.metrics, "_CELLS", 20)
    parts = ev.average_precision(histograms, 10, "hits")
    np.testing.assert_array_equal(whole.expected, parts.expected)
    np.testing.assert_array_equal(whole.high, parts.high)


def test_an_index_order_scores_between_the_bounds() -> None:
    queries, codes = random_codes(40, 8, 3), random_codes(500, 8, 4)
    query_labels, labels = np.arange(40) % 5, np.arange(500) % 5
    distances = np.unpackbits(queries[:, None] ^ codes[None], axis=2).sum(axis=2)
    ids = np.argsort(distances, axis=1, kind="stable")[:, :10]
    relevant = ev.relevance(ids, query_labels, labels)
    histograms = ev.distance_histograms(queries, codes, 8, query_labels, labels)
    totals = ev.relevant_totals(query_labels, labels)
    assert totals.tolist() == [100] * 40
    for denominator in DENOMINATORS:
        tied = ev.average_precision(histograms, 10, denominator)
        ranked = ev.ranked_average_precision(relevant, denominator, totals)
        assert (tied.low <= ranked + 1e-12).all()
        assert (ranked <= tied.high + 1e-12).all()
    tied_precision = ev.precision_at(histograms, 10)
    assert (tied_precision.low <= ev.ranked_precision(relevant)).all()
    np.testing.assert_allclose(
        ev.ranked_recall(relevant, totals), ev.ranked_precision(relevant) * 10 / 100
    )


def test_the_stated_examples_of_the_denominators() -> None:
    lists = [[True, False, False], [True, False, True]]
    assert ev.ranked_average_precision(lists, "hits").round(2).tolist() == [1.0, 0.83]
    assert ev.ranked_average_precision(lists, "min", [2, 5]).tolist() == [0.5, (1 + 2 / 3) / 3]
    assert ev.ranked_average_precision(lists, "relevant", [4, 4])[0] == 0.25


def test_missing_results_are_wrong_unless_the_study_pads_them() -> None:
    ids = np.array([[-1, -1], [0, -1]])
    fair = ev.relevance(ids, [1, 2], [1])
    assert ev.ranked_average_precision(fair).tolist() == [0.0, 0.0]
    padded = ev.relevance(ids, [1, 2], [1], missing=True)
    assert ev.ranked_average_precision(padded).tolist() == [1.0, 0.5]
    assert not ev.relevance([[-1]], [1], []).any()


def test_an_empty_hamming_ball_scores_zero() -> None:
    items = np.array([[0, 0, 0, 5], [1, 0, 1, 0]])
    histograms = ev.DistanceHistograms(items, np.array([[0, 0, 0, 5], [1, 0, 0, 0]]))
    assert ev.precision_within(histograms).tolist() == [0.0, 0.5]
    assert ev.precision_within(histograms, radius=3).tolist() == [1.0, 0.5]
    precision, recall = ev.precision_recall_by_radius(histograms)
    assert precision.tolist() == [0.5, 0.5, 0.25, 0.75]
    assert recall.tolist() == [0.5, 0.5, 0.5, 1.0]


def test_queries_without_relevant_items_score_zero() -> None:
    histograms = histograms_of([0, 1, 1], [False, False, False])
    for denominator in DENOMINATORS:
        assert ev.average_precision(histograms, 2, denominator).means() == (0.0, 0.0, 0.0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_collisions_are_counted(values: list[int]) -> None:
    codes = np.array(values, np.uint8)[:, None]
    pairs = sum(a == b for a in values for b in values)
    assert ev.distinct_codes(codes) == len(set(values))
    assert ev.expected_bucket_length(codes) == pytest.approx(pairs / len(values))
    assert ev.collision_entropy(codes) == pytest.approx(-np.log2(pairs / len(values) ** 2))


def test_uniform_codes_have_full_entropy() -> None:
    codes = np.arange(256, dtype=np.uint8)[:, None]
    assert ev.collision_entropy(codes) == 8.0
    assert ev.expected_bucket_length(codes) == 1.0
    assert ev.distinct_codes(np.repeat(codes, 2, axis=1)) == 256
    assert ev.distinct_codes(np.empty((0, 2), np.uint8)) == 0


def test_bad_input_is_named() -> None:
    codes = random_codes(3, 8, 0)
    with pytest.raises(ShapeError, match="labels"):
        ev.distance_histograms(codes, codes, 8, [0, 1, 2], [0, 1])
    with pytest.raises(DTypeError, match="query_labels"):
        ev.distance_histograms(codes, codes, 8, [0.5, 1, 2], [0, 1, 2])
    with pytest.raises(ShapeError, match="queries"):
        ev.distance_histograms(codes, codes, 16, [0, 1, 2], [0, 1, 2])
    histograms = ev.distance_histograms(codes, codes, 8, [0, 1, 2], [0, 1, 2])
    for k in (0, -1):
        with pytest.raises(ParameterError, match="k: "):
            ev.average_precision(histograms, k)
    with pytest.raises(DTypeError, match="k: "):
        ev.precision_at(histograms, 2.0)
    with pytest.raises(ParameterError, match="denominator"):
        ev.average_precision(histograms, 1, "R")
    with pytest.raises(ParameterError, match="totals"):
        ev.ranked_average_precision([[True]], "min")
    with pytest.raises(DTypeError, match="bool"):
        ev.ranked_average_precision([[1, 0]])
    with pytest.raises(ShapeError, match="k >= 1"):
        ev.ranked_precision(np.empty((2, 0), bool))
    with pytest.raises(ParameterError, match="ids"):
        ev.relevance([[3]], [0], [0, 1, 2])
    with pytest.raises(ParameterError, match="radius"):
        ev.precision_within(histograms, -1)
    with pytest.raises(ShapeError, match="same shape"):
        ev.DistanceHistograms(np.zeros((1, 2), int), np.zeros((1, 3), int))
    for measure in (ev.collision_entropy, ev.expected_bucket_length):
        with pytest.raises(ParameterError, match="no codes"):
            measure(np.empty((0, 1), np.uint8))


def test_a_result_listed_twice_is_refused_where_it_would_count_twice() -> None:
    found = ev.relevance([[0, 1, 0]], [5], [5, 6])
    for call in (
        lambda: ev.ranked_average_precision(found, "relevant", totals=[1]),
        lambda: ev.ranked_average_precision(found, "min", totals=[1]),
        lambda: ev.ranked_recall(found, totals=[1]),
    ):
        with pytest.raises(ParameterError, match=r"totals: expected at least 2, .* query 0, got 1"):
            call()


@pytest.mark.parametrize(
    ("items", "relevant", "error", "message"),
    [
        ([[2, 0]], [[3, 0]], ParameterError, "relevant: expected 0 to 2, .* distance 0 .* got 3"),
        ([[2, 0]], [[0, -1]], ParameterError, "relevant: expected 0 to 0, .* distance 1 .* got -1"),
        ([[-1, 0]], [[0, 0]], ParameterError, "relevant: expected 0 to -1"),
        ([[2.0, 0.0]], [[1, 0]], DTypeError, "items: expected integers, got float64"),
        ([[2, 0]], [[True, False]], DTypeError, "relevant: expected integers, got bool"),
    ],
)
def test_counts_that_cannot_be_are_refused(items, relevant, error, message) -> None:
    with pytest.raises(error, match=message):
        ev.DistanceHistograms(np.array(items), np.array(relevant))


def test_masked_results_are_missing() -> None:
    ids = np.ma.array([[1, 0, 1]], mask=[[0, 1, 1]])
    assert ev.relevance(ids, [5], [5, 5]).tolist() == [[True, False, False]]
    assert ev.relevance(ids, [5], [5, 5], missing=True).all()
    hits = np.ma.array([[True, True]], mask=[[False, True]])
    assert ev.ranked_precision(hits).tolist() == [0.5]


@pytest.mark.parametrize("radius", [2.5, True, float("nan"), "2", None])
def test_a_radius_is_an_integer(radius) -> None:
    histograms = histograms_of([0, 1], [True, False])
    with pytest.raises(DTypeError, match="radius: expected an int, got"):
        ev.precision_within(histograms, radius)


def test_codes_are_numbers() -> None:
    with pytest.raises(DTypeError, match="codes: expected uint8, got object"):
        ev.distinct_codes(np.array([["a"], [None]], object))


def test_no_queries_have_no_mean() -> None:
    none = ev.distance_histograms(np.empty((0, 1), np.uint8), random_codes(3, 8, 0), 8, [], [0] * 3)
    assert len(ev.average_precision(none, 10, "hits").expected) == 0
    with pytest.raises(ParameterError, match="no queries"):
        ev.average_precision(none).means()
    with pytest.raises(ParameterError, match="no queries"):
        ev.precision_recall_by_radius(none)


def test_several_labels_make_relevant_what_shares_one(rng):
    codes, queries = (rng.integers(0, 256, (n, 1), dtype=np.uint8) for n in (80, 30))
    labels, wanted = rng.random((80, 5)) < 0.25, rng.random((30, 5)) < 0.25
    share = np.array(
        [[bool(set(np.flatnonzero(a)) & set(np.flatnonzero(b))) for b in labels] for a in wanted]
    )
    histograms = ev.distance_histograms(queries, codes, 8, wanted.astype(int), labels)
    for row, query in enumerate(queries[:, 0].tolist()):
        counts = np.zeros(9, int)
        for code, right in zip(codes[:, 0].tolist(), share[row], strict=True):
            counts[(query ^ code).bit_count()] += right
        np.testing.assert_array_equal(histograms.relevant[row], counts)
    np.testing.assert_array_equal(ev.relevant_totals(wanted, labels), share.sum(axis=1))
    ids = rng.integers(-1, 80, (30, 7))
    found = ev.relevance(ids, wanted, labels)
    np.testing.assert_array_equal(found, np.take_along_axis(share, ids % 80, 1) & (ids >= 0))


def test_a_table_with_one_class_a_row_is_the_same_as_numbers(rng):
    codes, queries = (rng.integers(0, 256, (n, 1), dtype=np.uint8) for n in (80, 30))
    labels, wanted = rng.integers(0, 4, 80), rng.integers(0, 4, 30)
    tables = np.eye(4, dtype=int)[wanted], np.eye(4)[labels] > 0
    numbers = ev.distance_histograms(queries, codes, 8, wanted, labels)
    tables = ev.distance_histograms(
        queries, codes, 8, np.eye(4, dtype=int)[wanted], np.eye(4)[labels] > 0
    )
    np.testing.assert_array_equal(numbers.relevant, tables.relevant)


@pytest.mark.parametrize(
    ("wanted", "labels", "message"),
    [
        (
            np.zeros((2, 3), int),
            np.zeros((4, 2), int),
            "query_labels: expected a table of 2 classes like labels",
        ),
        (np.zeros(2, int), np.zeros((4, 2), int), "query_labels: expected"),
        (np.full((2, 3), 2), np.zeros((4, 3), int), "query_labels: expected 0 and 1 in a table"),
        (np.zeros((3, 3), int), np.zeros((4, 3), int), r"expected \(2,\) or \(2, classes\)"),
    ],
)
def test_tables_of_labels_that_do_not_fit_are_refused(wanted, labels, message):
    with pytest.raises((ShapeError, ParameterError), match=message):
        ev.distance_histograms(
            np.zeros((2, 1), np.uint8), np.zeros((4, 1), np.uint8), 8, wanted, labels
        )


ARRAYS = {
    "ids": lambda value: ev.relevance(value, [1], [1, 2]),
    "exclude": lambda value: ev.relevance([[0, 1]], [1], [1, 2], exclude=value),
    "relevant": ev.ranked_precision,
    "totals": lambda value: ev.ranked_recall([[True]], value),
    "codes": ev.distinct_codes,
    "items": lambda value: ev.DistanceHistograms(value, [[0]]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_none_are_refused_by_name(name):
    ragged, text = [[0], [0, 1]], [["a"]]
    for value in (ragged, text, object(), {0}):
        with pytest.raises((ShapeError, DTypeError), match=f"^{name}.*: expected"):
            ARRAYS[name](value)


@pytest.mark.filterwarnings("error")
def test_tensors_are_taken_without_a_warning():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    ids = torch.tensor([[0, 1]])
    assert ev.relevance(ids, [1], [1, 2], exclude=torch.tensor([-1])).tolist() == [[True, False]]
    assert ev.distinct_codes(torch.ones(3, 2, requires_grad=True)) == 1
    assert len(ev.DistanceHistograms([[2, 0]], [[1, 0]])) == 1
