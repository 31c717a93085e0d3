"""Losses that teach a network to hash: one small class a file.

To add one, write a file with a subclass of :class:`Loss` decorated with
``@register("name")`` and import it here.
"""

from __future__ import annotations

from .base import Loss, loss_names, make_loss, register
from .classifier import Classifier
from .dsh import DSH

__all__ = ["DSH", "Classifier", "Loss", "loss_names", "make_loss", "register"]
