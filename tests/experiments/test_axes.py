"""The benchmark of two axes: its first look, its rows, and what a row says against the oracle."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")

from hashret import methods
from hashret.datasets import Dataset
from hashret.deep import loss_names
from hashret.errors import ParameterError, ShapeError
from hashret.evaluation import PROTOCOLS, protocol
from hashret.experiments.benchmark import axes, edits, measure
from hashret.experiments.benchmark.drawn import drawn_shapes
from hashret.experiments.benchmark.harness import run_benchmark
from hashret.experiments.benchmark.inputs import Source
from hashret.experiments.benchmark.rows import read_rows
from hashret.experiments.benchmark.runs import list_runs
from hashret.experiments.benchmark.suites import SUITES
from hashret.experiments.steps import Steps


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("axes") / "rows.jsonl"
    return run_benchmark("two-axis", out, quick=True, budget="smoke", device="cpu"), out


def test_the_first_look_has_a_row_a_method_and_protocol(report):
    found, out = report
    assert not found.failures
    wanted = [
        (protocol, method)
        for protocol in ("drawn-shapes", "drawn-shapes-unseen")
        for method in ("knn-cosine", "itq", "hashnet", "prism")
    ]
    assert [(row["protocol"], row["method"]) for row in found.rows] == wanted
    before = out.read_bytes()
    again = run_benchmark("two-axis", out, quick=True, budget="smoke", device="cpu")
    assert again == found
    assert out.read_bytes() == before


def test_rows_say_how_both_axes_were_judged(report):
    for row in report[0].rows:
        rules = ("float",) if row["method"] == "knn-cosine" else axes.RULES
        rules = rules if row["method"] in ("knn-cosine", "prism") else rules[:-1]
        assert tuple(row["axes"]) == tuple(row["copies"]) == rules
        assert row["judged"] == axes.judged()["judged"]
        assert row["settings_digest"]
        assert row["date"]
        for own in row["axes"].values():
            assert set(own) == {"trained", "untrained"}
            for part in own.values():
                for name in ("map_all", "within"):
                    # Sums in another order differ in their last digits.
                    assert part[f"{name}_low"] - 1e-9 <= part[name]
                    assert part[name] <= part[f"{name}_high"] + 1e-9
                assert 0 < part["chance"] < 1
                assert part["queries_within"] > 0
        for families in row["copies"].values():
            assert set(families) == set(edits.EDITS) - {"grey"}
            assert all(one["1"] <= one["10"] <= one["100"] <= 1 for one in families.values())
        if row["bits"]:
            assert 1 <= row["distinct_codes"] <= row["images"]
            assert row["candidates"] > 0 < row["query_microseconds"]


@pytest.mark.parametrize("prefix", [6, 11])
def test_rules_are_what_the_page_says(prefix):
    rng = np.random.default_rng(3)
    trained, queries, database = (rng.normal(size=(n, 11)) for n in (30, 5, 9))
    labels = rng.integers(-1, 3, 30)

    def summed(cost):
        """Sum a cost over the bits in which query and item differ."""
        table = np.zeros((5, 9))
        for q, d, j in itertools.product(range(5), range(9), range(11)):
            if (queries[q, j] > 0) != (database[d, j] > 0):
                table[q, d] += cost(q, d, j)
        return table

    centres = [(trained[labels == c] > 0).mean(axis=0)[:prefix] > 0.5 for c in range(3)]
    of = [
        [int(((one[:prefix] > 0) != centres).sum(axis=1).argmin()) for one in part]
        for part in (queries, database)
    ]
    scale = np.abs(trained).mean(axis=0)
    half = 6 if prefix == 6 else 5
    wanted = {
        "hamming": lambda q, d, j: 1,
        "weighted": lambda q, d, j: 4 if j < half else 1,
        "class-aware": lambda q, d, j: (2 if of[0][q] == of[1][d] else 4) if j < prefix else 1,
        "float-query": lambda q, d, j: abs(queries[q, j]) / scale[j] * (4 if j < prefix else 1),
    }
    rules = axes._rules(trained, labels, prefix)
    assert tuple(rules) == tuple(wanted) == axes.RULES[:4]
    for name, cost in wanted.items():
        found = rules[name](queries, database)(slice(1, 4))
        np.testing.assert_allclose(found, summed(cost)[1:4], rtol=1e-5, err_msg=name)


def test_the_ceiling_is_what_exact_neighbours_score_and_their_share_is_1(report):
    for row in report[0].rows:
        if row["method"] == "knn-cosine":
            for part in row["axes"]["float"].values():
                assert part["within"] == pytest.approx(part["ceiling"])
                assert part["share"] == pytest.approx(1)


def test_rows_that_were_judged_otherwise_are_measured_again(report, tmp_path, monkeypatch):
    rows, given = report[0].rows, {"protocols": ["drawn-shapes"], "methods": ["itq"], "bits": [16]}
    out = tmp_path / "rows.jsonl"
    out.write_text(json.dumps({"method": "itq"} | rows[1]) + "\n")
    run_benchmark("two-axis", out, quick=True, **given)
    assert len(out.read_text().splitlines()) == 1
    monkeypatch.setitem(axes.JUDGED, "copies", 5)
    run_benchmark("two-axis", out, quick=True, **given)
    assert len(out.read_text().splitlines()) == 2


def test_all_of_the_zoo_is_compared_at_equal_bits():
    runs = list_runs("two-axis", protocols=["grocery"])
    assert {run.bits for run in runs} == {None, 64, 43}
    assert {run.method for run in runs if run.bits == 43} == {"classifier"}
    assert {run.method for run in runs} == {*methods.METHODS, *methods.TWO_PARTS}
    entries = [methods.method(run.method) for run in runs]
    assert set(loss_names()) <= {e.loss for e in entries if isinstance(e, methods.Deep)}
    assert {run.features for run in runs} == {"lite0"}
    (run,) = list_runs("two-axis", ["dsh"], protocols=["fmnist-copies"])
    assert (run.network, run.features, run.dataset) == ("small-cnn", None, "fashion-mnist")


def test_the_dial_and_the_length_of_the_prefix_are_options():
    (run,) = list_runs("two-axis", ["prism"], protocols=["grocery"], changes={"gamma": 0.75})
    assert run.options["residual"] == {"gamma": 0.75, "tap": "features", "cells": 10}
    assert methods.method("prism").prefix_bits(64) == 10
    with pytest.raises(ParameterError, match="nothing for one of the parts, got 10"):
        methods.method("prism").prefix_bits(10)
    (run,) = list_runs("two-axis", ["hashnet-c1"], protocols=["grocery"], changes={"share": 0.75})
    assert run.options["residual"] == {"gamma": 1.0, "tap": "features", "share": 0.75}
    assert methods.method("hashnet-c1").prefix_bits(64) == 32
    with pytest.raises(ParameterError, match="leaves nothing for one of the parts, got 1"):
        methods.method("hashnet-c1").prefix_bits(1)
    with pytest.raises(ParameterError, match="quick: the suite cifar10 has no first look"):
        run_benchmark("cifar10", "nowhere.jsonl", quick=True)


def test_the_variant_without_labels_looks_at_none():
    given = {"protocols": ["drawn-shapes"], "budget": "smoke", "device": "cpu"}
    (run,) = list_runs("two-axis", ["prism-unlabelled"], changes={"clusters": 12}, **given)
    assert not methods.method("prism-unlabelled").supervised
    assert methods.method("prism").supervised
    source = Source(run.dataset, Steps())
    inputs = source.inputs(run.protocol, run.seed, run.features)
    others = np.random.default_rng(0).permutation(inputs.train_labels)
    codes, same = (
        measure.fitted(run, source, replace(inputs, train_labels=labels), lambda *now: None)[0]
        for labels in (inputs.train_labels, others)
    )
    assert codes.codes_fingerprint == same.codes_fingerprint
    assert len(codes.prefix_.classifier_.classes_) == 12


def test_a_code_longer_than_what_is_left_of_the_features_fails_by_name(tmp_path):
    given = {"methods": ["prism"], "bits": [1024], "protocols": ["drawn-shapes"], "budget": "smoke"}
    found = run_benchmark("two-axis", tmp_path / "r.jsonl", quick=True, **given)
    (failure,) = found.failures
    assert "prism, 1024 bits" in failure
    assert "bits: " in failure
    assert "got 1014" in failure


@pytest.mark.parametrize("name", SUITES["two-axis"].protocols)
def test_queries_and_both_databases_share_no_image(name):
    data = drawn_shapes()
    data = Dataset(**vars(data) | {"name": PROTOCOLS[name].dataset})
    rows = [PROTOCOLS[name].rows(data, seed) for seed in (0, 1)]
    for one in rows:
        parts = [one.database, one.others, one.queries]
        assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
        assert not np.intersect1d(one.train, np.concatenate(parts[1:])).size
        assert abs(len(one.others) - len(one.queries)) <= 1 or len(one.others) > len(one.queries)
    same = np.array_equal(rows[0].queries, rows[1].queries)
    assert same is not PROTOCOLS[name].drawn


def test_the_cost_is_measured_among_augmented_images_too(tmp_path):
    given = {"methods": ["pca"], "protocols": ["drawn-shapes"], "quick": True}
    (row,) = run_benchmark("two-axis", tmp_path / "r.jsonl", augmented=1000, **given).rows
    assert row["augmented"] == 1000
    assert row["images"] == 360
    assert 0 < row["augmented_candidates"] <= 1000
    assert row["distinct_codes"] <= 360
    assert row["augmented_bucket_length"] * row["augmented_distinct_codes"] >= 1000
    # A row that has it stands for one that was not asked for it, not the other way round.
    assert run_benchmark("two-axis", tmp_path / "r.jsonl", **given).rows == (row,)
    with pytest.raises(ParameterError, match="augmented: views are counted by the suite two-axis"):
        run_benchmark("cifar10", tmp_path / "r.jsonl", augmented=10)


def test_two_axes_need_two_query_images():
    data = drawn_shapes()
    one = Dataset(
        **vars(data) | {"test_images": data.test_images[:1], "test_labels": np.zeros(1, int)}
    )
    with pytest.raises(ShapeError, match="two axes need two query images, got 1"):
        protocol("drawn-shapes").rows(one)


def test_a_data_set_without_finer_labels_has_one_axis_and_copies(tmp_path, monkeypatch):
    data = Dataset(**vars(drawn_shapes()) | {"train_finer": None, "test_finer": None})
    (run,) = list_runs("two-axis", ["pca"], [16], protocols=["drawn-shapes"])
    source = Source("drawn-shapes", Steps(), tmp_path)
    source.__dict__["images"] = data
    row = axes.measure_axes(run, source, Steps())
    part = row["axes"]["hamming"]["trained"]
    assert part["within"] is part["share"] is part["ceiling"] is part["chance"] is None
    assert part["map_all"] > 0 < row["copies"]["hamming"]["crop"]["100"]


@pytest.mark.parametrize("family", edits.EDITS)
def test_edits_keep_size_and_type_and_change_every_image(family):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 28, 30, 3), np.uint8)
    copies = edits.edited(images, family)
    assert (copies.shape, copies.dtype) == (images.shape, np.uint8)
    assert all((one != two).any() for one, two in zip(images, copies, strict=True))
    np.testing.assert_array_equal(copies, edits.edited(images, family))
    if family != "grey":
        assert edits.edited(images[..., 0], family).shape == (4, 28, 30)


def made_in(folder, docs, monkeypatch):
    """Return the script of the page, which writes into a folder."""
    (folder / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(docs)
    spec = importlib.util.spec_from_file_location("make_two_axis", docs / "make_two_axis.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def test_the_page_is_made_of_rows_alone(report, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    docs = Path(__file__).parents[2] / "docs"
    if not docs.exists():
        pytest.skip("docs/ is not beside the tests")
    maker = made_in(tmp_path, docs, monkeypatch)
    maker.main(report[1])
    page = (tmp_path / "docs" / "two-axis.md").read_text("utf-8")
    assert "## `drawn-shapes`" in page
    assert "## `drawn-shapes-unseen`" in page
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| Prism")]
    (row,) = [
        r for r in report[0].rows if (r["method"], r["protocol"]) == ("prism", "drawn-shapes")
    ]
    assert f"{row['axes']['hamming']['untrained']['within']:.3f}" in lines[0][7]
    # One seed is no claim.
    assert "one seed in common, no claim" in page
    pictures = re.findall(r"!\[.+\]\((images/.+\.png)\)", page)
    assert len(pictures) == 4
    assert all((tmp_path / "docs" / name).stat().st_size for name in pictures)


def test_the_published_page_is_that_of_the_published_rows(tmp_path, monkeypatch):
    docs = Path(__file__).parents[2] / "docs"
    if not (docs / "two-axis.jsonl").exists():
        pytest.skip("docs/ is not beside the tests")
    rows = read_rows(docs / "two-axis.jsonl")
    maker = made_in(tmp_path, docs, monkeypatch)
    monkeypatch.setattr(maker, "write_two_axes", lambda *given: None)
    maker.main(docs / "two-axis.jsonl")
    page = (docs / "two-axis.md").read_text("utf-8")
    assert (tmp_path / "docs" / "two-axis.md").read_text("utf-8") == page
    assert all((docs / name).exists() for name in re.findall(r"\]\((images/.+\.png)\)", page))
    assert all(row["commit"] and "dirty" not in row["commit"] for row in rows)
    assert all(row["judged"] == axes.judged()["judged"] for row in rows)
