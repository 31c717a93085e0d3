"""The card of an encoder: what it was made from and how, and how well it did."""

from __future__ import annotations

import platform
from dataclasses import fields

import numpy as np
import torch

from ..saving.checkpoint import Run
from ..saving.storage import Card
from .examples import Examples
from .settings import Hyperparameters, Settings
from .validation import PROTOCOL

__all__ = ["make_card"]


def make_card(run: Run, settings: Settings, examples: Examples, device: str) -> Card:
    """Return a card; equal trainings give equal cards, so that it has no date and no time.

    Parameters
    ----------
    device : str
        Type of the device that trained.
    """
    from ... import __version__

    scores: Card = {}
    held_out = 0 if examples.held_out is None else len(examples.held_out)
    if held_out:
        best = run.best_epoch()
        score = run.history[best - 1]["validation_map"]
        scores["validation"] = {"map": score, "epoch": best, "protocol": PROTOCOL}
    training = {field.name: getattr(settings, field.name) for field in fields(Hyperparameters)}
    del training["validation"]  # "data" has the number of images held out
    return {
        "data": {
            "images": len(examples),
            "held_out": held_out,
            "classes": len(examples.classes),
        },
        "training": training
        | {
            "precision": "bfloat16" if settings.bfloat16 else "float32",
            "random_state": settings.seed,
            "epochs_done": run.epochs_done,
            "device": device,
        },
        "scores": scores,
        "versions": {
            "hashret": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
