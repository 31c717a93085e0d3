"""Pictures that compare methods: what they refuse, and where they put names and points."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from hashret.errors import ParameterError, ShapeError
from hashret.evaluation import (
    DistanceHistograms,
    charts,
    code_map,
    distances_within_and_between,
    plots,
)
from hashret.evaluation.canvas import new_figure


def is_png(path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [0, 1, 15])
def test_scores_by_bits_and_time_are_drawn(tmp_path, count):
    names = [f"${n}" for n in range(count)]  # a name is no formula
    lines = [charts.Series(name, (16, 48), (0.1, 0.2), (0.0, 0.01)) for name in names]
    points = [charts.Point(name, 10.0 * (n + 1), 0.5) for n, name in enumerate(names)]
    assert is_png(charts.write_scores_by_bits(lines, "mAP@all", "t", tmp_path / "b.png"))
    assert is_png(charts.write_scores_by_time(points, "mAP@all", "t", tmp_path / "t.png"))


@pytest.mark.parametrize("count", [1, 6])
def test_distances_are_drawn(tmp_path, count):
    panels = [charts.Distances("x", np.array([0.5, 0.5]), np.array([0.0, 1.0]))] * count
    assert is_png(charts.write_distances(panels, "t", tmp_path / "d.png"))


def test_the_same_figures_give_the_same_bytes(tmp_path):
    panel = charts.Distances("x", np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    first, second = (charts.write_distances([panel], "t", tmp_path / n) for n in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_unfit_parts_are_refused(tmp_path):
    with pytest.raises(ShapeError, match="expected 2 like bits, got 1 and 2"):
        charts.Series("x", (16, 32), (0.1,), (0.0, 0.0))
    with pytest.raises(ShapeError, match="between: expected shape"):
        charts.Distances("x", np.zeros(3), np.zeros(4))
    with pytest.raises(ParameterError, match="panels: expected at least one"):
        charts.write_distances([], "t", tmp_path / "d.png")
    with pytest.raises(ShapeError, match="at least 3 for a map, got 2"):
        code_map.write_code_map(np.zeros((2, 1), np.uint8), 8, [0, 1], "t", tmp_path / "m.png")
    with pytest.raises(ParameterError, match="method: expected 'pca' or 'tsne', got 'lda'"):
        code_map.write_code_map([[1]] * 3, 8, [0] * 3, "t", tmp_path / "m.png", method="lda")


@pytest.mark.parametrize(
    "heights", [[], [0.5], [0.5, 0.5, 0.5], [0.9, 0.1, 0.12, 0.5, 0.13], [0.3, 0.2, 0.1]]
)
def test_names_are_moved_apart_in_their_order(heights):
    placed = charts._spread(heights, 0.1)
    order = np.argsort(heights, kind="stable")
    assert all(np.diff(np.array(placed)[order]) >= 0.1 - 1e-9)
    np.testing.assert_allclose(np.sum(placed), np.sum(heights), atol=1e-9)


def test_names_with_room_stay_where_they_are():
    np.testing.assert_allclose(charts._spread([0.1, 0.9, 0.5], 0.1), [0.1, 0.9, 0.5])


@pytest.mark.parametrize("collapsed", [False, True])
def test_map_of_codes(tmp_path, collapsed):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (60, 2), dtype=np.uint8)
    if collapsed:
        codes[:] = codes[0]
    labels = np.arange(60) % 12 - 1
    for method in ("pca", "tsne"):
        path = tmp_path / f"{method}.png"
        names = ("one", "two")
        code_map.write_code_map(codes, 16, labels, "t", path, method=method, class_names=names)
        assert is_png(path)


def test_principal_plane_keeps_the_most_of_the_distances():
    rng = np.random.default_rng(1)
    values = rng.choice([-1.0, 1.0], (50, 8)) * np.array([1, 1, 1, 0, 0, 0, 0, 0])
    places = code_map._points(values, "pca", 0)
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    np.testing.assert_allclose(np.square(places).sum(), np.square(singular[:2]).sum())


def test_one_bit_has_a_map(tmp_path):
    codes = np.array([[0], [128], [0], [128]], np.uint8)
    assert is_png(code_map.write_code_map(codes, 1, [0, 1, 0, 1], "t", tmp_path / "m.png"))


def test_distances_within_and_between_are_shares_of_pairs():
    items = np.array([[2, 0, 4], [1, 1, 1]])
    relevant = np.array([[1, 0, 1], [0, 1, 1]])
    within, between = distances_within_and_between(DistanceHistograms(items, relevant))
    np.testing.assert_allclose(within, [1 / 4, 1 / 4, 2 / 4])
    np.testing.assert_allclose(between, [2 / 5, 0, 3 / 5])
    alone = distances_within_and_between(DistanceHistograms(items, items))
    np.testing.assert_allclose(alone[1], 0)


def state_of_the_process():
    import os
    import random
    import warnings

    import matplotlib
    import threadpoolctl

    settings = {key: dict.__getitem__(matplotlib.rcParams, key) for key in matplotlib.rcParams}
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    return {
        "matplotlib": repr(settings),
        "pyplot": "matplotlib.pyplot" in sys.modules,
        "warnings": [repr(entry) for entry in warnings.filters],
        "random": (random.getstate(), np.random.get_state()[1].tolist()),  # noqa: NPY002
        "numpy": (np.geterr(), np.get_printoptions()),
        "environment": dict(os.environ),
        "threads": pools,
    }


def draw_everything(folder):
    codes = np.random.default_rng(0).integers(0, 256, (60, 2), dtype=np.uint8)
    for method in ("pca", "tsne"):
        code_map.write_code_map(codes, 16, np.arange(60) % 5, "t", folder / "m.png", method=method)
    line = charts.Series("x", (16, 32), (0.1, 0.2), (0.0, 0.0))
    charts.write_scores_by_bits([line], "mAP", "t", folder / "b.png")
    charts.write_scores_by_time([charts.Point("x", 1.0, 0.5)], "mAP", "t", folder / "s.png")
    panel = charts.Distances("x", np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    charts.write_distances([panel], "t", folder / "d.png")
    curve = plots.Curve("x", np.array([1.0, 0.5]), np.array([0.25, 1.0]))
    plots.write_precision_recall([curve], "t", folder / "p.png")
    plots.write_table(["x"], [["y"]], "t", "n", folder / "t.png")


def test_pictures_leave_no_trace_from_any_number_of_threads(tmp_path):
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
    draw_everything(tmp_path)  # what a first import brings is no trace
    before = state_of_the_process()
    with ThreadPoolExecutor(len(folders)) as threads:
        list(threads.map(draw_everything, folders))
    assert state_of_the_process() == before
    for path in tmp_path.glob("*.png"):
        assert {path.read_bytes()} == {(folder / path.name).read_bytes() for folder in folders}


def test_maps_are_made_one_at_a_time(tmp_path, monkeypatch):
    """scikit-learn's search of neighbours limits BLAS; two at once would leave the limit."""
    from sklearn.manifold import TSNE

    inside, most = [], []

    def fit_transform(self, values):
        inside.append(self)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return np.zeros((len(values), 2))

    monkeypatch.setattr(TSNE, "fit_transform", fit_transform)
    values = np.random.default_rng(0).choice([-1.0, 1.0], (10, 8))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda seed: code_map._points(values, "tsne", seed), range(4)))
    assert most == [1] * 4


def test_figures_leave_pyplot_alone():
    new_figure(1, 1)
    assert "matplotlib.pyplot" not in sys.modules
