"""Images to codes, learned in torch.

Map: `hasher` is the public face, with scikit-learn's conventions from `parameters`. Below it:

- `training`, the one training loop and what it learns from; knows the three below;
- `saving`, the files: checkpoints, encoders, ONNX; knows the two below;
- `model`, the networks and what is around them; knows the losses;
- `losses`, one a file; know none of these.

Importing this package imports torch.
"""

from __future__ import annotations

from ..extras import import_extra

import_extra("torch", "torch")

from .hasher import DeepHasher  # noqa: E402
from .losses import Loss, loss_names, make_loss, register  # noqa: E402
from .model.networks import network_names  # noqa: E402
from .training.progress import Progress  # noqa: E402

__all__ = [
    "DeepHasher",
    "Loss",
    "Progress",
    "loss_names",
    "make_loss",
    "network_names",
    "register",
]
