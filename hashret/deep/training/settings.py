"""How to train: as callers say it, and checked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, fields
from typing import Self

import torch

from ...checks import check_choice, check_int, check_number
from ...errors import ParameterError

__all__ = ["Hyperparameters", "Settings"]


@dataclass(kw_only=True, eq=False, repr=False)
class Hyperparameters:
    """The parameters of :class:`~hashret.deep.DeepHasher`, which says what they mean, for training.

    Here alone they are listed: the encoder takes them from here, and so do the checks below, the
    key by which a checkpoint knows its training, and the card.
    """

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 1e-2
    head_rate: float = 1.0
    weight_decay: float = 1e-2
    flip: bool = True
    shift: int = 2
    cutout: int = 0
    ema: float | None = None
    validation: float = 0.0
    patience: int | None = None


@dataclass(kw_only=True, eq=False)
class Settings(Hyperparameters):
    """Those, checked and made plain numbers, and what follows from the device and the seed."""

    bfloat16: bool
    seed: int

    @classmethod
    def of(
        cls,
        given: Hyperparameters,
        precision: str,
        random_state: int | None,
        device: torch.device,
    ) -> Self:
        """Return the settings of a training on a device; without a seed, one drawn for it."""
        check_choice("precision", precision, "auto", "float32", "bfloat16")
        # Older GPUs emulate it, slowly.
        on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return cls(
            bfloat16=precision == "bfloat16" or (precision == "auto" and on_gpu),
            seed=secrets.randbits(63) if random_state is None else random_state,
            **{field.name: getattr(given, field.name) for field in fields(Hyperparameters)},
        )

    def __post_init__(self) -> None:
        """Refuse what no training can be run with, and make numbers of numpy's plain ones."""
        self.epochs = check_int("epochs", self.epochs, 1)
        self.batch_size = check_int("batch_size", self.batch_size, 2)
        self.learning_rate = float(check_number("learning_rate", self.learning_rate, above=0))
        self.head_rate = float(check_number("head_rate", self.head_rate, above=0))
        self.weight_decay = float(check_number("weight_decay", self.weight_decay, least=0))
        self.flip = bool(self.flip)
        self.shift = check_int("shift", self.shift, 0)
        self.cutout = check_int("cutout", self.cutout, 0)
        if self.ema is not None and not 0 < check_number("ema", self.ema) < 1:
            raise ParameterError(f"ema: expected a number between 0 and 1, got {self.ema}")
        self.validation = float(check_number("validation", self.validation))
        if not 0 <= self.validation < 1:
            raise ParameterError(
                f"validation: expected a share of at least 0 and less than 1, got {self.validation}"
            )
        if self.patience is not None:
            self.patience = check_int("patience", self.patience, 1)
            if not self.validation:
                raise ParameterError("patience: needs held-out images, but validation is 0")
        self.seed = check_int("random_state", self.seed, 0)
