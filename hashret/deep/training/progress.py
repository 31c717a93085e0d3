"""Telling how a training is getting on."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Progress", "Report", "reporter"]


@dataclass(frozen=True)
class Progress:
    """Where a training stands after a step.

    Attributes
    ----------
    epoch, epochs, step, steps : int
        Both counted from 1; `steps` is the number of steps in an epoch.
    loss : float
        Of this step's batch.
    bit_balance : float
        1 if every bit is set in half of the batch, 0 if every bit is constant.
    seconds_left : float
        Estimated from the steps of this run.
    validation_map : float or None
        Mean average precision on the held-out images after the last epoch that is done.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    bit_balance: float
    seconds_left: float
    validation_map: float | None = None


Report = Callable[[Progress], None]


@contextmanager
def reporter(progress: Report | str | None) -> Iterator[Report]:
    """Yield the function to call after every step.

    Parameters
    ----------
    progress : callable, "auto" or None
        "auto" draws a bar on the standard error if that is a terminal and rich
        is installed. None is quiet.
    """
    if callable(progress):
        yield progress
    elif progress == "auto" and sys.stderr.isatty() and importlib.util.find_spec("rich"):
        with _bar() as report:
            yield report
    else:
        yield lambda _: None


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns: list[Any] = [
        TextColumn("training"),
        BarColumn(),
        TextColumn("epoch {task.fields[epoch]}  loss {task.fields[loss]:.3f}"),
        TextColumn("bit balance {task.fields[balance]:.2f}{task.fields[score]}"),
        TextColumn("{task.fields[left]} left"),
    ]
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, epoch="-", loss=0.0, balance=0.0, score="", left="?")

        def report(now: Progress) -> None:
            minutes, seconds = divmod(round(now.seconds_left), 60)
            score = now.validation_map
            bar.update(
                task,
                total=now.epochs * now.steps,
                completed=(now.epoch - 1) * now.steps + now.step,
                epoch=f"{now.epoch}/{now.epochs}",
                loss=now.loss,
                balance=now.bit_balance,
                score="" if score is None else f"  held-out mAP {score:.3f}",
                left=f"{minutes}:{seconds:02d}",
            )

        yield report
