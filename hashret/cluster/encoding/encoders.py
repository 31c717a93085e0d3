"""An encoder as all machines make it: by its name, or from the bytes of its file."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import Any

from ...collection.encoders import is_file, new_encoder
from ...errors import EncoderMismatchError, ParameterError

__all__ = ["EncoderSource"]


@dataclass(frozen=True)
class EncoderSource:
    """What makes an encoder.

    Attributes
    ----------
    name : str
        A name, or that of its file.
    data : bytes or None
        The bytes of the file.
    """

    name: str
    data: bytes | None = None

    @classmethod
    def of(cls, given: str) -> EncoderSource:
        """Return the source of an encoder by its name, or the path of its file."""
        if not is_file(given) or not os.path.isfile(given):
            return cls(given)
        with open(given, "rb") as file:
            return cls(os.path.basename(given), file.read())

    def make(self, fingerprint: str | None = None) -> Any:
        """Return the encoder, made once in a process.

        Raises
        ------
        ParameterError
            If it is one that would have to be fitted first, or there is none.
        EncoderMismatchError
            If it has another fingerprint: this machine has another version of what it needs.
        """
        encoder = _made(self)
        if fingerprint is not None and encoder.fingerprint != fingerprint:
            raise EncoderMismatchError(
                f"encoder {self.name}: is {encoder.fingerprint} here, expected {fingerprint}"
            )
        return encoder


@functools.cache
def _made(source: EncoderSource) -> Any:
    # An encoder of a file keeps a copy in a store; this one goes with the process.
    store = tempfile.mkdtemp(prefix="hashret-")
    atexit.register(shutil.rmtree, store, ignore_errors=True)
    given = source.name
    if source.data is not None:
        given = os.path.join(store, source.name)
        with open(given, "wb") as file:
            file.write(source.data)
    encoder = new_encoder(given, store)
    if not hasattr(encoder, "fingerprint"):
        raise ParameterError(
            f"encoder: {source.name} would have to be fitted to pictures first; give perceptual, "
            "borderless, or the file of an encoder that was fitted or trained"
        )
    return encoder
