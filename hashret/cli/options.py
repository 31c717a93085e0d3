"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ParameterError

__all__ = [
    "AsJson",
    "Memory",
    "Pixels",
    "Quiet",
    "RayAddress",
    "Seconds",
    "SkipsOk",
    "Store",
    "Verbose",
    "Workers",
    "limits_of",
]

Store = Annotated[
    Path | None,
    typer.Option(
        envvar="HASHRET_STORE",
        metavar="FOLDER",
        help="Where the collection keeps what it knows; by default the .hashret of the collection "
        "that the current folder lies in.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and data.")]
SkipsOk = Annotated[
    bool,
    typer.Option("--skips-ok", help="End with 0 where it would be 3, as a cron job wants it."),
]
Pixels = Annotated[
    str | None,
    typer.Option("--max-pixels", metavar="N", help="Of one file, such as 200M; 100M by default."),
]
Seconds = Annotated[
    float | None,
    typer.Option("--max-seconds", metavar="S", help="That one file may take; 60 by default."),
]
Memory = Annotated[
    str | None,
    typer.Option("--max-memory", metavar="N", help="That one file may take; 1.5GiB by default."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="A Ray cluster: host:port of its head, auto for one that runs here, local to start "
        "one.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Processes that read files; one a CPU by default.")
]


def limits_of(pixels: str | None, seconds: float | None, memory: str | None) -> Any:
    """Return the limits of one file, as the options give them."""
    from ..collection.filters import as_number
    from ..images.reading import Limits

    given: dict[str, Any] = {}
    for name, text in (("pixels", pixels), ("memory", memory)):
        if text is not None:
            number = as_number(text)
            if not number:
                raise ParameterError(f"max-{name}: expected a number such as 200M, got {text!r}")
            given[name] = int(number)
    if seconds is not None:
        if not 0 < seconds < 1e6:
            raise ParameterError(f"max-seconds: expected a positive number, got {seconds!r}")
        given["seconds"] = seconds
    return Limits(**given)
