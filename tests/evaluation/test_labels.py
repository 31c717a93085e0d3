"""Every form of labels gives what the oracle says, in training, scoring and the command."""

from __future__ import annotations

import contextlib
import json
from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashret import Index, evaluation
from hashret.errors import DTypeError, HashretError, ParameterError, ShapeError
from hashret.evaluation.labels import match_labels, parse_labels

BITS, CLASSES = 5, 4
# What a careless reader takes for a missing label, or for each other.
WORDS = ("", "-1", "nan", "a\0", "a")


def pandas():
    return pytest.importorskip("pandas")


def torch():
    return pytest.importorskip("torch")


def objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def words(labels, missing=None):
    return [missing if label is None else WORDS[label] for label in labels]


def numbers(labels, missing=-1):
    return [missing if label is None else label for label in labels]


def masked(values, labels):
    return np.ma.array(values, mask=[label is None for label in labels])


# Forms of one label an image, by what they have in common. Each makes one of class numbers, None
# where a label is missing.
NUMBERS = {
    **{
        name: lambda labels, name=name: np.array(numbers(labels), name)
        for name in ("i1", "i2", "i4", "i8", ">i8", "f2", "f4", "f8", "g")
    },
    "list": numbers,
    "tuple": lambda labels: tuple(numbers(labels)),
    "list with None": lambda labels: numbers(labels, None),
    "objects": lambda labels: objects(numbers(labels, None)),
    "objects and NaN": lambda labels: objects(numbers(labels, np.float32("nan"))),
    "whole floats and NaN": lambda labels: np.array(numbers(labels, np.nan), "f8"),
    "masked": lambda labels: masked(numbers(labels, 2), labels),
    "masked unsigned": lambda labels: masked(np.array(numbers(labels, 3), "u1"), labels),
    "masked floats": lambda labels: masked(np.array(numbers(labels, np.inf), "f8"), labels),
    "strided": lambda labels: np.repeat(np.array(numbers(labels), "i8"), 2)[::2],
    "tensor": lambda labels: torch().tensor(numbers(labels), dtype=torch().int64),
    "tensor in a graph": lambda labels: torch().tensor(
        numbers(labels, np.nan), dtype=torch().float32, requires_grad=True
    ),
    "Int64": lambda labels: pandas().Series(numbers(labels, None), dtype="Int64"),
    "series": lambda labels: pandas().Series(numbers(labels, None), dtype="f8"),
    "categories": lambda labels: pandas().Categorical(numbers(labels, None)),
    "NA in a list": lambda labels: numbers(labels, pandas().NA),
}
STRINGS = {
    "objects": lambda labels: objects(words(labels)),
    "objects and NaN": lambda labels: objects(words(labels, np.nan)),
    "list": words,
    "list and NaN": lambda labels: words(labels, float("nan")),
    "list and NA": lambda labels: words(labels, pandas().NA),
    "masked": lambda labels: masked(objects(words(labels, "a")), labels),
    "bytes": lambda labels: [None if word is None else word.encode() for word in words(labels)],
    "series": lambda labels: pandas().Series(words(labels), dtype=object),
    "string": lambda labels: pandas().Series(words(labels), dtype="string"),
    "categories": lambda labels: pandas().Categorical(words(labels)),
}


def table(labels, missing=-1, dtype=float):
    """A table whose rows have the classes of each set, or `missing` in the place of None."""
    rows = [
        [missing] * CLASSES if has is None else [int(c in has) for c in range(CLASSES)]
        for has in labels
    ]
    return np.array(rows, dtype).reshape(len(labels), CLASSES)


def masked_table(labels):
    return np.ma.array(table(labels, 1, int), mask=table(labels, 2, int) == 2)


TABLES = {
    **{
        name: lambda labels, name=name: table(labels, dtype=name)
        for name in ("i1", "i8", "f2", "f4", "f8", object)
    },
    "list": lambda labels: table(labels, dtype=int).tolist() or np.zeros((0, CLASSES)),
    "NaN": lambda labels: table(labels, np.nan),
    "None": lambda labels: table(labels, None, object),
    "masked": masked_table,
    "tensor": lambda labels: torch().tensor(table(labels), dtype=torch().float32),
    "frame": lambda labels: pandas().DataFrame(table(labels, np.nan)),
    "boolean frame": lambda labels: (
        pandas().DataFrame(table(labels, None, object)).astype("boolean")
    ),
}
ONE = st.lists(st.one_of(st.none(), st.integers(0, CLASSES - 1)), max_size=12)
SEVERAL = st.lists(st.one_of(st.none(), st.sets(st.integers(0, CLASSES - 1))), max_size=12)


def as_sets(labels):
    return [
        set() if label is None else label if isinstance(label, set) else {label} for label in labels
    ]


@st.composite
def cases(draw):
    """Labels of queries and a database, each in a form of one family, and rows to leave out."""
    forms, labels = draw(st.sampled_from([(NUMBERS, ONE), (STRINGS, ONE), (TABLES, SEVERAL)]))
    wanted, present = draw(labels), draw(labels)
    first, second = draw(st.sampled_from([*forms])), draw(st.sampled_from([*forms]))
    rows = st.lists(st.integers(-1, len(present) - 1), min_size=len(wanted), max_size=len(wanted))
    return forms[first](wanted), forms[second](present), wanted, present, draw(st.none() | rows)


@given(cases(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_every_form_is_scored_as_the_oracle_says(case, seed):
    wanted_form, present_form, wanted, present, exclude = case
    rng = np.random.default_rng(seed)
    queries, codes = (oracle.random_codes(rng, len(x), BITS) for x in (wanted, present))
    relevant = oracle.shares(as_sets(wanted), as_sets(present))
    items, hits = oracle.histograms(queries, codes, BITS, relevant, exclude)
    found = evaluation.distance_histograms(
        queries, codes, BITS, wanted_form, present_form, exclude=exclude
    )
    np.testing.assert_array_equal(found.items, items)
    np.testing.assert_array_equal(found.relevant, hits)
    totals = evaluation.relevant_totals(wanted_form, present_form, exclude=exclude)
    np.testing.assert_array_equal(totals, hits.sum(axis=1))

    ids = rng.permuted(np.tile(np.arange(-1, len(present)), (len(wanted), 1)), axis=1)
    left = [
        [i for i in row if exclude is None or i != e or e < 0]
        for row, e in zip(ids, exclude or [-1] * len(ids), strict=True)
    ]
    expected = np.zeros(ids.shape, bool)
    for row, kept in enumerate(left):
        expected[row, : len(kept)] = [i >= 0 and relevant[row, i] for i in kept]
    told = evaluation.relevance(ids, wanted_form, present_form, exclude=exclude)
    np.testing.assert_array_equal(told, expected)


@given(st.sampled_from([(NUMBERS, ONE), (STRINGS, ONE), (TABLES, SEVERAL)]), st.data())
@settings(deadline=None)
def test_training_reads_every_form_as_scoring_does(family, data):
    torch()
    from hashret.deep.losses.labels import has_label, similar_pairs
    from hashret.deep.training.examples import as_labels

    forms, labels = family
    known = data.draw(labels)
    if forms is TABLES:
        known = [{0} if has == set() else has for has in known]  # which training refuses
    known += [{0}, {0}, {1, 2}] if forms is TABLES else [0, 0, 1]
    form = forms[data.draw(st.sampled_from([*forms]))](known)
    classes, targets = as_labels(form, len(known))
    sets = as_sets(known)
    np.testing.assert_array_equal(similar_pairs(targets), oracle.shares(sets, sets))
    np.testing.assert_array_equal(has_label(targets), [bool(has) for has in sets])
    if forms is STRINGS:
        # An array of strings shows no NUL at the end of one.
        named = sorted({WORDS[c] for c in known if c is not None})
        assert classes.tolist() == [word.rstrip("\0") for word in named]


@pytest.mark.parametrize("dtype", ["U", "S", "T"])
def test_arrays_of_strings(dtype):
    if dtype == "T" and not hasattr(np.dtypes, "StringDType"):
        pytest.skip("this numpy has no such strings")
    given = np.array(["cat", "dog", "cat"], np.dtypes.StringDType() if dtype == "T" else dtype)
    assert parse_labels(given).values.tolist() == ["cat", "dog", "cat"]
    assert evaluation.relevant_totals(["dog", "cat"], given).tolist() == [1, 2]


def test_missing_strings_of_numpy():
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("this numpy has no such strings")
    given = np.array(["a", np.nan], np.dtypes.StringDType(na_object=np.nan))
    assert evaluation.relevant_totals(given, given).tolist() == [1, 0]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2**64 - 1, 2**64 - 2, 2**64 - 1, 7], np.uint64),
        [-5, 2**64 - 1, -5, 2**53 + 1],
        [2**80, 2**80 + 1, 2**80, -(2**80)],
        [2**53, 2**53 + 1, 2**53, 0],
        [-(2**63), -2, -(2**63), 2**63 - 1],
    ],
)
def test_integers_of_any_size_stay_apart(labels):
    """2**64 - 1 is no -1 once it is int64, and no 2**64 - 2 once it is a float."""
    expected = [2, 1, 2, 1]
    assert evaluation.relevant_totals(labels, labels).tolist() == expected
    assert evaluation.relevant_totals(labels, objects(list(labels))).tolist() == expected
    torch()
    from hashret.deep.training.examples import as_labels

    numbered = as_labels(labels, 4)[1].numpy()
    assert numbered[0] == numbered[2]
    assert len(set(numbered.tolist())) == 3
    assert numbered.min() == 0


def test_negative_labels_but_for_minus_one_are_classes():
    assert evaluation.relevant_totals([-2, -1, 0], [-2, -2, -1, 0]).tolist() == [2, 0, 1]


@pytest.mark.parametrize("nothing", [[], [None] * 2, [-1, -1], [np.nan] * 2, [[-1, -1]] * 2])
@pytest.mark.parametrize("something", [[1, 2], ["a", "b"], [[1, 0], [0, 1]]])
def test_labels_that_are_all_missing_agree_with_any_form(nothing, something):
    assert not evaluation.relevant_totals(nothing, something).any()
    assert not evaluation.relevant_totals(something, nothing).any()


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ("cat", ShapeError, r"got str"),
        (None, ShapeError, r"got NoneType"),
        ({"a", "b"}, ShapeError, r"got set"),
        (5, ShapeError, r"got int"),
        ([["a", "b"], ["a"]], ShapeError, r"or \(n, classes\) of 0 and 1"),
        ([[0], [1]], ShapeError, r"with two classes or more, .* got shape \(2, 1\)"),
        (np.zeros((2, 0)), ShapeError, r"got shape \(2, 0\)"),
        (np.zeros((2, 2, 2)), ShapeError, r"got shape \(2, 2, 2\)"),
        ([["a", "b"], ["b", "c"]], DTypeError, "expected a table of 0 and 1, got str"),
        ([0.5, 1.0], DTypeError, "got 0.5 in row 0"),
        ([1.0, np.inf], DTypeError, "got inf in row 1"),
        (objects([1, 2.5]), DTypeError, "got 2.5 in row 1"),
        (np.array([1, 2**24 + 2], "f4"), DTypeError, "whole numbers up to 16777216"),
        (np.array([1j, 2]), DTypeError, "got complex128"),
        (np.array(["2020", "2021"], "M8[D]"), DTypeError, r"got datetime64\[D\]"),
        (np.zeros(2, [("a", int)]), DTypeError, "got "),
        (["a", 1], DTypeError, "strings and None where one is missing, got int, str"),
        ([b"a", "a"], DTypeError, "got bytes, str"),
        ([b"\xff", b"a"], DTypeError, "bytes in UTF-8"),
        ([Fraction(1), Fraction(2)], DTypeError, "got Fraction"),
        (objects([(1,), (2,)]), DTypeError, "got tuple"),
        ([[1, 0], [2, 0]], ParameterError, "got 2 in row 1"),
        ([[1, 0], [-1, 0]], ParameterError, "or -1 in a whole row .*, got -1 in row 1"),
        ([[1, 0], [0.5, np.nan]], ParameterError, "got 0.5 in row 1"),
        ([[1, 0], [None, 1]], ParameterError, "got nan in row 1"),
        (np.ma.array([[1, 0], [0, 1]], mask=[[0, 0], [1, 0]]), ParameterError, "row 1"),
    ],
)
def test_what_is_no_label_is_named(labels, error, message):
    for call in (
        lambda: evaluation.relevant_totals(labels, [0, 1]),
        lambda: evaluation.relevance([[0], [1]], labels, [0, 1]),
        lambda: evaluation.distance_histograms([[0], [1]], [[0]], 8, labels, [0]),
    ):
        with pytest.raises(error, match=f"query_labels: .*{message}"):
            call()
    with pytest.raises(error, match=f"^labels: .*{message}"):
        evaluation.relevant_totals([0, 1], labels)
    torch()
    from hashret.deep.training.examples import as_labels

    with pytest.raises(error, match=f"^labels: .*{message}"):
        as_labels(labels, 2)


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        (["a"], [1], DTypeError, "expected integers like labels, got strings"),
        ([1], ["a"], DTypeError, "expected strings like labels, got integers"),
        ([[1, 0]], [1], ShapeError, "expected integers like labels, got a table of 2 classes"),
        ([[1, 0]], [[1, 0, 0]], ShapeError, "expected a table of 3 classes like labels"),
    ],
)
def test_forms_that_differ_are_refused(first, second, error, message):
    with pytest.raises(error, match=f"query_labels: {message}"):
        match_labels(first, second)


def test_tables_with_other_columns_are_refused():
    """Of dummies made apart, column 0 may be of cats here and of dogs there."""
    frame = pandas().get_dummies
    labels = frame(pandas().Series(["dog", "eel"]))
    for other in (["cat", "dog"], ["eel", "fly"]):
        with pytest.raises(ShapeError, match="query_labels: expected the columns of labels, dog"):
            evaluation.relevant_totals(frame(pandas().Series(other)), labels)
    same = frame(pandas().Series(["eel", "dog", "eel"]))
    assert evaluation.relevant_totals(same, labels).tolist() == [1, 1, 1]
    assert evaluation.relevant_totals(np.eye(2), labels).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("exclude", "error", "message"),
    [
        ("other", ParameterError, "exclude: expected \"self\", or rows, got 'other'"),
        ("self", ShapeError, 'exclude: expected as many queries as items for "self", got 2 and 3'),
        ([0], ShapeError, r"exclude: expected \(2,\), a row a query, got \(1,\)"),
        (0, ShapeError, r"exclude: expected \(2,\)"),
        ([[0], [1]], ShapeError, r"exclude: expected \(2,\)"),
        ([0.0, 1.0], DTypeError, "exclude: expected integers, got float64"),
        ([True, False], DTypeError, "exclude: expected integers, got bool"),
        ([0, 3], ParameterError, "exclude: expected rows 0 to 2, or -1, got 0 to 3"),
        ([-2, 0], ParameterError, "exclude: expected rows 0 to 2, or -1, got -2 to 0"),
        (np.array([0, 2**64 - 1], np.uint64), ParameterError, "exclude: expected rows"),
    ],
)
def test_what_cannot_be_left_out_is_named(exclude, error, message):
    for call in (
        lambda: evaluation.distance_histograms(
            [[0], [1]], [[0], [1], [2]], 8, [0, 1], [0, 1, 2], exclude=exclude
        ),
        lambda: evaluation.relevant_totals([0, 1], [0, 1, 2], exclude=exclude),
        lambda: evaluation.relevance([[0], [1]], [0, 1], [0, 1, 2], exclude=exclude),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("bits", [1, 64, 100])
def test_a_query_does_not_find_itself(rng, n, bits):
    codes = oracle.skewed_codes(rng, n, bits, 7)
    labels = rng.integers(-1, 3, n)
    found = evaluation.distance_histograms(codes, codes, bits, labels, labels, exclude="self")
    relevant = oracle.shares(*[as_sets(None if i < 0 else i for i in labels)] * 2)
    items, hits = oracle.histograms(codes, codes, bits, relevant, np.arange(n))
    np.testing.assert_array_equal(found.items, items)
    np.testing.assert_array_equal(found.relevant, hits)


@pytest.mark.parametrize("options", [{}, {"kind": "lsh", "tables": 4}])
def test_an_index_is_scored_without_the_query(rng, options):
    from hashret.experiments.scoring import found_histograms, score_index

    codes = oracle.skewed_codes(rng, 60, 16, 20)
    labels = objects([None, "a", "b", "c"])[rng.integers(0, 4, 60)]
    index = Index(16, **options)
    index.add(codes)
    scores = score_index(index, codes, codes, labels, labels, exclude="self")
    whole = evaluation.distance_histograms(codes, codes, 16, labels, labels, exclude="self")
    assert scores.map_all == evaluation.average_precision(whole).means()
    relevant = oracle.shares(*[as_sets(labels)] * 2)
    lims, distances, ids = index.range_search(codes, 16)
    rows = np.repeat(np.arange(60), np.diff(lims))
    kept = rows != ids
    counted = np.zeros((2, 60, 17), np.int64)
    np.add.at(counted[0], (rows[kept], distances[kept]), 1)
    np.add.at(counted[1], (rows[kept], distances[kept]), relevant[rows, ids][kept])
    found = found_histograms(index, codes, labels, labels, exclude="self")
    np.testing.assert_array_equal(found.items, counted[0])
    np.testing.assert_array_equal(found.relevant, counted[1])
    _, ids = index.search(codes, 11)
    others = [[i for i in row if i != own][:10] for own, row in enumerate(ids)]
    padded = [[i < 0 or relevant[own, i] for i in row] for own, row in enumerate(others)]
    expected = evaluation.ranked_average_precision(np.array(padded)).mean()
    assert scores.map10_padded == pytest.approx(expected)


@pytest.mark.parametrize("form", ["numbers", "table"])
def test_pairs_of_a_batch_without_labels_are_dissimilar_in_every_loss(form):
    """A loss of pairs with labels missing is that with a class of its own for each of these."""
    t = torch()
    from hashret.deep import make_loss

    outputs = t.randn(6, 8, generator=t.Generator().manual_seed(0))
    numbers_ = t.tensor([0, -1, 1, 0, -1, 1])
    own = t.tensor([0, 2, 1, 0, 3, 1])
    if form == "table":
        own = t.eye(4)[own]
        numbers_ = t.where((numbers_ < 0)[:, None], -1.0, own)
    names = ["dsh", "dpsh", "hashnet"]
    losses = [make_loss(name) for name in names]
    if form == "numbers":
        losses.append(make_loss("dsh", pairs="siamese"))
    for loss in losses:
        loss.setup(8, 4)
        assert loss(outputs, numbers_).item() == pytest.approx(loss(outputs, own).item())


@pytest.mark.parametrize("name", ["csq", "dpn", "orthohash", "greedyhash", "classifier"])
@pytest.mark.parametrize("several", [False, True])
def test_a_loss_of_classes_never_takes_a_missing_label_for_the_last_class(name, several):
    t = torch()
    from hashret.deep import make_loss

    if several and name == "classifier":
        pytest.skip("takes one label an image")
    loss = make_loss(name)
    loss.setup(8, 3)
    targets = t.tensor([0, -1])
    if several:
        targets = t.tensor([[1.0, 0, 1], [-1, -1, -1]])
    try:
        value = loss(t.randn(2, loss.outputs), targets)
    except (IndexError, RuntimeError):
        return
    assert value.isnan()


@pytest.fixture
def undrawn(monkeypatch):
    """No curves of the figures, which take longer than these; a map shows labels, and is drawn."""
    monkeypatch.setattr("hashret.experiments.evaluate._pictures", lambda *_: [])


def scored(folder, *options):
    pytest.importorskip("typer")
    from typer.testing import CliRunner

    from hashret.cli import app

    done = CliRunner().invoke(app, ["eval", *map(str, options), "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    return json.loads((folder / "out" / "eval.json").read_text()), " ".join(done.stderr.split())


EVAL = ["int8", "float", "U", "S", "bool table", "float table"]


@pytest.mark.parametrize(
    ("form", "suffix"), [*zip(EVAL, ["npy", "npz"] * 3, strict=True), ("bool table", "npz")]
)
def test_the_command_takes_every_form_that_a_file_holds(tmp_path, rng, undrawn, form, suffix):
    pytest.importorskip("matplotlib")
    numbers_ = rng.integers(0, 3, 45)
    gone = rng.random(45) < 0.3 if form in ("int8", "float", "float table") else np.zeros(45, bool)
    labels = {
        "int8": lambda: np.where(gone, -1, numbers_).astype("i1"),
        "float": lambda: np.where(gone, np.nan, numbers_),
        "U": lambda: np.array(["cat", "dog", ""])[numbers_],
        "S": lambda: np.array([b"cat", b"dog", b"bird"])[numbers_],
        "bool table": lambda: np.eye(3, dtype=bool)[numbers_],
        "float table": lambda: np.where(gone[:, None], np.nan, np.eye(3)[numbers_]),
    }[form]()
    codes = oracle.random_codes(rng, 45, 8)
    parts = {
        "codes": codes[15:],
        "labels": labels[15:],
        "query_codes": codes[:15],
        "query_labels": labels[:15],
    }
    if suffix == "npz":
        np.savez(tmp_path / "all.npz", **parts)
        options = ["--codes", tmp_path / "all.npz"]
    else:
        options = []
        for name, part in parts.items():
            np.save(tmp_path / f"{name}.npy", part)
            options += [f"--{name.replace('_', '-')}", tmp_path / f"{name}.npy"]
    found, told = scored(tmp_path, *options)
    sets = [set() if out else {number} for number, out in zip(numbers_, gone, strict=True)]
    relevant = oracle.shares(sets[:15], sets[15:])
    counts = oracle.histograms(codes[:15], codes[15:], 8, relevant)
    expected = evaluation.average_precision(evaluation.DistanceHistograms(*counts)).means()
    assert (found["map_all"], found["map_all_low"], found["map_all_high"]) == expected
    missing = int(gone[:15].sum()), int(gone[15:].sum())
    assert (found["unlabelled_queries"], found["unlabelled"]) == missing
    assert ("queries without label, which score 0 and count" in told) == bool(missing[0])
    assert "same as" not in told
    within = counts[1].sum(axis=0) / max(1, counts[1].sum())
    np.testing.assert_allclose(found["curves"]["within"], within, rtol=1e-4)
    assert (tmp_path / "out" / "code-map.png").exists() == ("table" not in form)


def test_the_command_does_not_unpickle_and_says_how_to_save(tmp_path):
    pytest.importorskip("typer")
    from typer.testing import CliRunner

    from hashret.cli import app

    np.savez(
        tmp_path / "x.npz",
        codes=np.zeros((3, 1), np.uint8),
        labels=objects(["a", None, "b"]),
        query_codes=np.zeros((1, 1), np.uint8),
        query_labels=np.array(["a"]),
    )
    done = CliRunner().invoke(app, ["eval", "--codes", str(tmp_path / "x.npz")])
    assert done.exit_code == 1
    assert "dtype=str" in done.stderr
    assert "-1 where one is" in done.stderr


def test_the_command_says_when_queries_are_in_the_database(tmp_path, rng, undrawn):
    pytest.importorskip("matplotlib")
    codes, labels = oracle.random_codes(rng, 40, 16), rng.integers(0, 4, 40)
    np.save(tmp_path / "c.npy", codes)
    np.save(tmp_path / "l.npy", labels)
    np.save(tmp_path / "few.npy", codes[:10])
    np.save(tmp_path / "few-labels.npy", labels[:10])
    np.save(tmp_path / "rows.npy", np.arange(10))
    database = ["--codes", tmp_path / "c.npy", "--labels", tmp_path / "l.npy"]
    whole = ["--query-codes", tmp_path / "c.npy", "--query-labels", tmp_path / "l.npy"]
    few = ["--query-codes", tmp_path / "few.npy", "--query-labels", tmp_path / "few-labels.npy"]
    relevant = oracle.shares(*[as_sets(labels.tolist())] * 2)
    for queries, option, n in ((whole, "self", 40), (few, tmp_path / "rows.npy", 10)):
        found, told = scored(tmp_path, *database, *queries)
        assert "each finds itself" in told
        assert "--exclude" in told
        assert found["excluded"] == 0
        found, told = scored(tmp_path, *database, *queries, "--exclude", option)
        assert f"queries that do not find a row of the database, their own: {n}" in told
        assert "each finds itself" not in told
        assert found["excluded"] == n
        counts = oracle.histograms(codes[:n], codes, 16, relevant[:n], np.arange(n))
        expected = evaluation.average_precision(evaluation.DistanceHistograms(*counts)).means()
        assert found["map_all"] == expected[0]


def test_the_command_counts_the_queries_that_can_find_nothing(tmp_path, undrawn):
    pytest.importorskip("matplotlib")
    np.savez(
        tmp_path / "x.npz",
        codes=np.array([[0], [1], [2]], np.uint8),
        labels=[1, 2, -1],
        query_codes=np.array([[3], [4], [5], [6]], np.uint8),
        query_labels=[1, 3, 3, -1],
    )
    found, told = scored(tmp_path, "--codes", tmp_path / "x.npz")
    assert found["unanswerable"] == 3
    assert "items of the database without label, relevant to nothing: 1" in told
    assert "queries without label, which score 0 and count: 1" in told
    assert "queries that can find no item of their label, which score 0 and count: 2" in told


def test_a_map_takes_strings_and_shows_missing_labels_in_grey(tmp_path, rng):
    pytest.importorskip("matplotlib")
    from hashret.evaluation.code_map import write_code_map

    codes = oracle.random_codes(rng, 30, 8)
    given = objects([None, "a", "b"])[np.arange(30) % 3]
    path = write_code_map(codes, 8, given, "t", tmp_path / "m.png", method="pca")
    assert (
        path.read_bytes()
        == write_code_map(codes, 8, list(given), "t", tmp_path / "n.png", method="pca").read_bytes()
    )
    with pytest.raises(ShapeError, match="labels: expected one a code for a map, got a table"):
        write_code_map(codes, 8, np.eye(30), "t", tmp_path / "o.png")


def test_a_gallery_names_no_class_of_what_has_none():
    from hashret.experiments.gallery.answers import collect_hits

    images = np.zeros((2, 4, 4), np.uint8)
    (hits,) = collect_hits(
        images, np.array([-1, 0]), ("Bag", "Coat"), np.zeros((1, 2), "i4"), [[0, 1]], np.array([-1])
    )
    assert [(hit.tile.name, hit.right) for hit in hits] == [("no label", False), ("Bag", False)]


def test_errors_of_labels_are_hashrets(rng):
    """Whatever objects come, no other error leaves."""
    things = [None, -1, 0, 1.5, "a", b"a", (), [], {}, np.nan, 2**70, object(), True, 1j]
    for _ in range(300):
        labels = [things[i] for i in rng.integers(0, len(things), rng.integers(0, 4))]
        with contextlib.suppress(HashretError):
            assert len(parse_labels(labels)) == len(labels)


def test_a_sparse_table_is_a_table():
    sparse = pytest.importorskip("scipy.sparse")
    table = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    for kind in (sparse.csr_matrix, sparse.coo_array):
        np.testing.assert_array_equal(parse_labels(kind(table)).values, table == 1)
