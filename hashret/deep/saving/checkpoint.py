"""The state of a training: what a checkpoint holds, and what was best so far."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import FormatError, ParameterError, TrainingError
from ...files import write_text
from ..losses import Loss
from ..model.hash_model import HashModel
from .states import check_round_trip, collect, restore, snapshot, under
from .storage import check_storable, read_tensors, write_tensors

__all__ = ["Journal", "Row", "Run"]

Row = dict[str, Any]
"""What is known of an epoch; see :attr:`~hashret.deep.hasher.DeepHasher.history_`."""


@dataclass
class Run:
    """All that the next epoch depends on.

    Attributes
    ----------
    average : HashModel or None
        Moving average of the model's weights.
    identity : str
        Digest of all that decides the result, taken before the first step.
    history : list of dict
        A row for every epoch that is done.
    best : dict of Tensor
        State of model and loss after the epoch with the best score; empty without scores.
    scored : bool
        Whether each epoch has a score.
    unbounded : set of str
        Names of what held NaN or infinity before the first step, such as a mask of -inf.
    """

    model: HashModel
    loss: Loss
    optimizer: torch.optim.Optimizer
    average: HashModel | None
    identity: str
    history: list[Row] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    scored: bool = False
    unbounded: set[str] = field(default_factory=set)

    @property
    def epochs_done(self) -> int:
        """Number of epochs that are done."""
        return len(self.history)

    @property
    def kept(self) -> HashModel:
        """The model that encodes: the moving average if there is one."""
        return self.model if self.average is None else self.average

    def modules(self) -> dict[str, nn.Module]:
        """Return what has weights, by name."""
        found = {"model": self.model, "loss": self.loss, "average": self.average}
        return {name: module for name, module in found.items() if module is not None}

    def begin(self, checkpoint: Path | None) -> None:
        """Try all that is needed after training, and go on from a checkpoint if there is one."""
        check_round_trip(self.loss, "loss")
        self.unbounded = {name for name, value in self._states() if not _is_finite(value)}
        if checkpoint is None:
            return
        for name, value in snapshot(self.modules()).items():
            check_storable(value, f"checkpoint: {name}")
        if checkpoint.exists():
            self.restore(checkpoint)

    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _states(self) -> Iterable[tuple[str, Tensor]]:
        return collect(self.modules()).items()

    def check(self) -> None:
        """Raise if a weight became NaN or infinite, so that no checkpoint holds one."""
        for name, value in self._states():
            if name not in self.unbounded and not _is_finite(value):
                raise TrainingError(
                    f"weights: NaN or infinity in {name} after epoch {self.epochs_done + 1}"
                )

    def best_epoch(self) -> int:
        """Return the first epoch, from 1, with the best score; without scores the last one."""
        scores = [row["validation_map"] for row in self.history if "validation_map" in row]
        return 1 + scores.index(max(scores)) if scores else self.epochs_done

    def close_epoch(self, row: Row) -> None:
        """Enter an epoch's row, and keep its weights if its score is the best."""
        self.history.append(row)
        if "validation_map" in row and self.best_epoch() == self.epochs_done:
            self.best = {name: value.clone() for name, value in snapshot(self._encoding()).items()}

    def _encoding(self) -> dict[str, nn.Module]:
        return {"model": self.kept, "loss": self.loss}

    def stalled(self, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought no better score; None never stops."""
        return patience is not None and self.epochs_done - self.best_epoch() >= patience

    def finish(self) -> HashModel:
        """Return the model that encodes, with the best weights where there were scores."""
        if self.best:
            restore(self._encoding(), self.best)
        return self.kept

    def write(self, path: Path) -> None:
        """Write a checkpoint."""
        tensors = {"rng.cpu": torch.get_rng_state(), **snapshot(self.modules())}
        device = self._device()
        if device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
        tensors |= {f"best.{key}": value for key, value in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
        header = {"kind": "checkpoint", "identity": self.identity, "history": self.history}
        write_tensors(path, tensors, header)

    def restore(self, path: Path) -> None:
        """Make everything as it was when the checkpoint was written."""
        tensors, header = read_tensors(path, "checkpoint")
        if header.get("identity") != self.identity:
            raise ParameterError(
                f"checkpoint: {path} was made with other images, targets, settings or network; "
                "remove it, or name another file"
            )
        try:
            restore(self.modules(), tensors)
            self._restore_optimizer(under(tensors, "optimizer"))
            device = self._device()
            self.best = {k: v.to(device) for k, v in under(tensors, "best").items()}
            self.history = _rows(header["history"], self.scored)
            torch.set_rng_state(tensors["rng.cpu"])
            if device.type == "cuda":
                torch.cuda.set_rng_state(tensors["rng.cuda"], device)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise FormatError(f"{path}: an incomplete checkpoint: {error}") from error

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        groups = self.optimizer.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            number, name = key.split(".")
            like = parameters[int(number)]
            # The fused step reads raw memory: moments must be laid out as their weights.
            if value.shape == like.shape:
                value = torch.empty_like(like, requires_grad=False).copy_(value)
            states.setdefault(int(number), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})


def _rows(saved: Any, scored: bool) -> list[Row]:
    """Return the rows of a file, or raise unless each has the numbers that are needed."""
    needed = {"epoch", "validation_map"} if scored else {"epoch"}
    for number, row in enumerate(saved, 1):
        if not needed <= row.keys() or not all(map(_is_number, row.values())):
            raise ValueError(f"history: no row of numbers for epoch {number}")
    return list(saved)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53)


def _is_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())


class Journal:
    """A file with one line of JSON for every epoch, or nothing at all.

    Rows that a resumed training brings along are written again, so that a line which the
    end of a process cut short, or one that is ahead of the checkpoint, does no harm.
    """

    def __init__(self, path: Path | None, rows: list[Row]) -> None:
        self._path = path
        if path is not None:
            write_text(path, "".join(map(_line, rows)))

    def add(self, row: Row) -> None:
        """Append the row of an epoch."""
        if self._path is not None:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(_line(row))


def _line(row: Row) -> str:
    return json.dumps(row) + "\n"
