"""How far a command is: on a terminal, beside what is printed; elsewhere nothing."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from ..collection.updating import Report

__all__ = ["Progress"]


class Progress:
    """A line on standard error while a block runs: what is done, how fast, and the time left.

    Parameters
    ----------
    wanted : bool
        It is shown only on a terminal, all the same.
    first : str
        What is done until there is more to tell.
    """

    def __init__(self, wanted: bool, first: str = "Looking for files") -> None:
        self._bar: Any = None
        self._first = first
        self._wanted = wanted and sys.stderr.isatty()
        self._task: Any = None
        self._step = ""
        self._since = 0.0

    def __enter__(self) -> Self:
        if self._wanted:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self._first, total=None, words="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, report: Report) -> None:
        """Show how far an update is."""
        if self._bar is None:
            return
        if not report.to_read:
            words = f"{report.found:,}" + (f", {report.hashed:,} hashed" if report.hashed else "")
            self._bar.update(self._task, words=words)
            return
        self.step("Reading images", report.read, report.to_read)

    def step(self, name: str, done: int, total: int) -> None:
        """Show how much of a step is done, how fast, and how long the rest takes."""
        if self._bar is None:
            return
        now = time.monotonic()
        if name != self._step:
            self._step, self._since = name, now
            self._bar.reset(self._task, description=name, total=total, words="")
        rate = done / (now - self._since) if done and now > self._since else 0.0
        words = f"{done:,} of {total:,}" + (f", {rate:,.0f}/s" if rate >= 1 else "")
        self._bar.update(self._task, completed=done, total=total, words=words)

    def sample(self, done: int, most: int) -> None:
        """Show how far the sample is read to which an encoder is fitted."""
        if self._bar is not None:
            words = f"{done:,} of {most:,} at most"
            self._bar.update(self._task, description="Fitting to a sample", words=words)

    def count(self, name: str, done: int) -> None:
        """Show how many are done of what has no known total."""
        if self._bar is not None:
            self._bar.update(self._task, description=name, words=f"{done:,}")


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[words]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
        # Twice a second, by a thread of its own.
        refresh_per_second=2,
    )
