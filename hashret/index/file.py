"""The file of an index, or its bytes: written and read. The format is in csrc/FORMAT.md."""

from __future__ import annotations

import errno
import io
import mmap
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .. import _native
from ..errors import DTypeError, EncoderMismatchError, FormatError
from ..files import as_path, replacing
from .schedule import run_aside

__all__ = ["read_bytes", "read_file", "to_bytes", "write_file"]

ALIGNMENT = 64
HINT = "; to_bytes and from_bytes do without a file"
# An index, and the fingerprint of the encoder that made its codes.
Contents = tuple[_native.NativeIndex, str | None]


def write_file(
    path: str | os.PathLike[str] | BinaryIO, native: _native.NativeIndex, encoder: str | None
) -> None:
    """Write an index to a file, complete or not at all, or to what is open for writing."""
    if not isinstance(path, (str, os.PathLike)) and hasattr(path, "write"):
        _write_all(path, to_bytes(native, encoder))
        return
    with replacing(as_path(path, HINT)) as file:
        _write(native, encoder, file.write)


def to_bytes(native: _native.NativeIndex, encoder: str | None) -> bytes:
    """Return what :func:`write_file` writes."""
    file = io.BytesIO()
    _write(native, encoder, file.write)
    return file.getvalue()


def _write(
    native: _native.NativeIndex, encoder: str | None, write: Callable[[memoryview], object]
) -> None:
    """Write the file's pieces, after sorting and merging what is new, which can take long."""
    cancel = _native.Cancel()
    fingerprint = (encoder or "").encode("ascii")
    run_aside(partial(native.write, fingerprint, write, cancel), len(native), cancel)


def _write_all(file: BinaryIO, data: bytes) -> None:
    if isinstance(file, io.TextIOBase):
        raise DTypeError("path: expected a file that takes bytes, got one that takes text")
    rest = memoryview(data)
    while rest:
        taken = file.write(rest)
        if isinstance(file, io.RawIOBase) and not taken:
            raise BlockingIOError(errno.EAGAIN, "the file takes no more bytes now")
        # A raw file says how much of it it took; others take all, and some say nothing.
        rest = rest[taken or len(rest) :]


def read_file(path: str | os.PathLike[str], mapped: bool, encoder: str | None) -> Contents:
    """Read an index from a file, or map it; `encoder` is the fingerprint it must have."""
    name = as_path(path, HINT)
    with _open(name) as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise FormatError(f"{name}: the file is empty")
        source = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # The map is opened first: it refuses what is no index before it is read.
    contents = _read(name, source, encoder, verify=False)
    return contents if mapped else _read(name, _aligned_copy(source), encoder, verify=True)


def read_bytes(data: object, encoder: str | None) -> Contents:
    """Read an index from a copy of bytes; `encoder` is the fingerprint it must have."""
    return _read("data", _aligned_copy(_as_bytes("data", data)), encoder, verify=True)


def _read(name: str, source: Any, encoder: str | None, verify: bool) -> Contents:
    """Open the aligned bytes of a file, which the index keeps."""
    try:
        native, raw = _native.NativeIndex.open(source, verify)
        fingerprint = raw.decode("ascii") or None
    except (FormatError, UnicodeDecodeError) as error:
        raise FormatError(f"{name}: {error}") from None
    if encoder is not None and fingerprint != encoder:
        raise EncoderMismatchError(
            f"{name}: its codes are of encoder {fingerprint}, expected {encoder}"
        )
    return native, fingerprint


def _open(name: str) -> BinaryIO:
    """Open a file to read that is one: opening a pipe would wait.

    Raises
    ------
    FormatError
        If it is a pipe, a socket or a device.
    """
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise FormatError(
            f"{name}: expected a file, got a pipe, a socket or a device; from_bytes takes what is "
            "read from it"
        )
    return open(name, "rb")


def _as_bytes(name: str, value: object) -> npt.NDArray[np.uint8]:
    """Return the bytes of a bytes-like object, not copied."""
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        view = None
    if view is None or not view.c_contiguous or view.format not in ("B", "b", "c"):
        raise DTypeError(f"{name}: expected bytes, got {type(value).__name__}")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


def _aligned_copy(source: Any) -> npt.NDArray[np.uint8]:
    raw = np.empty(len(source) + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    copy = raw[start : start + len(source)]
    copy[:] = source if isinstance(source, np.ndarray) else np.frombuffer(source, np.uint8)
    return copy
