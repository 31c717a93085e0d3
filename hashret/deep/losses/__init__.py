"""Losses that teach a network to hash: one small class a file.

Map: `base` says what a loss is and what it may decide of a training, `registry` finds one by
name, `labels`, `pairs` and `binarize` hold what several losses share. Above them, none of which
knows the others:

- `supervised`: from labels;
- `unsupervised`: from feature vectors, or from the images alone;
- `wrappers`: what adds something to another loss.

To add one, write a file in one of these with a subclass of :class:`Loss` decorated with
``@register("name")``, and import it here. Files of encoders keep the name and the options.
"""

from __future__ import annotations

from .base import Loss
from .registry import loss_names, make_loss, register
from .supervised.classifier import Classifier
from .supervised.cnnh import CNNH
from .supervised.csq import CSQ
from .supervised.dpn import DPN
from .supervised.dpsh import DPSH
from .supervised.dsh import DSH
from .supervised.greedyhash import GreedyHash
from .supervised.hashnet import HashNet
from .supervised.orthohash import OrthoHash
from .unsupervised.bgan import BGAN
from .unsupervised.bihalf import BiHalf
from .unsupervised.cibhash import CIBHash
from .unsupervised.greedyhash_unsupervised import GreedyHashUnsupervised
from .wrappers.balanced import Balanced
from .wrappers.nested import Nested
from .wrappers.pruned import Pruned
from .wrappers.regularised import Regularised
from .wrappers.self_distilled import SelfDistilled
from .wrappers.semi_supervised import SemiSupervised

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
    "Nested",
    "OrthoHash",
    "Pruned",
    "Regularised",
    "SelfDistilled",
    "SemiSupervised",
    "loss_names",
    "make_loss",
    "register",
]
