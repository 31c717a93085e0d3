"""Names of files and lines of JSON as they are printed.

A name is bytes. In JSON it is text, in which what is not UTF-8 is U+FFFD, and beside it then
stand the bytes in base64. For a person, what would move the cursor, colour the screen or
break the line is escaped.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ..errors import HashretError

__all__ = [
    "discard",
    "json_path",
    "many",
    "note",
    "print_json",
    "print_line",
    "print_names",
    "relative",
    "shown",
    "unread_too",
]

# Whether a command is to come to its end although nobody reads what it prints.
_unread_too = False


@contextmanager
def unread_too() -> Iterator[None]:
    """Have a command that changes something come to its end, and say by its exit code to which.

    Otherwise a reader that goes away, as in ``| head``, ends the command where it prints.
    """
    global _unread_too
    before, _unread_too = _unread_too, True
    try:
        yield
    except BrokenPipeError as error:
        # None of what is printed: a pipe that was given as a file.
        raise HashretError(
            "who reads what is written has closed it; what was done until then is kept"
        ) from error
    finally:
        _unread_too = before


def discard(stream: TextIO) -> None:
    """Have what is printed from now on go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def shown(name: str | bytes) -> str:
    """Return a name as a person can read it on a terminal, whatever is in it.

    Examples
    --------
    >>> print(shown(b"two\\nlines \\x1b[31m \\xff caf\\xc3\\xa9"))
    two\\nlines \\x1b[31m \\xff café
    """
    text = os.fsdecode(name)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(one: str) -> str:
    if one.isprintable():
        return one
    if "\udc80" <= one <= "\udcff":
        return f"\\x{ord(one) - 0xDC00:02x}"
    return one.encode("unicode_escape").decode("ascii")


def relative(path: bytes) -> str:
    """Return a path as a person can read it, from the current folder if it lies in it."""
    here = os.path.join(os.getcwdb(), b"")
    return shown(path.removeprefix(here) or path)


def json_path(path: bytes, key: str = "path") -> dict[str, str]:
    """Return a path as JSON has it: the text, and the bytes in base64 if they are not UTF-8.

    Examples
    --------
    >>> json_path(b"a.jpg"), json_path(b"\\xff.jpg")
    ({'path': 'a.jpg'}, {'path': '\ufffd.jpg', 'path_bytes': '/y5qcGc='})
    """
    try:
        return {key: path.decode()}
    except UnicodeDecodeError:
        import base64

        encoded = base64.b64encode(path).decode("ascii")
        return {key: path.decode(errors="replace"), f"{key}_bytes": encoded}


def many(count: int, name: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> many(1, "group"), many(2000, "file")
    ('1 group', '2,000 files')
    """
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def note(words: str, quiet: bool = False) -> None:
    """Tell a person something beside the data: a line on standard error."""
    if quiet:
        return
    try:
        print(f"hashret: {words}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        discard(sys.stderr)


def print_json(value: dict[str, Any]) -> None:
    """Print an object on a line, in ASCII, at once."""
    print_line(json.dumps(_as_utf8(value)))


def _as_utf8(value: Any) -> Any:
    """Return a value in whose texts what stood for bytes that are not UTF-8 is U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _as_utf8(one) for key, one in value.items()}
    return [_as_utf8(one) for one in value] if isinstance(value, list) else value


def print_line(text: str = "") -> None:
    """Print a line to standard output, at once."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        if not _unread_too:
            raise
        discard(sys.stdout)


def print_names(paths: list[bytes], *, zero: bool = False) -> None:
    """Print names as their bytes are, each with a newline or a zero byte behind it.

    On a terminal, where nobody but a person reads them, they are escaped unless they end in zeros.
    """
    if not zero and sys.stdout.isatty():
        for path in paths:
            print_line(shown(path))
        return
    end = b"\0" if zero else b"\n"
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(path + end for path in paths))
    sys.stdout.buffer.flush()
