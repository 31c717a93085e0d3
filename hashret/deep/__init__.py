"""Images to codes, learned in torch.

Map: :mod:`~hashret.deep.hasher` is the public face, :mod:`~hashret.deep.training`
the one training loop, :mod:`~hashret.deep.networks` the networks,
:mod:`~hashret.deep.losses` one loss a file. Importing this package imports torch.
"""

from __future__ import annotations

from ..extras import import_extra

import_extra("torch", "torch")

from .hasher import DeepHasher  # noqa: E402
from .losses import Loss, loss_names, make_loss, register  # noqa: E402
from .networks import network_names  # noqa: E402
from .progress import Progress  # noqa: E402

__all__ = [
    "DeepHasher",
    "Loss",
    "Progress",
    "loss_names",
    "make_loss",
    "network_names",
    "register",
]
