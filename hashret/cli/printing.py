"""What several commands print: steps, tables and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import TrainingError

if TYPE_CHECKING:
    from ..experiments.steps import Steps

__all__ = ["print_table", "raise_failures", "shown_steps"]


def shown_steps() -> Steps:
    """Return steps that are shown beside what is printed, on standard error."""
    from rich.console import Console

    from ..experiments.steps import Steps

    return Steps(Console(stderr=True))


def print_table(title: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    """Print a table, the first column left and the others right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    # In a file or a pipe the table keeps its full width: a wrapped row is hard to read by machine.
    if not console.is_terminal:
        console = Console(width=max(console.width, 200))
    console.print(table)


def raise_failures(failures: tuple[str, ...]) -> None:
    """End the command with an error if runs failed, each said in words."""
    if failures:
        raise TrainingError(f"{len(failures)} runs failed; {'; '.join(failures)}")
