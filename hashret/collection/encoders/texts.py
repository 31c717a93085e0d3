"""From a text to a code among those of images."""

from __future__ import annotations

from ...errors import ParameterError
from ...types import Codes
from ..catalogue import EncoderRow
from .files import kept
from .fitted import fitted_of
from .onnx_file import OnnxFeatures, TextModel

__all__ = ["TextEncoder", "takes_text"]


def takes_text(row: EncoderRow) -> bool:
    """Return whether texts can be searched for among the codes of an encoder."""
    return "text" in row.settings.get("features", ())


class TextEncoder:
    """The half of a pair of models that takes texts.

    Parameters
    ----------
    row : EncoderRow
    store : str

    Raises
    ------
    ParameterError
        If the encoder knows no texts.
    """

    def __init__(self, row: EncoderRow, store: str) -> None:
        if not takes_text(row):
            raise ParameterError(
                f"encoder {row.name!r}: knows images only, and no texts; index with a pair of "
                "models, --encoder FOLDER"
            )
        settings = row.settings["features"]
        self._fitted = fitted_of(row, lambda: OnnxFeatures(store, settings), store)
        self._model = TextModel(kept(store, settings["text"]), kept(store, settings["tokenizer"]))

    def encode_text(self, text: str) -> Codes:
        """Return the code of a text, shape (bytes,)."""
        code: Codes = self._fitted.quantizer.transform(self._model.describe(text))[0]
        return code
