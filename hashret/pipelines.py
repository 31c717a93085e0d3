"""scikit-learn's pipelines that end in an encoder, as encoders; scikit-learn is not imported."""

from __future__ import annotations

import copy
import hashlib
import types
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DTypeError, ParameterError
from .ranking import HasRanking

__all__ = ["PipelineEncoder", "as_encoder"]

# Settings that do not change what a fitted step returns.
_WITHOUT_EFFECT = {"random_state", "n_jobs", "verbose", "copy", "copy_X", "memory"}


def as_encoder(encoder: Any) -> Any:
    """Return an encoder as it is, and a fitted pipeline that ends in one as an encoder.

    Raises
    ------
    DTypeError
        If a pipeline ends in something else.
    ParameterError
        If an earlier step holds what no fingerprint can be taken of, such as a lambda or a tree.
    """
    if hasattr(encoder, "project") or not hasattr(encoder, "steps"):
        return encoder
    return PipelineEncoder(encoder)


class PipelineEncoder(HasRanking):
    """The encoder that a fitted pipeline makes: its steps, then the encoder at its end.

    It keeps a copy of the pipeline; fitting that again changes nothing here. Of the earlier
    steps nothing is known but what they return: where they compute with all rows at once, as
    matrix products do, codes may depend on the batch in bits that are nearly undecided. Codes are
    ranked by the rule of that encoder.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted; the last step is an encoder of :mod:`hashret.encoders` or a ``DeepHasher``.
    """

    def __init__(self, pipeline: Any) -> None:
        *steps, (_, last) = _flat(pipeline)
        if not hasattr(last, "project") or not hasattr(type(last), "fingerprint"):
            raise DTypeError(
                "encoder: expected a pipeline that ends in an encoder of hashret, "
                f"got a {type(last).__name__} as its last step"
            )
        self._last = copy.copy(last)
        self._ranking = getattr(last, "ranking", None)
        self._steps = [
            (name, copy.deepcopy(step))
            for name, step in steps
            if step is not None and not isinstance(step, str)  # "passthrough"
        ]
        self.codes_fingerprint  # noqa: B018  (an unfit pipeline is refused here, not at the first search)

    @property
    def code_bits(self) -> int:
        """Length of a code."""
        return int(self._last.code_bits)

    @cached_property
    def codes_fingerprint(self) -> str:
        """SHA-256 of the steps: their classes, settings and fitted values, and the encoder's own.

        That of the encoder alone where it is the only step, as the codes are the same.
        """
        own = str(getattr(self._last, "codes_fingerprint", self._last.fingerprint))
        if not self._steps:
            return own
        digest = hashlib.sha256(own.encode())
        for name, step in self._steps:
            for part in _parts(step, name):
                digest.update(f"{len(part)} ".encode() + part)
        return digest.hexdigest()

    def project(self, inputs: npt.ArrayLike, /) -> npt.NDArray[np.float32]:
        """Return the margins of the bits, shape (n, code_bits): 1 where > 0."""
        for _, step in self._steps:
            inputs = step.transform(inputs)
        return np.asarray(self._last.project(inputs), np.float32)


def _flat(pipeline: Any) -> list[tuple[str, Any]]:
    """Return the steps of a pipeline, those of a pipeline at its end in their place."""
    *steps, (name, last) = pipeline.steps
    return [*steps, *_flat(last)] if hasattr(last, "steps") else [*steps, (name, last)]


def _parts(value: Any, where: str) -> Iterator[bytes]:
    """Yield bytes that are equal for values that act alike, and say what is in the way of that."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, slice, np.dtype)):
        yield f"{kind} {value!r}".encode()
    elif isinstance(value, np.generic):
        yield f"{value.dtype.str} {value.tolist()!r}".encode()
    elif isinstance(value, np.ndarray):
        yield from _array_parts(value, where)
    elif isinstance(value, (list, tuple)):
        yield f"{kind} {len(value)}".encode()
        for number, item in enumerate(value):
            yield from _parts(item, f"{where}[{number}]")
    elif isinstance(value, dict):
        yield f"{kind} {len(value)}".encode()
        for key in sorted(value, key=repr):
            yield from _parts(key, where)
            yield from _parts(value[key], f"{where}[{key!r}]")
    elif isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)):
        yield _named(value, where)
    elif hasattr(value, "get_params") and hasattr(value, "__dict__"):
        yield kind.encode()
        yield from _parts(_attributes(value), where)
    else:
        raise _unknown(kind, where)


def _array_parts(array: npt.NDArray[Any], where: str) -> Iterator[bytes]:
    yield f"{array.dtype.str} {array.shape}".encode()
    if array.dtype.kind == "O":
        yield from _parts(array.ravel().tolist(), where)
    else:
        yield np.ascontiguousarray(array).tobytes()


def _named(value: Any, where: str) -> bytes:
    """Return the name by which a function or class is imported: two lambdas share theirs."""
    name = (
        f"{getattr(value, '__module__', 'numpy')}.{getattr(value, '__qualname__', value.__name__)}"
    )
    if "<" in name or name.startswith("__main__."):
        raise _unknown(f"the function {name}", where)
    return name.encode()


def _attributes(step: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(step).items()
        if name not in _WITHOUT_EFFECT and not name.startswith("_sklearn")
    }


def _unknown(kind: str, where: str) -> ParameterError:
    return ParameterError(
        f"encoder: no fingerprint can be taken of {kind} in the step {where}, so that nothing "
        "would tell these codes from others: transform by the steps before, and give the last"
    )
