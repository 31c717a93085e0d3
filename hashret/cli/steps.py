"""How far a command of several steps is: on a terminal, beside what is printed."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

__all__ = ["StepBar"]


class StepBar:
    """A line on standard error while a block runs: the step, and how much of it is done.

    Parameters
    ----------
    wanted : bool
        It is shown only on a terminal, all the same.
    """

    def __init__(self, wanted: bool) -> None:
        self._bar: Any = None
        self._wanted = wanted and sys.stderr.isatty()
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._wanted:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: str, done: int, total: int) -> None:
        """Show how much of a step is done."""
        if self._bar is None:
            return
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, total=total)
        self._bar.update(self._tasks[step], completed=done, total=total)
