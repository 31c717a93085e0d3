"""The plain classifier ranked by its probabilities, against rankings written out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

from scipy.special import softmax

from hashret.deep import DeepHasher
from hashret.errors import ParameterError
from hashret.evaluation.metrics import average_precision
from hashret.evaluation.ranked import ranked_average_precision
from hashret.experiments.benchmark.harness import run_benchmark
from hashret.experiments.benchmark.posteriors import histograms_by_rank
from hashret.experiments.benchmark.runs import list_runs
from hashret.experiments.scoring import exact_scores

SAMPLE = {"suite": "fashion-mnist", "protocols": ["fmnist-sample"], "budget": "smoke"}


def test_ranks_are_those_of_the_querys_probabilities():
    rng = np.random.default_rng(0)
    labels, query_labels = rng.integers(0, 4, 60), rng.integers(0, 5, 9)
    predicted, logits = rng.integers(0, 4, 60), rng.normal(size=(9, 4))
    found, totals = histograms_by_rank(logits, predicted, labels, query_labels)
    assert totals.tolist() == [np.count_nonzero(labels == label) for label in query_labels]
    drawn = np.zeros(9)
    for _ in range(400):
        order = rng.permutation(60)
        ranked = np.argsort(-softmax(logits, axis=1)[:, predicted[order]], axis=1, kind="stable")
        right = (labels[order][ranked] == query_labels[:, None]).astype(bool)
        drawn += ranked_average_precision(right, "relevant", totals) / 400
    np.testing.assert_allclose(average_precision(found).expected, drawn, atol=0.02)


def test_inner_products_rank_otherwise_than_distances():
    rng = np.random.default_rng(1)
    database, queries = rng.normal(size=(50, 3)), rng.normal(size=(4, 3))
    labels, query_labels = rng.integers(0, 3, 50), rng.integers(0, 3, 4)
    scores, _ = exact_scores(database, queries, labels, query_labels, inner=True)
    right = labels[np.argsort(-queries @ database.T, axis=1)] == query_labels[:, None]
    expected = ranked_average_precision(right, "relevant", right.sum(axis=1)).mean()
    assert scores.map_all[0] == pytest.approx(expected)
    assert exact_scores(database, queries, labels, query_labels)[0].map_all != scores.map_all


def test_outputs_of_a_classifier_are_logits_and_those_of_others_are_margins():
    images = np.random.default_rng(2).integers(0, 255, (64, 8, 8), np.uint8)
    labels = np.arange(64) % 2
    given = {"epochs": 1, "batch_size": 32, "random_state": 0, "device": "cpu"}
    classifier = DeepHasher(loss="classifier", bits=1, **given).fit(images, labels)
    logits = classifier.outputs(images)
    assert logits.shape == (64, 2)
    assert ((classifier.project(images)[:, 0] > 0) == logits.argmax(axis=1)).all()
    assert classifier.outputs(images[:0]).shape == (0, 2)
    dsh = DeepHasher(loss="dsh", bits=8, **given).fit(images, labels)
    assert (dsh.outputs(images) == dsh.project(images)).all()


def test_one_training_is_ranked_in_three_ways(tmp_path):
    names = ["classifier", "classifier-softmax", "classifier-inner-product"]
    settings = {"images": 3000, "batch_size": 512}
    rows = run_benchmark(
        **SAMPLE,
        out=tmp_path / "r.jsonl",
        methods=names,
        network="linear",
        device="cpu",
        cache=tmp_path / "cache",
        changes=settings,
    ).rows
    assert [row["method"] for row in rows] == names
    assert len(list((tmp_path / "cache" / "encoders").iterdir())) == 1
    for name in ("accuracy_queries", "accuracy_database", "train_cpu_seconds", "epochs"):
        assert len({row[name] for row in rows}) == 1
    # The first of ten are the same: ties within the predicted class.
    codes, softmaxes, products = rows
    assert codes["map10_mink"] == pytest.approx(softmaxes["map10_mink"])
    assert codes["map_all"] < softmaxes["map_all"] < products["map_all"]
    assert codes["settings"]["batch_size"] == 512


def test_changes_go_to_the_loss_or_to_the_training():
    given = {"methods": ["orthohash"], "bits": [16], "device": "cpu"}
    (run,) = list_runs("cifar10", changes={"margin": 0.3, "learning_rate": 0.01}, **given)
    (usual,) = list_runs("cifar10", **given)
    assert run.options == usual.options | {"margin": 0.3}
    assert run.settings == usual.settings | {"learning_rate": 0.01}
    (lsh,) = list_runs("cifar10", ["lsh-gaussian"], [16], changes={"tables": 8})
    assert lsh.tables == lsh.options["tables"] == 8
    with pytest.raises(ParameterError, match=r"expected an option of the loss, or one of .*'rate'"):
        list_runs("cifar10", changes={"rate": 1}, **given)
