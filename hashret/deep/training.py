"""The training loop, from top to bottom."""

from __future__ import annotations

import copy
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FormatError, ParameterError, TrainingError
from .augment import augment
from .losses import Loss
from .networks import HashModel
from .progress import Progress, Report
from .storage import digest, read_tensors, write_tensors

__all__ = ["Settings", "one_cycle", "train"]


@dataclass(frozen=True)
class Settings:
    """How to train; see :class:`~hashret.deep.hasher.DeepHasher` for the meanings."""

    epochs: int
    batch_size: int
    learning_rate: float
    head_rate: float
    weight_decay: float
    flip: bool
    shift: int
    ema: float | None
    bfloat16: bool
    seed: int


def train(
    model: HashModel,
    loss: Loss,
    images: Tensor,
    targets: Tensor,
    settings: Settings,
    report: Report,
    checkpoint: Path | None = None,
) -> HashModel:
    """Train `model` and `loss` in place, on the device where they are.

    Parameters
    ----------
    model : HashModel
    images : Tensor of uint8, shape (n, height, width, channels)
    targets : Tensor, shape (n, ...)
        What the loss learns from; see :class:`~hashret.deep.losses.Loss`. Both on the CPU.
    checkpoint : Path, optional
        A file written after every epoch. If it exists, training goes on from it and
        ends with the very weights that an uninterrupted run has.

    Returns
    -------
    model : HashModel
        `model`, or the moving average of its weights if the settings ask for one.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite; the step that made it so is not taken.
    ParameterError
        If the checkpoint was made with other data, settings or networks.
    """
    device = next(model.parameters()).device
    identity = _identity(images, targets, settings, loss, model)
    targets = loss.prepare(targets)
    optimizer = torch.optim.AdamW(
        [
            {"params": [*model.network.parameters()], "share": 1.0},
            {
                "params": [*model.head.parameters(), *loss.parameters()],
                "share": settings.head_rate,
            },
        ],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    average = copy.deepcopy(model) if settings.ema else None
    run = _Run(model, loss, optimizer, average, identity)
    first = run.restore(checkpoint) if checkpoint and checkpoint.exists() else 0

    # A last, smaller batch would weigh its images more, and batch normalisation fails on one.
    steps = max(1, len(images) // settings.batch_size)
    model.train()
    loss.train()
    began = time.monotonic()
    for epoch in range(first, settings.epochs):
        order = loss.epoch_order(targets)
        for step in range(steps):
            done = epoch * steps + step
            rate = settings.learning_rate * one_cycle(done / (settings.epochs * steps))
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            loss.start_step(done)

            rows = order[step * settings.batch_size :][: settings.batch_size].repeat(loss.views)
            strong = len(rows) // loss.views * loss.strong_views
            views = augment(images[rows].to(device), settings.flip, settings.shift, strong)
            with _precision(device, settings.bfloat16):
                outputs = model(views)
            # Distances of pairs cancel: the loss is always computed in float32.
            outputs = outputs.float()
            value = loss(outputs, targets[rows].to(device))
            if not math.isfinite(value.item()):
                raise TrainingError(
                    f"loss: {value.item()} in epoch {epoch + 1}, step {step + 1} of {steps}; "
                    f"a smaller learning rate than {settings.learning_rate} may help"
                )
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            if average is not None and settings.ema:
                _follow(average, model, settings.ema, done)

            spent = time.monotonic() - began
            share = (done + 1 - first * steps) / ((settings.epochs - first) * steps)
            report(
                Progress(
                    epoch=epoch + 1,
                    epochs=settings.epochs,
                    step=step + 1,
                    steps=steps,
                    loss=value.item(),
                    bit_balance=_bit_balance(loss.margins(outputs.detach())),
                    seconds_left=spent / share - spent,
                )
            )
        if checkpoint:
            run.write(checkpoint, epoch + 1)
    return model if average is None else average


def one_cycle(done: float, warm_up: float = 0.25) -> float:
    """Return the learning rate as a share of its peak when `done` of the steps are taken.

    Up from 1/25 along a cosine in the first quarter, then down to 0 along another
    (Smith and Topin, arXiv 1708.07120). A function of the step alone, so that a
    resumed run needs no state for it.

    Examples
    --------
    >>> [round(one_cycle(done), 2) for done in (0, 0.25, 0.625, 1)]
    [0.04, 1.0, 0.5, 0.0]
    """
    if done < warm_up:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / warm_up)) / 2
    return (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2


def _precision(device: torch.device, bfloat16: bool) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float, done: int) -> None:
    """Move `average` towards `model`; early on faster, so that it forgets the first weights."""
    share = 1 - min(decay, (1 + done) / (10 + done))
    for mean, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


def _bit_balance(margins: Tensor) -> float:
    ones = (margins > 0).float().mean(0)
    return 1 - (2 * ones - 1).abs().mean().item()


def _identity(
    images: Tensor, targets: Tensor, settings: Settings, loss: Loss, model: nn.Module
) -> str:
    """Return a digest of all that decides the result, taken before the first step."""
    weights = list(model.state_dict().values())
    return digest(images, targets, asdict(settings), loss.name, loss.options(), *weights)


@dataclass
class _Run:
    """The state that a checkpoint holds, beside the epoch."""

    model: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    average: nn.Module | None
    identity: str

    def modules(self) -> dict[str, nn.Module]:
        found = {"model": self.model, "loss": self.loss, "average": self.average}
        return {name: module for name, module in found.items() if module is not None}

    def write(self, path: Path, epoch: int) -> None:
        """Write all that the next epoch depends on."""
        tensors = {"rng.cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        for name, module in self.modules().items():
            tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
        header = {"kind": "checkpoint", "epoch": epoch, "identity": self.identity}
        write_tensors(path, tensors, header)

    def restore(self, path: Path) -> int:
        """Return the number of epochs that are done, everything being as it was then."""
        tensors, header = read_tensors(path, "checkpoint")
        if header.get("identity") != self.identity:
            raise ParameterError(
                f"checkpoint: {path} was made with other images, targets, settings or network; "
                "remove it, or name another file"
            )
        try:
            for name, module in self.modules().items():
                module.load_state_dict(_under(tensors, name))
            self._restore_optimizer(_under(tensors, "optimizer"))
            torch.set_rng_state(tensors["rng.cpu"])
            if "rng.cuda" in tensors and torch.cuda.is_available():
                torch.cuda.set_rng_state(tensors["rng.cuda"])
            return int(header["epoch"])
        except (LookupError, ValueError, RuntimeError) as error:
            raise FormatError(f"{path}: an incomplete checkpoint: {error}") from error

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        groups = self.optimizer.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            number, name = key.split(".")
            like = parameters[int(number)]
            # The fused step walks raw memory: moments must be laid out as their weights.
            if value.shape == like.shape:
                value = torch.empty_like(like, requires_grad=False).copy_(value)
            states.setdefault(int(number), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
