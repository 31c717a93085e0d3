"""Showing how an experiment is getting on: a bar while a step lasts, a line when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ..extras import import_extra

__all__ = ["Advance", "Steps"]


class Advance(Protocol):
    """Called with what is done, the total, and a few words."""

    def __call__(self, done: int, total: int, words: str = "") -> None: ...


class Steps:
    """Reports steps on a rich console.

    Parameters
    ----------
    console : rich.console.Console, optional
        None is quiet.

    Examples
    --------
    >>> with Steps().step("Training") as advance:
    ...     advance(1, 10, "loss 0.5")
    """

    def __init__(self, console: Any = None) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Print a line."""
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False)

    @contextmanager
    def step(self, name: str) -> Iterator[Advance]:
        """Show a bar while the block runs, and its time when it is done."""
        start = time.perf_counter()
        if self.console is not None and self.console.is_terminal:
            with self._bar(name) as advance:
                yield advance
        else:
            yield lambda done, total, words="": None
        self.say(f"  {name:<64}{time.perf_counter() - start:>8.1f} s")

    @contextmanager
    def _bar(self, name: str) -> Iterator[Advance]:
        progress: Any = import_extra("rich.progress", "cli")
        columns = (
            progress.TextColumn("  {task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[words]}", markup=False),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(name, total=None, words="")
            yield lambda done, total, words="": bar.update(
                task, completed=done, total=total, words=words
            )
