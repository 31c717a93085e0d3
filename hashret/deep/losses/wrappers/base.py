"""What losses that add something to another have in common."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ....errors import DTypeError
from ..base import Loss
from ..registry import make_loss

__all__ = ["Wrapper", "as_loss", "pick"]


class Wrapper(Loss):
    """A loss around another, to which it leaves all that it does not change.

    Parameters
    ----------
    loss : Loss, str or dict
        As :func:`as_loss` takes it.
    """

    wraps = True

    def __init__(self, loss: Loss | str | dict[str, Any]) -> None:
        super().__init__()
        self.loss = as_loss(loss)
        self.batch_norm = self.loss.batch_norm
        self.target = self.loss.target
        self.views, self.strong_views = self.loss.views, self.loss.strong_views
        self.unlabelled = self.loss.unlabelled

    def setup(self, bits: int, classes: int) -> None:
        """Prepare the loss within too."""
        super().setup(bits, classes)
        self.loss.setup(bits, classes)

    @property
    def outputs(self) -> int:
        """As wide as the loss within asks."""
        return self.loss.outputs

    def prepare(self, targets: Tensor) -> Tensor:
        """Return what the loss within makes of the targets."""
        return self.loss.prepare(targets)

    def start_epoch(self, done: float) -> None:
        """Tell the loss within."""
        self.loss.start_epoch(done)

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the order of the loss within."""
        return self.loss.epoch_order(targets, rows=rows)

    def start_step(self, step: int) -> None:
        """Tell the loss within."""
        self.loss.start_step(step)

    def end_training(self) -> None:
        """Tell the loss within."""
        self.loss.end_training()

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the value of the loss within."""
        value: Tensor = self.loss(outputs, targets, rows=rows)
        return value

    def margins(self, outputs: Tensor) -> Tensor:
        """Return the margins of the loss within."""
        return self.loss.margins(outputs)

    def options(self) -> dict[str, Any]:
        """Return the hyper-parameters, each loss within as its name and its options."""
        return {
            name: {"name": value.name, "options": value.options()}
            if isinstance(value, Loss)
            else value
            for name, value in super().options().items()
        }


def as_loss(loss: Loss | str | dict[str, Any]) -> Loss:
    """Return a loss from a loss, a name, or a dict of "name" and "options".

    Examples
    --------
    >>> as_loss({"name": "dpn", "options": {"margin": 0.5}}).options()
    {'margin': 0.5, 'centres': 'spread'}
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return make_loss(loss)
    if (
        not isinstance(loss, dict)
        or set(loss) != {"name", "options"}
        or not isinstance(loss["options"], dict)
    ):
        raise DTypeError(f"loss: expected a Loss, a name, or its name and options, got {loss!r}")
    return make_loss(loss["name"], **loss["options"])


def pick(rows: Tensor | None, chosen: Tensor | slice) -> Tensor | None:
    """Return some of the numbers of rows, if these are known."""
    return None if rows is None else rows[chosen]
