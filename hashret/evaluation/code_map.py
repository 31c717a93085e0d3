"""Codes as points of a plane, coloured by class."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codes import unpack
from ..errors import ParameterError, ShapeError
from ..extras import import_extra
from ..types import Floats
from .canvas import COLORS, INK, SOFT, new_figure, save
from .labels import parse_labels

__all__ = ["write_code_map"]

# scikit-learn limits the threads of linear algebra while it searches neighbours and puts back what
# it found: two searches that overlap would leave the limit.
_ONE_AT_A_TIME = threading.Lock()

# More points of a map hide each other, and t-SNE takes a quarter of a minute for so many.
MAP_POINTS = 2000
# Ten classes have ten colours: Okabe and Ito's, and four that differ from them in lightness.
CLASS_COLORS = (*COLORS[:6], "#7a5195", "#8c6d31", "#a50f15", "#5b6675")


def write_code_map(
    codes: npt.ArrayLike,
    bits: int,
    labels: npt.ArrayLike,
    title: str,
    path: str | Path,
    *,
    method: str = "tsne",
    class_names: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Draw codes as points of a plane, coloured by class; write a PNG and return its path.

    At most 2,000 codes are drawn at random. Equal codes would be one point: each is moved by a
    fiftieth of the picture or less.

    Parameters
    ----------
    codes : array_like of uint8, shape (n, ceil(bits / 8))
    bits : int
    labels : array_like, shape (n,)
        Integers or strings; codes without label, see :mod:`hashret.evaluation.labels`, are grey.
    title : str
    path : str or Path
    method : {"pca", "tsne"}
        Two principal components, or t-SNE (van der Maaten and Hinton, JMLR 2008).
    class_names : sequence of str
        By integer label; the label itself where there is none.
    seed : int
        Of the choice of codes, of t-SNE and of the moves.
    """
    if method not in ("pca", "tsne"):
        raise ParameterError(f"method: expected 'pca' or 'tsne', got {method!r}")
    values = unpack(codes, bits).astype(np.float64) * 2 - 1
    given = parse_labels(labels, "labels", len(values))
    if given.values.ndim != 1:
        raise ShapeError(f"labels: expected one a code for a map, got {given.form or 'a table'}")
    if len(values) < 3:
        raise ShapeError(f"codes: expected at least 3 for a map, got {len(values)}")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(values))[:MAP_POINTS]
    points = _points(values[rows], method, seed)
    points = points + rng.uniform(-0.01, 0.01, points.shape) * np.ptp(points, axis=0)
    figure = new_figure(6.2, 6.2)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.9))
    unlabelled = points[~given.known[rows]]
    if len(unlabelled):
        axes.scatter(*unlabelled.T, s=7, color=SOFT, alpha=0.3, linewidth=0)
    classes = given.classes()
    numbers = given.numbered(classes)[rows]
    for number, label in enumerate(classes):
        own = points[numbers == number]
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        axes.scatter(own[:, 0], own[:, 1], s=7, color=color, alpha=0.7, linewidth=0)
        if len(own):
            _name_class(axes, np.median(own, axis=0), _class_name(label, class_names), color)
    axes.set_title(title, loc="left", fontsize=11, color=INK, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#c3cad3")
    words = {"pca": "Two principal components", "tsne": "t-SNE"}[method]
    axes.set_xlabel(f"{words} of {len(rows):,} codes of {bits} bits", fontsize=8, color=SOFT)
    return save(figure, path)


def _class_name(label: int | str, class_names: Sequence[str]) -> str:
    named = isinstance(label, int) and 0 <= label < len(class_names)
    return class_names[label] if named else str(label)  # type: ignore[index]


def _points(values: Floats, method: str, seed: int) -> Floats:
    centred = values - values.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    plane: Floats = np.zeros((len(values), 2))
    axes = vectors[:, ::-1][:, :2]
    plane[:, : axes.shape[1]] = centred @ axes
    if method == "pca":
        return plane
    manifold: Any = import_extra("sklearn.manifold", "images")
    # From the principal components the map is much the same whatever the seed.
    scale = max(float(plane[:, 0].std()), 1e-12)
    model = manifold.TSNE(
        perplexity=min(30.0, (len(values) - 1) / 3),
        init=1e-4 * plane / scale,
        learning_rate="auto",
        random_state=seed,
    )
    with _ONE_AT_A_TIME:
        return np.asarray(model.fit_transform(values), np.float64)


def _name_class(axes: Any, at: Floats, name: str, color: str) -> None:
    effects: Any = import_extra("matplotlib.patheffects", "plot")
    text = axes.text(
        *at, name, fontsize=9, weight="bold", color=color, ha="center", parse_math=False
    )
    text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
