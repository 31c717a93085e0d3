"""The command itself: its options, and how an error or Ctrl-C ends it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import HashretError

__all__ = ["app"]


class Commands(TyperGroup):
    """A group of commands that tells an error in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run; exit with 2 on an error that has a cause outside, with 130 on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("interrupted")
            # If Ctrl-C fell into some package's exec of a string, CPython would still end by the
            # signal instead of the exit code; an exec that finishes clears that.
            exec("")
            raise typer.Exit(130) from None
        except (HashretError, OSError) as error:
            _complain(str(error))
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    help="Find similar images by binary hash.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _complain(message: str) -> None:
    typer.echo(f"hashret: {' '.join(message.split())}", err=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"hashret {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Find similar images by binary hash."""
