"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TrainingError
from ..losses import Loss
from ..model.copying import copied
from ..model.devices import sent
from ..model.hash_model import HashModel
from ..saving.checkpoint import Journal, Row, Run
from ..saving.storage import digest
from .augment import augment
from .examples import Examples
from .progress import Progress, Report
from .settings import Settings
from .validation import HeldOut

__all__ = ["one_cycle", "train"]


def train(
    model: HashModel,
    loss: Loss,
    examples: Examples,
    settings: Settings,
    report: Report,
    checkpoint: Path | None = None,
    log: Path | None = None,
) -> Run:
    """Train `model` and `loss` in place, on the device where they are.

    Parameters
    ----------
    examples : Examples
        If some are held out, the best epoch's weights are kept, and patience counts from it.
    report : callable
        Is called with the :class:`~hashret.deep.Progress` after every step.
    checkpoint : Path, optional
        A file written after every epoch. If it exists, training goes on from it and
        ends with the very weights that an uninterrupted run has.
    log : Path, optional
        A file that gets a line of JSON after every epoch.

    Returns
    -------
    run : Run
        Whose :meth:`~hashret.deep.saving.checkpoint.Run.finish` gives the model to encode with.

    Raises
    ------
    TrainingError
        If an output, the loss or a weight becomes NaN or infinite; the checkpoint stays as
        it was after the last good epoch.
    ParameterError
        If the checkpoint was made with other data, settings or networks.
    """
    device = next(model.parameters()).device
    identity = _identity(examples, settings, loss, model)
    inputs, targets = examples.inputs, loss.prepare(examples.targets)
    average = copied(model, "network") if settings.ema else None
    scored = examples.held_out is not None
    run = Run(model, loss, _optimizer(model, loss, settings), average, identity, scored=scored)
    run.begin(checkpoint)
    journal = Journal(log, run.history)

    # A last, smaller batch would weigh its images more, and batch normalisation fails on one.
    steps = max(1, len(inputs) // settings.batch_size)
    model.train()
    loss.train()
    first, began = run.epochs_done, time.monotonic()
    while run.epochs_done < settings.epochs and not run.stalled(settings.patience):
        epoch, started = run.epochs_done, time.monotonic()
        loss.start_epoch(epoch / settings.epochs)
        order = loss.epoch_order(targets)
        seen: list[tuple[float, float]] = []
        for step in range(steps):
            done = epoch * steps + step
            rate = settings.learning_rate * one_cycle(done / (settings.epochs * steps))
            for group in run.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            loss.start_step(done)

            rows = order[step * settings.batch_size :][: settings.batch_size].repeat(loss.views)
            strong = len(rows) // loss.views * loss.strong_views
            batch, wanted, numbers = sent(device, inputs[rows], targets[rows], rows)
            views = augment(batch, settings.flip, settings.shift, strong, settings.cutout)
            with _precision(device, settings.bfloat16):
                outputs = model(views)
            # Distances of pairs cancel: the loss is always computed in float32.
            outputs = outputs.float()
            value = loss(outputs, wanted, rows=numbers)
            run.optimizer.zero_grad(set_to_none=True)
            value.backward()
            where = f"epoch {epoch + 1}, step {step + 1} of {steps}"
            seen.append(_read(value, outputs.detach(), loss, where))
            run.optimizer.step()
            if average is not None and settings.ema:
                _update_average(average, model, settings.ema, done)

            if step + 1 == steps:
                run.check()
                run.close_epoch(_row(run, seen, rate, started, examples.held_out))
            spent = time.monotonic() - began
            share = (done + 1 - first * steps) / ((settings.epochs - first) * steps)
            report(
                Progress(
                    epoch=epoch + 1,
                    epochs=settings.epochs,
                    step=step + 1,
                    steps=steps,
                    loss=seen[-1][0],
                    bit_balance=seen[-1][1],
                    seconds_left=spent / share - spent,
                    validation_map=run.history[-1].get("validation_map") if run.history else None,
                )
            )
        if checkpoint:
            run.write(checkpoint)
        journal.add(run.history[-1])
    return run


def _optimizer(model: HashModel, loss: Loss, settings: Settings) -> torch.optim.Optimizer:
    head = [*model.head.parameters(), *loss.parameters()]
    return torch.optim.AdamW(
        [
            {"params": [*model.network.parameters()], "share": 1.0},
            {"params": head, "share": settings.head_rate},
        ],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _read(value: Tensor, outputs: Tensor, loss: Loss, where: str) -> tuple[float, float]:
    """Return the loss and the balance of the bits, or raise if they tell of NaN or infinity.

    All in one reading, as each waits for a GPU.
    """
    imbalance = _bit_imbalance(loss.margins(outputs))
    found, total, constant = torch.stack([value.detach(), outputs.sum(), imbalance]).tolist()
    if not math.isfinite(found):
        raise TrainingError(f"loss: {found} in {where}; a smaller learning rate may help")
    if not math.isfinite(total):
        raise TrainingError(f"outputs: NaN or infinity in {where}; is the network finite?")
    return found, 1 - constant


def _row(
    run: Run,
    seen: list[tuple[float, float]],
    rate: float,
    started: float,
    held_out: HeldOut | None,
) -> Row:
    """Return what is known of an epoch: means over its steps, the last rate, the score."""
    losses, balances = zip(*seen, strict=True)
    row = {
        "epoch": run.epochs_done + 1,
        "loss": math.fsum(losses) / len(seen),
        "bit_balance": math.fsum(balances) / len(seen),
        "learning_rate": rate,
    }
    if held_out is not None:
        row["validation_map"] = held_out.score(run.kept, run.loss)
    return row | {"seconds": round(time.monotonic() - started, 3)}


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
def _update_average(average: nn.Module, model: nn.Module, decay: float, done: int) -> None:
    """Move `average` towards `model`; early on faster, so that it forgets the first weights."""
    share = 1 - min(decay, (1 + done) / (10 + done))
    # parameters() gives a weight once, though it may have several names.
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, share)
    for kept, value in zip(average.buffers(), model.buffers(), strict=True):
        if kept.is_floating_point():
            # lerp makes NaN of two equal infinities.
            value = torch.where(kept == value, value, kept.lerp(value, share))
        kept.copy_(value)


def _bit_imbalance(margins: Tensor) -> Tensor:
    """Return 0 if every bit is set in half of the rows, 1 if every bit is constant."""
    ones = (margins > 0).float().mean(0)
    return (2 * ones - 1).abs().mean()


def _identity(examples: Examples, settings: Settings, loss: Loss, model: HashModel) -> str:
    """Return a digest of all that decides the result, taken before the first step."""
    held_out = examples.held_out
    held = [] if held_out is None else [held_out.inputs, held_out.targets]
    data = [examples.inputs, examples.targets, *held]
    views = [model.mirror, model.nudge]
    weights = model.state_dict().values()
    return digest(*data, asdict(settings), views, loss.name, loss.options(), *weights)
