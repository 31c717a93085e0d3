"""Small pictures, a reader of them in this process, and an encoder that counts."""

from __future__ import annotations

import hashlib
import io
import os
import stat

import numpy as np
from PIL import Image

from hashret.images.reading import Read, Skipped


def picture(number: int) -> bytes:
    """Bytes of another picture for every number; all of one size on the disk."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 5, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()


def content_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def code_of(data: bytes) -> bytes:
    """The code that the encoder below makes of a picture."""
    return hashlib.sha256(np.asarray(Image.open(io.BytesIO(data))).tobytes()).digest()


def read(requests):
    """Read pictures one by one, as the workers do it."""
    for token, path in requests:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                assert stat.S_ISREG(status.st_mode)
                data = file.read()
        except OSError as error:
            yield Skipped(token, error.strerror)
            continue
        try:
            image = Image.open(io.BytesIO(data))
            pixels = np.asarray(image.convert("RGB"))
        except Exception:
            yield Skipped(token, "not a readable image", content_of(data))
            continue
        size = status.st_size, status.st_mtime_ns
        yield Read(token, content_of(data), *size, image.format, *image.size, None, pixels)


class Counting:
    """An encoder whose codes are hashes of the pixels, and which counts the images it was given."""

    bits = 256
    side = 64

    def __init__(self, name: str = "one", fingerprint: str = "") -> None:
        self.name = name
        self.fingerprint = fingerprint or f"of {name}"
        self.settings = {"name": name}
        self.count = 0

    def encode(self, pixels):
        self.count += len(pixels)
        codes = [hashlib.sha256(one.tobytes()).digest() for one in pixels]
        return np.array([np.frombuffer(code, np.uint8) for code in codes]), None


class Fitting:
    """An encoder that is to be fitted: the codes that `Counting` would give, and the sample."""

    def __init__(self, name: str = "fitted", sample: int = 4) -> None:
        self.name, self.sample = name, sample
        self.contents: list[bytes] = []
        self.result = Counting(name)

    def describe(self, pictures):
        return self.result.encode(pictures)[0].astype(np.float32)

    def fit(self, contents, vectors, store):
        self.contents = [*contents]
        return self.result, vectors.astype(np.uint8)


def encoders(*names: str) -> list[Counting]:
    return [Counting(name) for name in names or ("one",)]


def encoded(given: list[Counting]) -> int:
    return sum(encoder.count for encoder in given)
