"""Networks of the user's choice, as ONNX files: of images alone, or of images and texts.

What an image must be like is read from the model: the type, shape and order of its input, and, as
JSON in its properties, where they are there,

- ``hashret.size``: side of the square, if the shape leaves it open; 224 by default
- ``hashret.mean``, ``hashret.std``: three numbers each, of values from 0 to 1; those of ImageNet
  by default. Integer inputs take the pixels as they are
- ``hashret.crop``: whether the middle is cut out of the scaled image, rather than all of it
  squeezed into the square; false by default
- ``hashret.signs``: whether the outputs are margins, whose signs are the code; if not, they are
  features, and a code is fitted to a sample of the collection. Of a model that `DeepHasher`
  exported, the codes are taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...extras import import_extra
from ...features.runner import Runner
from ...types import Codes, Images
from .features import SIDE, Vectors, squared
from .files import kept

__all__ = ["ImageModel", "OnnxFeatures", "OnnxSigns", "TextModel", "model_of"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


class ImageModel:
    """A model that takes one image.

    Parameters
    ----------
    path : str

    Raises
    ------
    FormatError
        If it takes something else, or is no model.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._runner = Runner(path)
        session = self._runner.session
        self.properties = _properties(session)
        shape = _input(session, path).shape
        if len(shape) != 4 or 3 not in (shape[1], shape[3]):
            raise FormatError(
                f"{path}: expected an input of images, (n, 3, height, width) or "
                f"(n, height, width, 3), got {shape}"
            )
        self._input, self._dtype = _input(session, path).name, _type(session, path)
        self._first = shape[1] == 3
        self._size = self._side(shape[2:] if self._first else shape[1:3])
        self.outputs = {each.name: each for each in session.get_outputs()}

    def run(self, pictures: Sequence[Images], output: str) -> npt.NDArray[Any]:
        """Return an output for each picture, one row each, as the model types it."""
        rows = self._runner.run(self._inputs(pictures), output)
        return np.concatenate([row.reshape(1, -1) for row in rows])

    def vectors(self, output: str) -> int:
        """Return the length of an output, by trying; raise if it is not one row of numbers."""
        row = self.run([np.zeros((8, 8, 3), np.uint8)], output)
        if row.dtype.kind not in "fui" or not np.isfinite(row).all():
            raise FormatError(f"{self._path}: expected finite numbers of {output!r}, got {row}")
        return int(row.shape[1])

    def _inputs(self, pictures: Sequence[Images]) -> Iterator[dict[str, npt.NDArray[Any]]]:
        mean, std = (
            np.asarray(self.properties.get(name, given), np.float32)
            for name, given in (("mean", _MEAN), ("std", _STD))
        )
        for picture in pictures:
            whole = _middle(picture) if self.properties.get("crop") else picture
            values: npt.NDArray[Any] = squared(whole, self._size)
            if np.issubdtype(self._dtype, np.floating):
                values = (values / np.float32(255) - mean) / std
            values = values.transpose(2, 0, 1) if self._first else values
            yield {self._input: np.ascontiguousarray(values[None], self._dtype)}

    def _side(self, sides: Sequence[Any]) -> int:
        told = {side for side in sides if isinstance(side, int) and side > 0}
        if len(told) > 1:
            raise FormatError(f"{self._path}: expected square images, got {sides}")
        side = told.pop() if told else self.properties.get("size", 224)
        if not isinstance(side, int) or not 1 <= side <= SIDE:
            raise FormatError(f"{self._path}: expected a size of 1 to {SIDE}, got {side!r}")
        return side


class OnnxFeatures:
    """The outputs of a model, as features.

    Parameters
    ----------
    store : str
    settings : dict
        With the name of the file in the store as ``image``.
    """

    def __init__(self, store: str, settings: dict[str, Any]) -> None:
        self.settings = settings
        self._model = ImageModel(kept(store, settings["image"]))
        self._output = next(iter(self._model.outputs))

    def describe(self, pictures: Sequence[Images], /) -> Vectors:
        """Return vectors (n, d)."""
        return self._model.run(pictures, self._output).astype(np.float32)


class OnnxSigns:
    """A model whose outputs are codes, or margins whose signs are.

    Parameters
    ----------
    name : str
    store : str
    settings : dict
        With the name of the file in the store as ``image``.
    """

    side = SIDE
    code_of = None

    def __init__(self, name: str, store: str, settings: dict[str, Any]) -> None:
        self.name, self.settings = name, settings
        self.fingerprint: str = settings["image"].partition(".")[0]
        self._model = ImageModel(kept(store, settings["image"]))
        outputs = [*self._model.outputs]
        self._packed = "bits" in self._model.properties and "codes" in outputs
        self._output = "codes" if self._packed else outputs[0]
        length = self._model.vectors(self._output)
        self.bits: int = self._model.properties["bits"] if self._packed else length

    def encode(self, pictures: Sequence[Images], /) -> tuple[Codes, None]:
        """Return codes (n, bytes)."""
        rows = self._model.run(pictures, self._output)
        return (rows if self._packed else np.packbits(rows > 0, axis=1)), None


class TextModel:
    """A model that takes a text as the numbers of its tokens.

    Parameters
    ----------
    model, tokenizer : str
        Paths.
    """

    def __init__(self, model: str, tokenizer: str) -> None:
        tokens: Any = import_extra("tokenizers", "text")
        self._runner = Runner(model)
        try:
            self._tokenizer = tokens.Tokenizer.from_file(tokenizer)
        except Exception as error:  # the package raises nothing narrower
            raise FormatError(f"{tokenizer}: no tokenizer: {error}") from error
        session = self._runner.session
        length = _input(session, model).shape[-1]
        if isinstance(length, int):
            self._tokenizer.enable_truncation(length)
            padding = self._tokenizer.padding or {}
            self._tokenizer.enable_padding(**padding | {"length": length})
        self._inputs = {each.name: _TYPES[each.type] for each in session.get_inputs()}
        self._output = session.get_outputs()[0].name

    def describe(self, text: str) -> Vectors:
        """Return the vector of a text, shape (1, d)."""
        found = self._tokenizer.encode(text)
        given = {
            name: np.array([found.attention_mask if "mask" in name else found.ids], dtype)
            for name, dtype in self._inputs.items()
        }
        (row,) = self._runner.run([given], self._output)
        vectors: Vectors = row.reshape(1, -1).astype(np.float32)
        return vectors


def model_of(path: str) -> tuple[str, dict[str, Any]]:
    """Return whether a model takes ``"images"`` or ``"texts"``, and its properties."""
    session = Runner(path).session
    kind = "images" if len(_input(session, path).shape) == 4 else "texts"
    return kind, _properties(session)


def _input(session: Any, path: str) -> Any:
    inputs = session.get_inputs()
    if not inputs or not session.get_outputs():
        raise FormatError(f"{path}: a model without inputs or outputs")
    return inputs[0]


def _type(session: Any, path: str) -> Any:
    kind = _input(session, path).type
    if kind not in _TYPES:
        raise FormatError(f"{path}: expected images of uint8 or float, got {kind}")
    return _TYPES[kind]


def _properties(session: Any) -> dict[str, Any]:
    texts = session.get_modelmeta().custom_metadata_map
    found = {}
    for key, text in texts.items():
        if key.startswith("hashret."):
            try:
                found[key.removeprefix("hashret.")] = json.loads(text)
            except ValueError as error:
                raise FormatError(f"{key}: expected JSON, got {text!r}") from error
    return found


def _middle(picture: Images) -> Images:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
