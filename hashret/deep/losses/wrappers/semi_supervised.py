"""Semi-supervised hashing: labels where there are some, and all images without them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ....checks import check_number
from ....errors import ParameterError
from ..base import Loss
from ..labels import has_label
from ..registry import register
from .base import Wrapper, as_loss

__all__ = ["SemiSupervised"]


@register("semi-supervised")
class SemiSupervised(Wrapper):
    """A loss of the images with labels, plus one of all images without them.

    Parameters
    ----------
    loss : Loss, str or dict
        Learns from the labels, and sees only images that have one, all their views; or its
        name.
    unsupervised : Loss, str or dict
        Learns from the images alone, or from feature vectors, of all images.
    weight : float
        Of the latter.
    share : float
        Where fewer images than that have labels, they are repeated until they are this
        share of an epoch, which has as many draws as there are images; others that find
        no place in it may in the next.

    Notes
    -----
    The sum of a term of labelled pairs and one of all images is that of Wang, Kumar and
    Chang (Semi-supervised hashing for large-scale search, TPAMI 2012), which takes the
    bits' variance in place of a contrast.

    Examples
    --------
    >>> loss = SemiSupervised("dsh", weight=0.1)
    >>> labels = loss.prepare(torch.tensor([0, 1] + [-1] * 98))
    >>> (labels[loss.epoch_order(labels)] >= 0).sum()
    tensor(50)
    """

    def __init__(
        self,
        loss: Loss | str | dict[str, Any],
        unsupervised: Loss | str | dict[str, Any] = "cibhash",
        weight: float = 1.0,
        share: float = 0.5,
    ) -> None:
        super().__init__(loss)
        self.unsupervised = as_loss(unsupervised)
        if self.loss.target != "labels" or self.loss.unlabelled or self.loss.views != 1:
            raise ParameterError(
                f"loss: expected one of labels and a single view, got {self.loss.name!r}"
            )
        if self.unsupervised.target not in ("features", "nothing"):
            raise ParameterError(
                "unsupervised: expected a loss that learns without labels, "
                f"got {self.unsupervised.name!r}"
            )
        if not 0 < share <= 1:
            raise ParameterError(f"share: expected more than 0, at most 1, got {share}")
        self.weight, self.share = check_number("weight", weight, least=0), share
        self.target = "labels" if self.unsupervised.target == "nothing" else "both"
        self.views = self.unsupervised.views
        self.strong_views = self.unsupervised.strong_views
        self.unlabelled = True

    def setup(self, bits: int, classes: int) -> None:
        """Prepare both losses, whose outputs must be bits."""
        super().setup(bits, classes)
        self.unsupervised.setup(bits, 0)
        if self.loss.outputs != bits:
            raise ParameterError(f"loss: the outputs of {self.loss.name!r} are no bits")

    def start_step(self, step: int) -> None:
        """Tell both losses."""
        super().start_step(step)
        self.unsupervised.start_step(step)

    def start_epoch(self, done: float) -> None:
        """Tell both losses."""
        super().start_epoch(done)
        self.unsupervised.start_epoch(done)

    def prepare(self, targets: Tensor) -> Tensor:
        """Return what the losses make of labels, -1 or NaN if missing, and of features."""
        if self.target == "labels":
            return self._prepare_labels(targets)
        table, features = targets[:, : self.classes], targets[:, self.classes :]
        labels = self._prepare_labels(_as_numbers(table))
        self._form = labels.shape[1:]
        columns = labels.reshape(len(labels), -1).to(features.dtype)
        return torch.cat([columns, self.unsupervised.prepare(features)], 1)

    def _prepare_labels(self, labels: Tensor) -> Tensor:
        known = has_label(labels)
        # The loss within knows the labelled images alone, and counts them so.
        self._count = known.cumsum(0) - 1
        made = self.loss.prepare(labels[known])
        missing = math.nan if made.is_floating_point() else -1
        prepared = made.new_full((len(labels), *made.shape[1:]), missing)
        prepared[known] = made
        return prepared

    def _parts(self, prepared: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels and features."""
        if self.target == "labels":
            return prepared, prepared.new_empty(len(prepared), 0)
        width = self._form.numel()
        labels, features = prepared[:, :width], prepared[:, width:]
        return labels if self._form else labels[:, 0].long(), features

    def epoch_order(self, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return rows of which at least `share` have labels."""
        labels, _ = self._parts(targets)
        known = _known(labels)
        labelled, others = known.nonzero()[:, 0], (~known).nonzero()[:, 0]
        count = max(len(labelled), round(self.share * len(targets)))
        rounds = [
            labelled[self.loss.epoch_order(labels[labelled], rows=self._own(rows, labelled))]
            for _ in range(-(-count // len(labelled)))
        ]
        some = others[torch.randperm(len(others))][: len(targets) - count]
        order = torch.cat([torch.cat(rounds)[:count], some])
        return order[torch.randperm(len(order))]

    def forward(self, outputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the sum; without two labelled rows in the batch, the second term alone."""
        labels, features = self._parts(targets)
        value: Tensor = self.weight * self.unsupervised(outputs, features, rows=rows)
        known = _known(labels)
        if known.sum() >= 2:
            within = self._own(rows, known)
            value = value + self.loss(outputs[known], labels[known], rows=within)
        return value

    def _own(self, rows: Tensor | None, labelled: Tensor) -> Tensor | None:
        """Return the numbers by which the loss within knows some of the rows."""
        return None if rows is None else self._count.to(rows.device)[rows[labelled]]


def _as_numbers(table: Tensor) -> Tensor:
    """Return class numbers, -1 if missing, if no image has several labels; else the table."""
    known = has_label(table)
    if (table[known].sum(1) > 1).any():
        return table
    return torch.where(known, table.argmax(1), -1)


def _known(prepared: Tensor) -> Tensor:
    return prepared >= 0 if prepared.ndim == 1 else ~prepared[:, 0].isnan()
