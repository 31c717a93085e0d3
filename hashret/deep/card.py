"""The card of an encoder: what it was made from and how, and how well it did."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..errors import ParameterError
from .checkpoint import Run
from .settings import Settings
from .validation import PROTOCOL

__all__ = ["Card", "as_json", "make_card"]

Card = dict[str, Any]


def make_card(
    run: Run, settings: Settings, images: int, held_out: int, classes: int, device: str
) -> Card:
    """Return a card; equal trainings give equal cards, so that it has no date and no time.

    Parameters
    ----------
    images, held_out : int
        How many images were trained on, and how many scored the epochs.
    classes : int
    device : str
        Type of the device that trained.
    """
    from .. import __version__

    scores: Card = {}
    if held_out:
        best = run.best_epoch()
        score = run.history[best - 1]["validation_map"]
        scores["validation"] = {"map": score, "epoch": best, "protocol": PROTOCOL}
    kept = ["epochs", "batch_size", "learning_rate", "head_rate", "weight_decay"]
    kept += ["flip", "shift", "cutout", "ema", "patience"]
    return {
        "data": {"images": images, "held_out": held_out, "classes": classes},
        "training": {
            **{name: getattr(settings, name) for name in kept},
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


def as_json(card: object) -> Card:
    """Return a copy of a card as it comes back from a file, or raise.

    Raises
    ------
    ParameterError
        If it is no dictionary of what JSON has, or holds NaN.
    """
    if not isinstance(card, Mapping):
        raise ParameterError(f"card: expected a dictionary, got {type(card).__name__}")
    try:
        copied: Card = json.loads(json.dumps(dict(card), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(f"card: expected what JSON can hold: {error}") from error
    return copied
