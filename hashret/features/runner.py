"""ONNX models that are given one image at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..extras import import_extra

__all__ = ["Runner"]

Array = npt.NDArray[Any]


class Runner:
    """A model of one input and one image at a time, on as many images at once as there are cores.

    Each image goes through alone and on one thread, so that what comes out does not depend on
    other images, nor on how many cores there are; which is also the quickest way where other
    processes want the cores, too.

    Parameters
    ----------
    model : bytes or path
        An ONNX model.

    Raises
    ------
    FormatError
        If it is none, or one that onnxruntime cannot run.
    MissingExtraError
        Without onnxruntime.
    """

    def __init__(self, model: bytes | str) -> None:
        runtime: Any = import_extra("onnxruntime", "photo")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self.session = runtime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of no common class
            name = "model" if isinstance(model, bytes) else model
            raise FormatError(f"{name}: no ONNX model that can be run: {error}") from error
        self._threads = ThreadPoolExecutor(_cpus(), "hashret-onnx")

    def run(self, inputs: Iterable[dict[str, Array]], output: str) -> list[Array]:
        """Return an output of the model for each of several inputs, a batch of one each."""

        def one(given: dict[str, Array]) -> Array:
            (value,) = self.session.run([output], given)
            return np.asarray(value)

        return list(self._threads.map(one, inputs))


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
