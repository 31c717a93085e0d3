"""One run: fit, encode, search, score; a row of figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import Index
from ...extras import import_extra
from ...files import replacing
from ...methods import Classic, Deep, Exact, TwoPart, learns_from, method
from ...types import Codes
from ..scoring import Labels, Scores, curves, exact_scores, figures, score_index, time_queries
from ..steps import Advance, Steps
from .inputs import Inputs, Source
from .posteriors import accuracy, score_posteriors
from .provenance import provenance
from .rows import Row
from .runs import Run

__all__ = ["Encoded", "Facts", "encode", "fitted", "measure", "unit"]

Facts = dict[str, Any]


def measure(run: Run, source: Source, steps: Steps) -> Row:
    """Measure a run and return its row.

    The row has the run's fields, those of :class:`~..scoring.Scores`, the bounds as ``..._low``
    and ``..._high``, and

    - ``query_microseconds``: median, of single queries by code on one thread;
    - ``train_seconds``, ``train_cpu_seconds``, ``encode_microseconds`` (an image, in batches),
      ``epochs``, ``training_precision``;
    - of a classifier ``accuracy_database`` and ``accuracy_queries``: images whose class it tells;
    - what :func:`~.provenance.provenance` gives.
    """
    inputs, entry = source.inputs(run.protocol, run.seed, run.features), method(run.method)
    with steps.step(run.title) as advance:
        if isinstance(entry, Exact):
            scores, microseconds = _score_exact(entry, inputs, advance)
            return _row(run, scores, microseconds)
        if isinstance(entry, Deep) and entry.order != "hamming":
            classifier, facts = _train(run, entry, source, inputs, advance)
            by_product = entry.order == "inner-product"
            found = score_posteriors(classifier, inputs, by_product, run.seed, advance)
            return _row(run, *found, facts)
        encoded = encode(run, source, inputs, advance)
        advance(1, 1, "scoring")
        scores, microseconds = encoded.score(inputs), float(np.median(encoded.time()))
    if path := source.file("codes", f"{run.key}.npz"):
        _keep_codes(path, encoded, inputs)
    return _row(run, scores, microseconds, encoded.facts)


def _score_exact(entry: Exact, inputs: Inputs, advance: Advance) -> tuple[Scores, float]:
    shape = unit if entry.cosine else np.asarray
    return exact_scores(
        shape(inputs.database),
        shape(inputs.queries),
        inputs.database_labels,
        inputs.query_labels,
        advance,
    )


def unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scale vectors to length 1, where Euclidean distance orders by angle."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[Any] = vectors / np.maximum(lengths, 1e-12)
    return scaled


@dataclass(frozen=True)
class Encoded:
    """Codes of queries and database, the latter in an index, and facts of making them for the row.

    The index has bucket tables if the encoder makes a code a table, of which a query looks into
    `probes` buckets each; else it is exact.
    """

    index: Index
    codes: Codes
    queries: Codes
    probes: int
    facts: dict[str, Any]

    def score(self, inputs: Inputs) -> Scores:
        """Score the index's answers."""
        labels = inputs.query_labels, inputs.database_labels
        return score_index(self.index, self.queries, self.codes, *labels, self.probes)

    def time(self) -> npt.NDArray[np.float64]:
        """Return the microseconds of single queries."""
        return time_queries(self.index, self.queries, self.probes)


def encode(run: Run, source: Source, inputs: Inputs, advance: Advance) -> Encoded:
    """Fit a run's encoder, encode database and queries, and index the database."""
    assert run.bits is not None
    encoder, facts = fitted(run, source, inputs, advance)
    spent = time.process_time()
    codes, queries = encoder.transform(inputs.database), encoder.transform(inputs.queries)
    count = max(1, len(codes) + len(queries))
    facts["encode_microseconds"] = (time.process_time() - spent) / count * 1e6
    index, probes = _empty_index(run.bits, run.tables or 1)
    index.add(codes)
    return Encoded(index, codes, queries, probes, facts)


def fitted(run: Run, source: Source, inputs: Inputs, advance: Advance) -> tuple[Any, Facts]:
    """Fit a run's encoder, and return it with facts of the fitting."""
    assert run.bits is not None
    entry = method(run.method)
    if isinstance(entry, Deep):
        return _train(run, entry, source, inputs, advance)
    assert isinstance(entry, Classic)
    encoder = entry.make(run.bits, run.seed, run.options)
    return encoder, _timed(lambda: encoder.fit(inputs.train))


def _empty_index(bits: int, tables: int) -> tuple[Index, int]:
    """Return an index for an encoder's codes, and the buckets of each table to look into."""
    if tables == 1:
        return Index(bits), 1
    # In a small database the bucket of the query alone holds too few images: also those one bit
    # away are looked into.
    return Index(bits * tables, kind="lsh", tables=tables), bits + 1


def _timed(fit: Callable[[], Any]) -> dict[str, Any]:
    wall, spent = time.perf_counter(), time.process_time()
    fit()
    return {
        "train_seconds": time.perf_counter() - wall,
        "train_cpu_seconds": time.process_time() - spent,
    }


def _train(
    run: Run, entry: Deep, source: Source, inputs: Inputs, advance: Advance
) -> tuple[Any, Facts]:
    """Return a trained network and facts of the training.

    What is ranked by other than codes shares it with what is ranked by these: once trained, a
    classifier is kept.
    """
    shared = replace(run, method=entry.loss)
    kept = source.file("encoders", f"{shared.key}.safetensors") if entry.bit_a_class else None
    if kept and kept.exists():
        hasher = import_extra("hashret.deep", "torch").DeepHasher.load(kept, device=run.device)
        return hasher, hasher.card_["benchmark"]
    hasher, facts = _fitted(run, entry, source, inputs, advance)
    if entry.bit_a_class:
        facts |= accuracy(hasher, inputs)
    if kept:
        hasher.card_["benchmark"] = facts
        hasher.save(kept)
    return hasher, facts


def _fitted(
    run: Run, entry: Deep, source: Source, inputs: Inputs, advance: Advance
) -> tuple[Any, Facts]:
    """Train a network, from a checkpoint on if an interrupted run left one."""
    assert run.bits is not None
    options = dict(run.options)
    residual = options.pop("residual", None)
    loss, bits, settings = entry.make(options), run.bits, dict(run.settings)
    if isinstance(entry, TwoPart):
        bits = replace(entry, residual=residual).prefix_bits(bits)
    teacher, images = settings.pop("teacher", None), settings.pop("images", None)
    if images is not None:
        settings["epochs"] = count_epochs(images, loss, inputs.train_labels)
    hasher = import_extra("hashret.deep", "torch").DeepHasher(
        network=run.network,
        loss=loss,
        bits=bits,
        device=run.device,
        random_state=run.seed,
        progress=lambda now: advance(
            (now.epoch - 1) * now.steps + now.step,
            now.epochs * now.steps,
            f"epoch {now.epoch}/{now.epochs}, loss {now.loss:.2f}",
        ),
        **settings,
    )
    encoder = hasher
    labels = inputs.train_labels if learns_from("labels", loss) else None
    if isinstance(entry, TwoPart):
        encoder = entry.around(hasher, run.bits, run.seed, residual)
    features = None
    if learns_from("features", loss):
        features = source.inputs(run.protocol, run.seed, teacher).train if teacher else inputs.train
    checkpoint = source.file("checkpoints", f"{run.key}.safetensors")
    resumed = checkpoint is not None and checkpoint.exists()

    def fit() -> None:
        classes = labels
        if isinstance(entry, TwoPart):
            classes = entry.classes(inputs.train, labels, run.seed, residual)
        encoder.fit(inputs.train, classes, features=features, checkpoint=checkpoint)

    facts = _timed(fit)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    # What the part before an interruption took is not known.
    facts = dict.fromkeys(facts) if resumed else facts
    trained = encoder.prefix_ if isinstance(entry, TwoPart) else hasher
    precision = trained.card_["training"]["precision"]
    return encoder, {"epochs": hasher.epochs, "training_precision": precision} | facts


def count_epochs(images: int, loss: Any, labels: Labels) -> int:
    """Return the passes over training images that `images` pay for; a view is an image."""
    seen = len(labels)
    if learns_from("labels", loss) and not loss.unlabelled:
        seen = int(np.count_nonzero(labels >= 0))
    return max(1, round(images / (seen * int(loss.views))))


def _row(
    run: Run, scores: Scores, microseconds: float | None, facts: dict[str, Any] | None = None
) -> Row:
    untrained = ("epochs", "train_seconds", "train_cpu_seconds", "encode_microseconds")
    row = run.fields() | figures(scores) | {"map10_padded": float(scores.map10_padded)}
    row |= dict.fromkeys(untrained) | (facts or {}) | {"query_microseconds": microseconds}
    return row | provenance(run.device) | {"curves": curves(scores)}


def _keep_codes(path: Path, encoded: Encoded, inputs: Inputs) -> None:
    """Keep what ``hashret eval`` takes."""
    with replacing(path) as file:
        np.savez_compressed(
            file,
            codes=encoded.codes,
            labels=inputs.database_labels,
            query_codes=encoded.queries,
            query_labels=inputs.query_labels,
        )
