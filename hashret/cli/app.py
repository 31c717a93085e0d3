"""The command itself: its options, and how an error, Ctrl-C or a closed pipe ends it."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Annotated, Any, ClassVar, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from ..errors import HashretError, ParameterError
from .output import discard, note, shown

__all__ = ["Commands", "Exit", "app"]


class Exit(IntEnum):
    """How a command ends."""

    FINE = 0
    FAILURE = 1
    USAGE = 2
    # Finished, but something was skipped, or is missing.
    SKIPPED = 3
    INTERRUPTED = 130


_HELP = """Find similar images, and copies of the same one, in folders of photographs.

\b
Begin with:
  cd photos
  hashret index
  hashret search cat.jpg
  hashret dedup --html copies.html

Exit codes: 0 fine, 1 failure, 2 wrong usage, 3 finished with files skipped or missing,
130 interrupted."""


class _Modules(Mapping[str, Any]):
    """Commands by name, each made when it is first asked for.

    A module has the command as a function of its own name, or several of them as ``group``.
    """

    def __init__(self, modules: dict[str, str]) -> None:
        self._modules = modules
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name, self._modules[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    @staticmethod
    def _make(name: str, file: str) -> Any:
        module = importlib.import_module(f".{file}", __package__)
        if hasattr(module, "group"):
            return get_group(module.group)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(getattr(module, file))
        return get_command(alone)


class Commands(TyperGroup):
    """A group of commands that tells an error in one line."""

    modules: ClassVar[dict[str, str]] = {}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = cast("Any", _Modules(self.modules))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, its examples on lines that follow each other."""
        command = super().get_command(ctx, cmd_name)
        told = "" if command is None else command.help or ""
        before, mark, examples = told.partition("\nExamples:\n\n")
        if command is not None and mark:
            # The backspace keeps the lines of a paragraph as they are.
            command.help = f"{before}\n\b\nExamples:\n" + examples.replace("\n\n", "\n")
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands, each with the whole first sentence of its help."""
        rows = [
            (name, self.get_command(ctx, name).get_short_help_str(limit=200))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run; turn an error that has a cause outside, and Ctrl-C, into a line and an exit code."""
        # Names of files that the terminal's encoding lacks.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except KeyboardInterrupt as interrupt:
            _complain(": ".join(["interrupted", *map(str, interrupt.args)]))
            # If Ctrl-C fell into some package's exec of a string, CPython would still end by the
            # signal instead of the exit code; an exec that finishes clears that.
            exec("")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            # Who reads has enough, as in `| head`.
            discard(sys.stdout)
            raise typer.Exit(Exit.FINE) from None
        except ParameterError as error:
            _complain(str(error))
            raise typer.Exit(Exit.USAGE) from None
        except _causes() as error:
            _complain(str(error) + _advice(error))
            raise typer.Exit(Exit.FAILURE) from None


app = typer.Typer(
    cls=Commands,
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _causes() -> tuple[type[Exception], ...]:
    """Return the errors that have a cause outside; those of SQLite only where it was loaded."""
    sqlite = sys.modules.get("sqlite3")
    return (HashretError, OSError, *([] if sqlite is None else [sqlite.Error]))


def _advice(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", "")
    advice = "free some space and run it again: what was done until then is kept"
    if name == "SQLITE_FULL" or getattr(error, "errno", None) == errno.ENOSPC:
        return f"; {advice}"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return "; restore a copy of the store's catalogue.sqlite, or move it away and index anew"
    # So SQLite says it where its log or its shared memory has no space.
    return f"; if the disk is full, {advice}" if name.startswith("SQLITE_IOERR") else ""


def _complain(message: str) -> None:
    note(shown(" ".join(message.split())))


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
    """Options of all commands; their help is that of the app."""
