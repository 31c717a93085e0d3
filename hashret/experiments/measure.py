"""One run of a benchmark: fit, encode, search, score; a row of figures."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import Index, cpu
from .._threads import available_cores
from ..codes import Codes
from ..errors import import_extra
from ..evaluation.protocols import Split
from .ledger import Row
from .material import Material
from .plan import Run
from .recipes import Classic, Deep, Exact, Method
from .retrieval import Scores, exact_scores, score_index, time_queries
from .steps import Advance, Steps

__all__ = ["curves", "figures", "hardware", "measure"]


def measure(run: Run, method: Method, material: Material, steps: Steps) -> Row:
    """Measure a run and return its row.

    The row has the run's fields, and

    - ``map10_hits``, ``map10_mink``, ``map_all``, ``map1000_hits``, each expected over random
      order of ties, and ``..._low``, ``..._high``, the bounds of the first and third;
    - ``precision`` of the first ten answers, ``recall`` of the first R, ``precision_radius2``;
    - ``distinct_codes``, ``bucket_length``, ``candidates`` (codes compared with a query),
      ``query_microseconds`` (median, of single queries by code on one thread);
    - ``train_seconds``, ``train_cpu_seconds``, ``encode_microseconds`` (an image, in batches),
      ``epochs``, ``threads``, ``hardware``;
    - ``curves``, of seed 0 only, which the pictures are made of: by Hamming distance, precision
      and recall of the ball, and the share of pairs within and between classes.
    """
    split = material.split(run.protocol, run.seed, run.features)
    with steps.step(run.title) as advance:
        if isinstance(method, Exact):
            shape = _unit if method.cosine else np.asarray
            scores, microseconds = exact_scores(
                shape(split.database_images),
                shape(split.query_images),
                split.database_labels,
                split.query_labels,
                advance,
            )
            return _row(run, scores, query_microseconds=microseconds)
        fitted = _Fitted(run, method, split, material, advance)
        codes, queries = fitted.encode(split)
        advance(1, 1, "scoring")
        index = Index(run.bits or 0)
        index.add(codes)
        scores = score_index(index, queries, codes, split.query_labels, split.database_labels)
        microseconds = float(np.median(time_queries(index, queries)))
    _keep_codes(material.cache / "codes" / f"{run.key}.npz", codes, queries, split)
    return _row(run, scores, query_microseconds=microseconds, **fitted.facts)


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scale vectors to length 1, where Euclidean distance orders by angle."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[Any] = vectors / np.maximum(lengths, 1e-12)
    return scaled


class _Fitted:
    """An encoder, fitted, and what fitting it and encoding with it took."""

    def __init__(
        self, run: Run, method: Classic | Deep, split: Split, material: Material, advance: Advance
    ) -> None:
        self.facts: dict[str, Any] = {}
        assert run.bits is not None
        checkpoint = material.cache / "checkpoints" / f"{run.key}.safetensors"
        resumed = checkpoint.exists()
        if isinstance(method, Classic):
            self.encoder = method.make(run.bits, run.seed)
        else:
            self.facts["epochs"] = _epochs(run, method, split)
            self.encoder = _hasher(run, method, self.facts["epochs"], advance)
        wall, spent = time.perf_counter(), time.process_time()
        if isinstance(method, Classic):
            self.encoder.fit(split.train_images)
        else:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            self.encoder.fit(
                split.train_images,
                split.train_labels if method.supervised else None,
                features=_teacher(run, method, split, material),
                checkpoint=checkpoint,
            )
            checkpoint.unlink(missing_ok=True)
        # What the part before an interruption took is not known.
        self.facts["train_seconds"] = None if resumed else time.perf_counter() - wall
        self.facts["train_cpu_seconds"] = None if resumed else time.process_time() - spent

    def encode(self, split: Split) -> tuple[Codes, Codes]:
        """Return the codes of database and queries."""
        spent = time.process_time()
        codes = self.encoder.transform(split.database_images)
        queries = self.encoder.transform(split.query_images)
        count = max(1, len(codes) + len(queries))
        self.facts["encode_microseconds"] = (time.process_time() - spent) / count * 1e6
        return codes, queries


def _hasher(run: Run, method: Deep, epochs: int, advance: Advance) -> Any:
    deep: Any = import_extra("hashret.deep", "torch")
    settings = {
        name: value for name, value in run.settings.items() if name not in ("images", "teacher")
    }
    return deep.DeepHasher(
        network=run.network,
        loss=method.make(),
        bits=run.bits,
        epochs=epochs,
        device=run.device,
        random_state=run.seed,
        progress=lambda now: advance(
            (now.epoch - 1) * now.steps + now.step,
            now.epochs * now.steps,
            f"epoch {now.epoch}/{now.epochs}, loss {now.loss:.2f}",
        ),
        **settings,
    )


def _epochs(run: Run, method: Deep, split: Split) -> int:
    """Passes over the training images that the budget pays for; a view is an image."""
    loss: Any = method.make()
    seen = len(split.train_images)
    if method.supervised and not loss.unlabelled:
        seen = int(np.count_nonzero(split.train_labels >= 0))
    return max(1, round(int(run.settings["images"]) / (seen * int(loss.views))))


def _teacher(run: Run, method: Deep, split: Split, material: Material) -> Any:
    """Return the vectors that a loss learns from, if it does."""
    if not method.taught:
        return None
    teacher = run.settings.get("teacher")
    if teacher is None:
        return split.train_images
    return material.split(run.protocol, run.seed, teacher).train_images


def _row(run: Run, scores: Scores, **facts: Any) -> Row:
    own: Row = {"epochs": None, "train_seconds": None, "train_cpu_seconds": None}
    own |= {"encode_microseconds": None}
    machine = {"threads": _threads(), "hardware": hardware(run.device)}
    shown = {"curves": curves(scores) if run.seed == 0 else None}
    return run.fields() | figures(scores) | own | facts | machine | shown


def figures(scores: Scores) -> Row:
    """Return scores as a row has them; see :func:`measure`."""
    whole, low, high = scores.map_all
    few, few_low, few_high = scores.map10_hits
    measured = {
        "map10_hits": few,
        "map10_hits_low": few_low,
        "map10_hits_high": few_high,
        "map10_mink": scores.map10_mink,
        "map1000_hits": scores.map1000_hits,
        "map_all": whole,
        "map_all_low": low,
        "map_all_high": high,
        "precision": scores.precision10,
        "recall": scores.recall,
        "precision_radius2": scores.precision_radius2,
        "bucket_length": scores.bucket_length,
        "candidates": scores.candidates,
    }
    numbers = {name: value if value is None else float(value) for name, value in measured.items()}
    return numbers | {"distinct_codes": scores.distinct_codes}


def curves(scores: Scores) -> dict[str, list[float]]:
    """Return what pictures are made of, by Hamming distance."""
    named = {
        "precision": scores.precision,
        "recall": scores.recall_curve,
        "within": scores.within,
        "between": scores.between,
    }
    # Five digits are finer than a pixel of any picture.
    return {name: [float(f"{value:.5g}") for value in curve] for name, curve in named.items()}


def _keep_codes(path: Path, codes: Codes, queries: Codes, split: Split) -> None:
    """Keep what ``hashret eval`` takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        codes=codes,
        labels=split.database_labels,
        query_codes=queries,
        query_labels=split.query_labels,
    )


def _threads() -> int:
    """Threads that linear algebra and networks may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else available_cores()


def hardware(device: str | None = None) -> str:
    """Return processor, instruction set of the engine and, for a GPU, its name."""
    words = [_processor(), str(cpu()["isa"])]
    if device is not None and device.startswith("cuda"):
        words.append(import_extra("torch", "torch").cuda.get_device_name(device))
    return ", ".join(words)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()
