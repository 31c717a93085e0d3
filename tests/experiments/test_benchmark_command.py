"""The benchmark of methods: its plan, its file of results, and going on after an interruption."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

from hashret import methods
from hashret.datasets import fashion_mnist_sample
from hashret.deep import loss_names
from hashret.errors import (
    DatasetNotFoundError,
    FormatError,
    ParameterError,
    TrainingError,
)
from hashret.evaluation import PROTOCOLS
from hashret.experiments.benchmark import harness, measure, tables
from hashret.experiments.benchmark.harness import run_benchmark
from hashret.experiments.benchmark.rows import KEYS, append_row, read_rows
from hashret.experiments.benchmark.runs import list_runs
from hashret.experiments.benchmark.suites import SUITES

SAMPLE = {"suite": "fashion-mnist", "protocols": ["fmnist-sample"], "budget": "smoke"}
CLASSIC = ["lsh-gaussian", "itq", "pca"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_every_loss_has_a_run():
    runs = list_runs("fashion-mnist")
    entries = [methods.method(run.method) for run in runs]
    assert set(loss_names()) <= {e.loss for e in entries if isinstance(e, methods.Deep)}
    assert {run.method for run in runs} >= {"knn", "pca", "itq", "spectral", "lsh-orthogonal"}


def test_plan_counts_seeds_only_where_something_is_drawn():
    runs = list_runs("fashion-mnist", ["knn", "pca", "itq", "dsh", "classifier"], [16, 8], seeds=3)
    count = {name: [r.seed for r in runs if r.method == name] for name in {r.method for r in runs}}
    assert count["knn"] == [0]
    assert count["pca"] == [0, 0]
    assert count["itq"] == count["dsh"] == [0, 0, 1, 1, 2, 2]
    assert count["classifier"] == [0, 1, 2]
    assert {r.bits for r in runs if r.method == "classifier"} == {10}
    # The images of this protocol are drawn, so that PCA differs by seed too.
    poor = list_runs("cifar10", ["pca"], [16], seeds=3, protocols=["cifar10-59k"])
    assert [run.seed for run in poor] == [0, 1, 2]


def test_a_protocol_without_labels_has_no_supervised_methods():
    names = {run.method for run in list_runs("cifar10", protocols=["cifar10-unsup"])}
    assert "itq" in names
    assert not any(methods.method(name).supervised for name in names)
    with pytest.raises(ParameterError, match="trains without labels, 'dsh' learns from them"):
        list_runs("cifar10", ["itq", "dsh"], protocols=["cifar10-unsup"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"suite": "mnist"}, "suite: expected one of fashion-mnist, cifar10, two-axis, got"),
        ({"methods": ["sift"]}, "methods: expected one of knn, .* got 'sift'"),
        ({"bits": [16, 0]}, "bits: expected 1 to 4096, got 0"),
        ({"seeds": 0}, "seeds: expected at least 1, got 0"),
        ({"protocols": ["cifar10-full"]}, "protocol: expected one of fmnist-full, .* got 'cifar"),
        ({"budget": "endless"}, "budget: expected one of smoke, zoo, long, got 'endless'"),
        ({"network": "vgg"}, "network: expected one of linear, mlp, .*small-cnn, got 'vgg'"),
        (
            {"network": "small-cnn", "features": "hog"},
            "network: expected one of linear, mlp, got 'small-cnn'",
        ),
        ({"features": "sift"}, "features: expected one of hog, lite0, or an .npz file, got 'sift'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(tmp_path, wrong, message):
    out = tmp_path / "new" / "results.jsonl"
    with pytest.raises(ParameterError, match=message):
        run_benchmark(**SAMPLE | {"out": out} | wrong)
    assert not out.parent.exists()


def test_a_missing_data_set_is_an_error_before_anything_is_written(tmp_path):
    out = tmp_path / "new" / "results.jsonl"
    with pytest.raises(DatasetNotFoundError, match="cifar10: not found"):
        run_benchmark("cifar10", out, methods=["itq"], data=tmp_path)
    assert not out.parent.exists()


def test_an_interrupted_benchmark_goes_on_where_it_stopped(tmp_path, cache, monkeypatch):
    out, given = tmp_path / "results.jsonl", {"methods": CLASSIC, "bits": [16], "cache": cache}
    measured = []

    def stop_at_third(run, *rest):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(run.method)
        return measure.measure(run, *rest)

    monkeypatch.setattr(harness, "measure", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(**SAMPLE, out=out, **given)
    # As if the second row's write had been cut short.
    whole = out.read_bytes()
    out.write_bytes(whole[:-40])
    assert [row["method"] for row in read_rows(out)] == ["lsh-gaussian"]

    measured.clear()
    monkeypatch.setattr(
        harness, "measure", lambda run, *rest: measured.append(run) or measure.measure(run, *rest)
    )
    report = run_benchmark(**SAMPLE, out=out, **given)
    assert [run.method for run in measured] == ["itq", "pca"]
    assert [row["method"] for row in report.rows] == CLASSIC
    assert out.read_bytes().startswith(whole[:-40] + b"\n")
    before = out.read_bytes()
    assert run_benchmark(**SAMPLE, out=out, **given) == report
    assert out.read_bytes() == before
    # The figures measured twice are the same ones.
    again = json.loads(whole.splitlines()[1])
    figures = ("map10_hits", "map_all", "precision", "recall", "distinct_codes", "curves")
    assert all(again[name] == report.rows[1][name] for name in figures)


def test_rows_have_the_keys_of_the_study_and_more(tmp_path, cache):
    report = run_benchmark(
        **SAMPLE, out=tmp_path / "r.jsonl", methods=["knn", "ITQ", "DPN"], bits=[12], cache=cache
    )
    knn, itq, dpn = report.rows
    for row in report.rows:
        assert set(row) >= {
            *KEYS,
            "dataset",
            "network",
            "budget",
            "device",
            "version",
            "hardware",
            "commit",
            "date",
        }
        assert row["map_all_low"] <= row["map_all"] <= row["map_all_high"]
        assert row["map10_hits_low"] <= row["map10_hits"] <= row["map10_hits_high"]
        assert 0 < row["recall"] < 1
    assert knn["map_all"] == knn["map_all_low"] > itq["map_all"] > 0.3
    assert (itq["bits"], itq["network"], itq["budget"], itq["features"]) == (12, None, None, "hog")
    assert (dpn["network"], dpn["budget"], dpn["features"]) == ("small-cnn", "smoke", None)
    assert dpn["epochs"] == 1
    assert dpn["train_cpu_seconds"] > 0
    assert dpn["settings"]["learning_rate"] > 0
    assert 1 <= dpn["candidates"] <= 3000
    assert knn["candidates"] == 3000
    assert 1 <= dpn["bucket_length"] <= 3000
    assert [len(curve) for curve in dpn["curves"].values()] == [13] * 4
    np.testing.assert_allclose([sum(dpn["curves"]["within"])], 1, atol=1e-3)
    kept = [np.load(path) for path in (cache / "codes").glob("dpn-12-*.npz")]
    assert kept[0]["codes"].shape == (3000, 2)
    assert not list((cache / "checkpoints").iterdir())


def test_a_run_that_fails_stops_no_other_and_is_tried_again(tmp_path, cache, monkeypatch):
    def diverge(run, *rest):
        if run.method == "itq":
            raise TrainingError("loss: nan in epoch 1")
        return measure.measure(run, *rest)

    given = {"methods": CLASSIC, "bits": [8], "cache": cache, "out": tmp_path / "r.jsonl"}
    with monkeypatch.context() as patch:
        patch.setattr(harness, "measure", diverge)
        report = run_benchmark(**SAMPLE, **given)
    assert [row["method"] for row in report.rows] == ["lsh-gaussian", "pca"]
    assert len(report.failures) == 1
    assert "itq, 8 bits" in report.failures[0]
    assert "loss: nan in epoch 1" in report.failures[0]
    assert len(run_benchmark(**SAMPLE, **given).rows) == 3


def vectors_file(path, train, test):
    np.savez(path, train=train, test=test)
    return str(path)


def test_any_vectors_take_the_place_of_images(tmp_path, cache):
    rng = np.random.default_rng(0)
    photos = fashion_mnist_sample()
    centres = rng.normal(size=(10, 20))
    train, test = (
        centres[y] + rng.normal(size=(len(y), 20)) / 8
        for y in (photos.train_labels, photos.test_labels)
    )
    features = vectors_file(tmp_path / "v.npz", train, test)
    given = {"methods": ["pca"], "bits": [16], "cache": cache, "out": tmp_path / "r.jsonl"}
    (row,) = run_benchmark(**SAMPLE, features=features, **given).rows
    assert row["map10_hits"] > 0.95
    assert row["features"] == features


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (np.zeros((3000, 4)), np.zeros((999, 4)), r"test: expected \(1000, d\)"),
        (np.zeros((3000, 4)), np.zeros((1000, 5)), "columns"),
        (np.full((3000, 4), np.nan), np.zeros((1000, 4)), "train: NaN"),
    ],
)
def test_unfit_vectors_fail_by_name(tmp_path, cache, train, test, message):
    features = vectors_file(tmp_path / "v.npz", train, test)
    given = {"methods": ["pca"], "bits": [2], "cache": cache, "out": tmp_path / "r.jsonl"}
    report = run_benchmark(**SAMPLE, features=features, **given)
    assert report.rows == ()
    assert re.search(message, report.failures[0])


@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_a_damaged_file_of_vectors_fails_by_name(tmp_path, cache, part):
    path = tmp_path / "v.npz"
    vectors_file(path, np.zeros((3000, 4)), np.zeros((1000, 4)))
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    given = {"methods": ["pca"], "bits": [2], "cache": cache, "out": tmp_path / "r.jsonl"}
    report = run_benchmark(**SAMPLE, features=str(path), **given)
    assert re.search(r"v\.npz: expected \.npy or \.npz", report.failures[0])


def test_rows_of_an_older_file_stand_without_what_was_added_since(tmp_path, cache, monkeypatch):
    out, given = tmp_path / "r.jsonl", {"methods": ["pca"], "bits": [8], "cache": cache}
    (row,) = run_benchmark(**SAMPLE, out=out, **given).rows
    older = {key: value for key, value in row.items() if key != "map10_padded"}
    out.write_text(json.dumps(older) + "\n")
    monkeypatch.setattr(harness, "measure", None)
    assert run_benchmark(**SAMPLE, out=out, **given).rows == (older,)


@pytest.mark.parametrize("cut", [1, 5, 14, 30])
def test_any_beginning_of_a_row_is_passed_over(tmp_path, cut):
    path = tmp_path / "r.jsonl"
    append_row(path, {"method": "itq", "bits": 16})
    append_row(path, {"method": "pca", "bits": 16})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][: min(cut, len(lines[1]) - 2)])
    assert [row["method"] for row in read_rows(path)] == ["itq"]
    append_row(path, {"method": "spectral", "bits": 16})
    assert [row["method"] for row in read_rows(path)] == ["itq", "spectral"]


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, cache):
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(FormatError, match=r"notes\.txt, line 1: expected a result"):
        run_benchmark(**SAMPLE, out=path, methods=["pca"], cache=cache)
    assert path.read_text() == "my notes\n"


def test_seeds_become_mean_and_student_interval():
    scipy = pytest.importorskip("scipy.stats")
    for count in (2, 3, 5, 10):
        values = np.random.default_rng(count).normal(0.5, 0.1, count)
        found = tables.interval(values.tolist())
        low, high = scipy.t.interval(0.95, count - 1, values.mean(), scipy.sem(values))
        np.testing.assert_allclose(
            [found.mean - found.half, found.mean + found.half], [low, high], rtol=1e-3
        )


def test_the_newest_row_of_a_setting_and_seed_stands():
    same = dict.fromkeys(tables.SAME, "x")
    rows = [
        same | {"method": method, "seed": seed, "map_all": score}
        for method, seed, score in [("a", 0, 0.1), ("b", 0, 0.3), ("a", 1, 0.2), ("a", 0, 0.4)]
    ]
    first, second = tables.group_rows(rows)
    assert [row["map_all"] for row in first.rows] == [0.4, 0.2]
    assert [row["map_all"] for row in second.rows] == [0.3]
    # Other settings are never averaged with those of the newest row.
    first, second = tables.group_rows([*rows, rows[0] | {"settings": {"epochs": 2}, "seed": 2}])
    assert [row["seed"] for row in first.rows] == [2]
    assert [row["map_all"] for row in second.rows] == [0.3]


def test_suites_name_protocols_that_exist():
    for suite in SUITES.values():
        assert set(suite.protocols) <= set(PROTOCOLS)


def test_epochs_spend_the_budget_on_the_images_that_are_seen():
    (run,) = list_runs("cifar10", ["dsh"], [16], protocols=["cifar10-semi"])
    labels = np.repeat([0, 1, -1], [3000, 2000, 54_000])
    images = run.settings["images"]
    for name, seen in (
        ("dsh", 5000),  # sees what has labels
        ("dsh-semi-supervised", 2 * 59_000),  # sees all, in two views
        ("bihalf", 59_000),
        ("cibhash", 2 * 59_000),
    ):
        entry = methods.method(name)
        loss = entry.make(entry.options)
        assert measure.count_epochs(images, loss, labels) == round(images / seen)


def test_every_variant_can_be_planned():
    runs = list_runs("fashion-mnist", list(methods.VARIANTS), [16])
    assert [run.method for run in runs] == list(methods.VARIANTS)
    assert all(json.dumps(run.fields()) for run in runs)
    assert len({run.key for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("suite", "network", "features", "found"),
    [
        ("fashion-mnist", None, None, ("small-cnn", None)),
        ("fashion-mnist", "linear", None, ("linear", "hog")),
        ("fashion-mnist", None, "lite0", ("mlp", "lite0")),
        ("cifar10", None, None, ("mlp", "lite0")),
        ("cifar10", "small-cnn", None, ("small-cnn", None)),
        ("cifar10", "mlp", "v.npz", ("mlp", "v.npz")),
    ],
)
def test_networks_take_images_and_heads_take_features(suite, network, features, found):
    deep, classic = list_runs(suite, ["dsh", "pca"], [16], network=network, features=features)
    assert (deep.network, deep.features) == found
    assert ("flip" in deep.settings) == (found[1] is None)
    assert classic.network is None
    assert classic.features == (features or SUITES[suite].features)


def test_cosine_neighbours_are_those_of_unit_vectors():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]], np.float32)
    np.testing.assert_allclose(measure.unit(vectors), [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
