"""Scores of an index's answers, against plain Python; results in files; what the commands make."""

from __future__ import annotations

import csv
import itertools
import json
import re

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("torch")

import hashret
from hashret.experiments import demo, scoring
from hashret.experiments.benchmark import harness, measure
from hashret.experiments.benchmark.rows import KEYS, append_row, find_row, read_rows
from hashret.experiments.benchmark.runs import Run, list_runs
from hashret.experiments.study import fashion_mnist, results
from hashret.experiments.study.results import PUBLISHED


def ap(relevant: list[bool], denominator: int) -> float:
    hits = list(itertools.accumulate(relevant))
    precisions = [h / (i + 1) for i, h in enumerate(hits) if relevant[i]]
    return sum(precisions) / denominator if denominator else 0.0


def setting(kind: str, n: int = 300, seed: int = 0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (n, 4), dtype=np.uint8)
    queries = rng.integers(0, 256, (20, 4), dtype=np.uint8)
    labels, query_labels = rng.integers(0, 5, n), rng.integers(0, 5, 20)
    tables = {"tables": 8} if kind == "lsh" else {}
    index = hashret.Index(32, kind, **tables)
    index.add(codes)
    return index, queries, codes, query_labels, labels


def hamming(a: np.ndarray, b: np.ndarray) -> int:
    return sum(int(x ^ y).bit_count() for x, y in zip(a.tolist(), b.tolist(), strict=True))


def reached(index: hashret.Index, query: np.ndarray, code: np.ndarray, probes: int = 1) -> bool:
    """Tell whether the index may answer with a code.

    In 8 tables of 4 bits: a nibble is equal, or, with 5 probes, differs in one bit at most.
    """
    if index.kind == "scan":
        return True
    differences = [int(x ^ y) for x, y in zip(query, code, strict=True)]
    nibbles = [(byte >> shift) & 15 for byte in differences for shift in (0, 4)]
    return min(nibble.bit_count() for nibble in nibbles) <= {1: 0, 5: 1}[probes]


@pytest.mark.parametrize(("kind", "probes"), [("scan", 1), ("lsh", 1), ("lsh", 5)])
def test_scores_lie_between_and_meet_the_bounds_of_plain_rankings(kind, probes):
    index, queries, codes, query_labels, labels = setting(kind)
    scores = scoring.score_index(index, queries, codes, query_labels, labels, probes)
    lows, highs, whole_lows, whole_highs, recalls = [], [], [], [], []
    for query, wanted in zip(queries, query_labels, strict=True):
        items = [(hamming(query, c), bool(y == wanted)) for c, y in zip(codes, labels, strict=True)]
        found = [i for i, c in zip(items, codes, strict=True) if reached(index, query, c, probes)]
        total = sum(right for _, right in items)
        worst = [right for _, right in sorted(items)]
        best = [right for _, right in sorted(items, key=lambda item: (item[0], not item[1]))]
        whole_lows.append(ap(worst, total))
        whole_highs.append(ap(best, total))
        worst = [right for _, right in sorted(found)]
        best = [right for _, right in sorted(found, key=lambda item: (item[0], not item[1]))]
        lows.append(ap(worst[:10], sum(worst[:10])))
        highs.append(ap(best[:10], sum(best[:10])))
        recalls.append((sum(worst[:total]) / total, sum(best[:total]) / total))
    expected, low, high = scores.map_all
    np.testing.assert_allclose((low, high), (np.mean(whole_lows), np.mean(whole_highs)))
    assert low < expected < high
    expected, low, high = scores.map10_hits
    # The fewest hits can score more with denominator "hits": [+, -] beats [-, +, +].
    assert low <= np.mean(lows) + 1e-12
    assert high >= np.mean(highs) - 1e-12
    assert low < expected < high
    worst_recall, best_recall = np.mean(recalls, axis=0)
    assert worst_recall <= scores.recall <= best_recall
    assert scores.distinct_codes == len({c.tobytes() for c in codes})
    same = [sum(c.tobytes() == d.tobytes() for d in codes) for c in codes]
    np.testing.assert_allclose(scores.bucket_length, np.mean(same))
    hits = [
        [bool(y == wanted) for c, y in zip(codes, labels, strict=True) if hamming(q, c) <= 2]
        for q, wanted in zip(queries, query_labels, strict=True)
    ]
    np.testing.assert_allclose(
        scores.precision_radius2, np.mean([np.mean(found) if found else 0.0 for found in hits])
    )
    counts = [sum(reached(index, q, c, probes) for c in codes) for q in queries]
    # A scan compares whole blocks of eight codes.
    assert np.mean(counts) <= scores.candidates < np.mean(counts) + 8


@pytest.mark.parametrize("probes", [1, 5])
def test_found_histograms_count_what_the_buckets_hold(probes):
    index, queries, codes, query_labels, labels = setting("lsh")
    found = scoring.found_histograms(index, queries, query_labels, labels, probes)
    for row, (query, wanted) in enumerate(zip(queries, query_labels, strict=True)):
        items, relevant = np.zeros(33, int), np.zeros(33, int)
        for code, label in zip(codes, labels, strict=True):
            if reached(index, query, code, probes):
                items[hamming(query, code)] += 1
                relevant[hamming(query, code)] += label == wanted
        np.testing.assert_array_equal(found.items[row], items)
        np.testing.assert_array_equal(found.relevant[row], relevant)


def test_short_lists_count_against_min_and_for_the_padding():
    codes, queries = np.array([[0], [255]], np.uint8), np.array([[1], [15]], np.uint8)
    index = hashret.Index(8, "lsh", tables=2)
    index.add(codes)
    labels = np.array([3, 3])
    # 0b00000001 shares its upper half with code 0 alone; 0b00001111 its halves with one code each.
    scores = scoring.score_index(index, queries, codes, np.array([3, 3]), labels)
    assert scores.map10_hits[0] == 1.0
    np.testing.assert_allclose(scores.map10_mink, (1 / 2 + 2 / 2) / 2)
    assert scores.map10_padded == 1.0
    nothing = scoring.score_index(
        index, np.array([[0b00010001]], np.uint8), codes, labels[:1], labels
    )
    assert (nothing.map10_hits[0], nothing.map10_mink, nothing.map10_padded) == (0.0, 0.0, 1.0)


def test_exact_scores_rank_by_euclidean_distance():
    rng = np.random.default_rng(1)
    x, q = rng.normal(size=(200, 6)).astype("f4"), rng.normal(size=(15, 6)).astype("f4")
    labels, query_labels = rng.integers(0, 4, 200), rng.integers(0, 4, 15)
    scores, microseconds = scoring.exact_scores(x, q, labels, query_labels)
    hits, whole = [], []
    for query, wanted in zip(q, query_labels, strict=True):
        order = np.argsort(np.linalg.norm(x.astype("f8") - query, axis=1))
        right = (labels[order] == wanted).tolist()
        hits.append(ap(right[:10], sum(right[:10])))
        whole.append(ap(right, sum(right)))
    np.testing.assert_allclose(scores.map10_hits, np.mean(hits))
    np.testing.assert_allclose(scores.map_all, np.mean(whole))
    assert microseconds > 0


def runs_of(protocol: str, seed: int = 0) -> list[Run]:
    return list_runs(fashion_mnist.SUITE, protocols=[protocol], budget="full", first_seed=seed)


def test_plan_has_every_cell_of_the_studys_tables_once():
    names = {method: name for name, method in results.METHODS.items()}
    runs = runs_of("fmnist-seed")
    keys = [(names[run.method], run.tables or run.alpha, run.bits) for run in runs]
    assert [key for key in keys if key in PUBLISHED] == keys[:12]
    assert set(keys[:12]) == set(PUBLISHED)
    assert [names[run.method] for run in runs[12:]] == ["kNN", "classifier"]
    assert [(names[r.method], r.tables, r.alpha, r.bits) for r in runs] == results.CELLS
    assert len({run.key for run in runs}) == len(runs)
    # Each trains as long as the study did, and longer on more images.
    assert {run.settings.get("epochs") for run in runs} == {20, None}


def row_of(run: Run, score: float = 0.5) -> dict[str, object]:
    curves = dict.fromkeys(scoring.CURVES, np.array([1.0, 0.5]))
    scores = scoring.Scores(
        map10_hits=(score,) * 3,
        map10_mink=np.float64(score),
        map1000_hits=score,
        map_all=(score,) * 3,
        precision=score,
        recall=score,
        candidates=9.0,
        map10_padded=score,
        precision_radius2=score,
        bucket_length=2.0,
        distinct_codes=7,
        curves=curves,
    )
    return measure._row(run, scores, 20.0, {"train_seconds": 1.5})


def test_rows_have_exactly_the_keys_and_survive_the_file(tmp_path):
    path = tmp_path / "results.jsonl"
    for number, run in enumerate(runs_of("fmnist-seed", seed=3)[:2]):
        append_row(path, row_of(run, number / 2))
    results.publish(tmp_path, results.read_cells(path, 3, "full"), [])
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [tuple(row) for row in rows] == [KEYS, KEYS]
    assert [row["map10_hits"] for row in rows] == [0.0, 0.5]
    assert rows[0]["method"] == "LSH"
    assert (rows[0]["bits"], rows[0]["tables"], rows[0]["alpha"], rows[0]["seed"]) == (
        8,
        8,
        None,
        3,
    )
    with open(tmp_path / "results.csv", newline="") as file:
        (header, first, _) = csv.reader(file)
    assert tuple(header) == KEYS
    assert first[KEYS.index("alpha")] == ""
    assert first[KEYS.index("query_microseconds")] == "20.0"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(f'"{hashret.__version__}"', '"0.0.0"'),
        lambda text: text.replace('"seed": 0', '"seed": 1'),
        lambda text: text.replace('"map_all"', '"map"'),
        lambda text: text.replace('"bits": 8', '"bits": 9'),
        lambda text: text.replace('"tables": 8', '"tables": 1'),
        lambda text: text.replace('"features": "hog"', '"features": "lite0"'),
        lambda text: text.replace("fmnist-seed", "held-out"),
    ],
)
def test_a_damaged_or_foreign_row_counts_as_not_measured(tmp_path, damage):
    run, path = runs_of("fmnist-seed")[0], tmp_path / "results.jsonl"
    append_row(path, row_of(run))
    (cell,) = results.read_cells(path, 0, "full")
    assert cell == row_of(run) | {"method": "LSH"}
    assert find_row(run.fields(), read_rows(path)) == row_of(run)
    path.write_text(damage(path.read_text()))
    assert results.read_cells(path, 0, "full") == []
    assert find_row(run.fields(), read_rows(path)) is None


def test_quick_rows_do_not_stand_for_full_ones(tmp_path):
    quick = list_runs(fashion_mnist.SUITE, ["dsh"], protocols=["fmnist-seed"], budget="quick")
    append_row(tmp_path / "r.jsonl", row_of(quick[0]))
    assert len(results.read_cells(tmp_path / "r.jsonl", 0, "quick")) == 1
    assert results.read_cells(tmp_path / "r.jsonl", 0, "full") == []


def test_study_runs_in_part_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    first = fashion_mnist.run_study(tmp_path, only=["lsh"], protocols=["fmnist-sample"], quick=True)
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["tables"], row["bits"]) for row in rows] == list(
        itertools.product((8, 16), (8, 12, 16))
    )
    assert {row["protocol"] for row in rows} == {"fmnist-sample"}
    # More bits of the same directions and more tables find more: the study's order.
    assert rows[5]["map10_hits"] > rows[0]["map10_hits"] > 0.5
    for row in rows:
        assert row["map_all_low"] <= row["map_all"] <= row["map_all_high"]
    assert all(path.stat().st_size for path in first.files)

    def fail(*arguments):
        raise AssertionError("measured again")

    path, again = tmp_path / "results.jsonl", []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    monkeypatch.setattr(
        harness, "measure", lambda run, *rest: again.append(run) or measure.measure(run, *rest)
    )
    fashion_mnist.run_study(tmp_path, only=["LSH"], protocols=["fmnist-sample"], quick=True)
    assert [(run.tables, run.bits) for run in again] == [(8, 16)]
    repeated = json.loads((tmp_path / "results.json").read_text())
    timings = ("train_seconds", "query_microseconds")
    for row in rows + repeated:
        for key in timings:
            row.pop(key)
    assert repeated == rows
    monkeypatch.setattr(harness, "measure", fail)
    fashion_mnist.run_study(tmp_path, only=["LSH"], protocols=["fmnist-sample"], quick=True)


def test_results_are_written_after_every_row(tmp_path, monkeypatch):
    seen = []

    def stop_at_third(run, *rest):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(run.bits)
        return row_of(run)

    monkeypatch.setattr(harness, "measure", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        fashion_mnist.run_study(tmp_path, only=["LSH"], quick=True, seed=5)
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [(row["bits"], row["seed"]) for row in rows] == [(8, 5), (12, 5)]


def test_demo_makes_table_sheet_and_page(tmp_path, monkeypatch):
    monkeypatch.setattr(
        demo.clothes, "EPOCHS", 1
    )  # the whole training is for the command, not for a test
    made = demo.run_demo(tmp_path, queries=3)
    dsh, lsh = (dict(zip(demo.COLUMNS, row, strict=True)) for row in made.rows)
    assert (dsh["method"], dsh["bits"], dsh["tables"], dsh["bytes an image"]) == (
        "DSH",
        "16",
        "-",
        "2",
    )
    assert (lsh["method"], lsh["bits"], lsh["tables"], lsh["bytes an image"]) == (
        "LSH",
        "16",
        "8",
        "16",
    )
    for row in (dsh, lsh):
        low, high = map(float, re.findall(r"[\d.]+", row["bounds"]))
        assert low <= float(row["mAP@10 (hits)"]) <= high
        assert float(row["p50 µs"]) <= float(row["p99 µs"])
        assert row["protocol"] == "fmnist-sample"
    assert float(lsh["mAP@10 (hits)"]) > 0.6
    page = made.page.read_text(encoding="utf-8")
    assert page.count("<article") == 3
    assert page.count("<li class=") == 3 * 2 * 10
    assert made.sheet.read_bytes().startswith(b"\x89PNG")


def test_tour_of_a_folder_finds_the_copies_and_the_query(tmp_path, monkeypatch):
    pytest.importorskip("pathspec")
    some = ("camera", "chelsea", "coins")  # all are for the command, not for a test
    names = {source: demo.photographs._PHOTOGRAPHS[source] for source in some}
    monkeypatch.setattr(demo.photographs, "_PHOTOGRAPHS", names)
    monkeypatch.setattr(demo.photographs, "_CLOTHES", 40)
    tour = demo.run_tour(tmp_path)
    assert (tour.images, tour.groups) == (49, 3)
    assert tour.answers.read_text(encoding="utf-8").count("<li") == 12
    assert tour.duplicates.read_text(encoding="utf-8").count("<section") == 3
    assert tour.sheet.read_bytes().startswith(b"\x89PNG")
    # Again, nothing is written anew.
    written = {path: path.stat().st_mtime_ns for path in tour.folder.rglob("*.*g")}
    assert len(written) == 49
    assert demo.run_tour(tmp_path).images == 49
    assert {path: path.stat().st_mtime_ns for path in written} == written
