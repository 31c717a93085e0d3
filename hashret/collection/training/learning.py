"""A method by name, fitted to pictures: one file that makes codes of photographs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...checks import check_int
from ...codes import pack
from ...errors import ImageError, ParameterError
from ...extras import import_extra
from ...files import write_bytes
from ...images.reading import Limits
from ...methods import Classic, Deep, TwoPart, learns_from, method
from ..encoders import PhotoFeatures, with_features
from .examples import Example
from .pictures import Pictures, read_pictures
from .scores import Score, chance, score_codes, score_vectors

__all__ = ["Trained", "default_method", "train"]

Told = Callable[[str, int, int], object]
_NETWORK = "lite0"
_FEATURES = 160  # pixels of a side for the frozen network
_SIZES = {"small-cnn": 32, "resnet-9": 32, "resnet-18": 64}
_HELD_OUT = 0.2
_AT_ONCE = 64
# Images seen in training, views counted, where nobody says how many epochs: by a head, a network.
_SEEN = {True: 400_000, False: 200_000}
_MOST_EPOCHS = 100
_VECTORS = {"learning_rate": 1e-3, "head_rate": 1.0, "weight_decay": 1e-4}
_IMAGES = {
    "learning_rate": 1e-2,
    "head_rate": 1.0,
    "weight_decay": 1e-2,
    "flip": True,
    "shift": 2,
}


@dataclass(frozen=True)
class Trained:
    """What was trained.

    Attributes
    ----------
    path : str
        The encoder's file.
    method : str
        Its title.
    bits : int
        Length of a code.
    labels : dict of int
        Images used, by label.
    held_out : int
        How many of these were not trained on but searched for.
    scores : dict of Score
        Of the held-out images among the others: ``codes``, and the simpler ways ``classifier``
        and ``nearest features``.
    chance : float
        Precision of random results.
    skipped : list of (str, str)
        Images that were not used, and why.
    """

    path: str
    method: str
    bits: int
    labels: dict[str, int]
    held_out: int
    scores: dict[str, Score]
    chance: float
    skipped: list[tuple[str, str]] = field(repr=False)


def train(
    examples: Sequence[Example],
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    bits: int = 64,
    network: str = "mlp",
    size: int | None = None,
    epochs: int | None = None,
    device: str = "auto",
    controls: bool = True,
    limits: Limits | None = None,
    progress: Told | None = None,
) -> Trained:
    """Train an encoder and write its file, which ``hashret index --encoder FILE`` takes.

    A fifth of each label's images is held out, to see how well the encoder finds new ones.

    Parameters
    ----------
    examples : sequence of Example
    path : path
        The file; a checkpoint lies beside it until it is done, from which a training that was
        interrupted goes on.
    name : str, optional
        Of a method, see :func:`hashret.methods.method_names`; by default :func:`default_method`.
    bits : int
    network : str
        "mlp" and "linear" learn a head over frozen features of a network that knows photographs;
        others of :func:`hashret.deep.network_names` learn from the pixels alone.
    size : int, optional
        Side of the squares that pictures are scaled to.
    epochs : int, optional
        By default as many as show the network some 400,000 images, 100 at most.
    device : str
    controls : bool
        Whether the simpler ways are scored, too.
    limits : Limits, optional
        Of what one file may cost.
    progress : callable, optional
        Called as ``progress(step, done, total)``.

    Raises
    ------
    ParameterError
        If there is no such method, or nothing of it can be saved.
    ImageError
        If there are too few images or labels.
    TrainingError
        If training fails.
    """
    name = name or default_method(examples, bits)
    chosen, told = _method(name, network), progress or _silent
    if isinstance(chosen, TwoPart):
        chosen.prefix_bits(bits)
    vectors = network in ("mlp", "linear")
    side = check_int("size", size or (_FEATURES if vectors else _SIZES.get(network, 64)), 32)
    check_writable(path)
    pictures = read_pictures(
        examples, side, limits=limits, progress=lambda *at: told("Reading images", *at)
    )
    inputs: Any = pictures.squares
    held = _held_out(pictures.labels)
    if isinstance(chosen, TwoPart):
        _check_count(chosen, bits, int(np.count_nonzero(~held)))
    features = PhotoFeatures(_NETWORK, side) if vectors else None
    if features is not None:
        inputs = _described(features, inputs, told)
    learner = _Learner(network, device, epochs, told)
    known, labels = inputs[~held], pictures.labels[~held]
    checkpoint = Path(f"{os.fspath(path)}.checkpoint")
    encoder = learner.fit(chosen, bits, known, labels, checkpoint)
    scores = {"codes": _score(encoder, inputs, pictures.labels, held)}
    if controls:
        scores |= _controls(learner, inputs, pictures.labels, held)
    _save(encoder, path, features)
    checkpoint.unlink(missing_ok=True)
    return Trained(
        os.fspath(path),
        chosen.title,
        int(encoder.code_bits),
        _counts(pictures),
        int(held.sum()),
        scores,
        chance(pictures.labels[held], labels),
        pictures.skipped,
    )


def default_method(examples: Sequence[Example], bits: int) -> str:
    """Return "prism", or "orthohash" where images or bits are too few for codes of two parts."""
    prism = method("prism")
    assert isinstance(prism, TwoPart)
    labels = np.array([example.label for example in examples])
    learned = int(np.count_nonzero(~_held_out(labels)))
    fits = bits > prism.residual["cells"] and learned > bits - prism.prefix_bits(bits)
    return "prism" if fits else "orthohash"


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise before a long training if its file cannot be written after it."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: no folder to write into")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: cannot be written")


@dataclass(frozen=True)
class _Learner:
    network: str
    device: str
    epochs: int | None
    told: Told

    def fit(
        self,
        method: Classic | Deep,
        bits: int,
        inputs: npt.NDArray[Any],
        labels: npt.NDArray[np.str_],
        checkpoint: Path | None = None,
    ) -> Any:
        """Return the method's encoder, fitted."""
        if isinstance(method, Classic):
            self.told("Fitting", 0, 1)
            return method.make(bits, 0, method.options).fit(inputs)
        vectors = inputs.ndim == 2
        loss = method.make(method.options)
        seen = _SEEN[vectors]
        options: dict[str, Any] = {
            **(_VECTORS if vectors else _IMAGES),
            "batch_size": int(np.clip(len(inputs) // 8, 2, 256 if vectors else 128)),
            "epochs": self.epochs or int(np.clip(seen // len(inputs), 1, _MOST_EPOCHS)),
        }
        hasher = import_extra("hashret.deep", "torch").DeepHasher(
            self.network,
            loss,
            self._length(method, bits, labels),
            device=self.device,
            random_state=0,
            progress=lambda now: self.told(
                f"Training {method.title}",
                (now.epoch - 1) * now.steps + now.step,
                now.epochs * now.steps,
            ),
            **options,
        )
        features = inputs if vectors and learns_from("features", loss) else None
        given = labels if learns_from("labels", loss) else None
        encoder = hasher
        if isinstance(method, TwoPart):
            encoder = method.around(hasher, bits, 0, method.residual)
        return encoder.fit(inputs, given, features=features, checkpoint=checkpoint)

    def _length(self, method: Deep, bits: int, labels: npt.NDArray[np.str_]) -> int:
        """Return the length of the network's own codes."""
        classes = len(np.unique(labels))
        if isinstance(method, TwoPart):
            # Cells are of probabilities: that there are more classes than cells is no matter.
            written = (classes - 1).bit_length() if method.residual.get("cells") else 0
            return max(method.prefix_bits(bits), written)
        return classes if method.bit_a_class else bits


def _method(name: str, network: str) -> Classic | Deep:
    chosen = method(name)
    if not isinstance(chosen, (Classic, Deep)):
        raise ParameterError(f"method: {name!r} makes no codes, and nothing that can be saved")
    known = import_extra("hashret.deep", "torch").network_names()
    if network not in known:
        raise ParameterError(f"network: expected one of {', '.join(known)}, got {network!r}")
    if isinstance(chosen, Classic) and network not in ("mlp", "linear"):
        raise ParameterError(f"network: {name} takes features, and trains no {network}")
    return chosen


def _check_count(method: TwoPart, bits: int, count: int) -> None:
    """Raise before a training of two parts if images are too few for the second."""
    prefix = method.prefix_bits(bits)
    rest = bits - prefix
    if count <= rest:
        raise ImageError(
            f"{method.title} of {bits} bits: the {rest} beside the prefix's {prefix} are axes of "
            f"the images, of which more than {rest} are needed beside those held out, got {count}; "
            "take fewer bits, or another method, such as orthohash"
        )


def _described(features: PhotoFeatures, squares: Any, told: Told) -> npt.NDArray[np.float32]:
    parts = []
    for start in range(0, len(squares), _AT_ONCE):
        told("Describing images", start, len(squares))
        parts.append(features.describe(squares[start : start + _AT_ONCE]))
    return np.concatenate(parts)


def _held_out(labels: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Choose a fifth of each label's images, one at least where there are two."""
    rng, held = np.random.default_rng(0), np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        count = max(round(_HELD_OUT * len(rows)), 1) if len(rows) > 1 else 0
        held[rows[:count]] = True
    return held


def _score(encoder: Any, inputs: Any, labels: Any, held: npt.NDArray[np.bool_]) -> Score:
    margins, rule = encoder.project(inputs), encoder.ranking
    queries = pack(margins[held]) if rule is None else rule.queries_of(margins[held])
    codes, bits = pack(margins[~held]), int(encoder.code_bits)
    return score_codes(queries, codes, bits, labels[held], labels[~held], rule=rule)


def _controls(
    learner: _Learner, inputs: Any, labels: Any, held: npt.NDArray[np.bool_]
) -> dict[str, Score]:
    """Score a plain classifier of the same network, and the features themselves."""
    plain = method("classifier")
    assert isinstance(plain, Deep)
    classifier = learner.fit(plain, 0, inputs[~held], labels[~held])
    scores = {"classifier": _score(classifier, inputs, labels, held)}
    if inputs.ndim == 2:
        found = score_vectors(inputs[held], inputs[~held], labels[held], labels[~held])
        scores["nearest features"] = found
    return scores


def _save(encoder: Any, path: str | os.PathLike[str], features: PhotoFeatures | None) -> None:
    part = Path(f"{os.fspath(path)}.part")
    try:
        encoder.save(part)
        data = part.read_bytes()
    finally:
        part.unlink(missing_ok=True)
    if features is not None:
        data = with_features(data, features.settings)
    write_bytes(path, data)


def _counts(pictures: Pictures) -> dict[str, int]:
    names, counts = np.unique(pictures.labels, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _silent(step: str, done: int, total: int) -> None:
    pass
