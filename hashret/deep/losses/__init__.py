"""Losses that teach a network to hash: one small class a file.

To add one, write a file with a subclass of :class:`Loss` decorated with
``@register("name")`` and import it here.
"""

from __future__ import annotations

from .balanced import Balanced
from .base import Loss, loss_names, make_loss, register
from .bgan import BGAN
from .bihalf import BiHalf
from .cibhash import CIBHash
from .classifier import Classifier
from .cnnh import CNNH
from .csq import CSQ
from .dpn import DPN
from .dpsh import DPSH
from .dsh import DSH
from .greedyhash import GreedyHash
from .greedyhash_unsupervised import GreedyHashUnsupervised
from .hashnet import HashNet
from .orthohash import OrthoHash
from .pruned import Pruned
from .regularised import Regularised
from .self_distilled import SelfDistilled
from .semi_supervised import SemiSupervised

__all__ = [
    "BGAN",
    "CNNH",
    "CSQ",
    "DPN",
    "DPSH",
    "DSH",
    "Balanced",
    "BiHalf",
    "CIBHash",
    "Classifier",
    "GreedyHash",
    "GreedyHashUnsupervised",
    "HashNet",
    "Loss",
    "OrthoHash",
    "Pruned",
    "Regularised",
    "SelfDistilled",
    "SemiSupervised",
    "loss_names",
    "make_loss",
    "register",
]
