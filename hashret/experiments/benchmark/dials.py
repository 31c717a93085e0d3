"""A method's trade between the axes: what the weight of the classes in its ranking buys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...evaluation.protocols import protocol
from ..steps import Steps
from .axes import ceilings_of, copies_of, encoded_of, figures_of, judged, same_class
from .inputs import Source
from .measure import fitted
from .provenance import provenance
from .rows import Row
from .runs import Run

__all__ = ["measure_dial"]


def measure_dial(run: Run, source: Source, steps: Steps, weights: Sequence[float]) -> Iterator[Row]:
    """Yield a row for each weight of :class:`~hashret.ranking.SameClass`.

    For choosing it, under protocols whose queries are training images. A row has the run's fields,
    ``weight``, the figures of the database that was not trained on, and ``copies_10``, the mean
    over the families of edits.
    """
    rows = protocol(run.protocol).rows(source.images, run.seed)
    inputs = source.inputs(run.protocol, run.seed, run.features)
    with steps.step(run.title) as advance:
        encoder, _ = fitted(run, source, inputs, advance)
        own = getattr(encoder, "prefix_bits", encoder.code_bits)
        trained = encoder.project(inputs.train)[:, :own]
        ranking = same_class(encoder, trained, np.asarray(inputs.train_labels))
        encoded = encoded_of(run, source, rows, encoder.project)
        ceilings = ceilings_of(source, run, rows)
        for done, weight in enumerate(weights, 1):
            between = ranking(weight)
            figures = figures_of(between, encoded, source, rows, ceilings)["untrained"]
            copies = copies_of(between, encoded).values()
            row = run.fields() | judged() | {"weight": weight} | figures
            row |= {"copies_10": float(np.mean([found["10"] for found in copies]))}
            advance(done, len(weights), "weights")
            yield row | provenance(run.device)
