"""The control: a plain classifier whose predicted class is the code."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....checks import check_choice
from ....errors import ParameterError
from ..base import Loss
from ..labels import one_label_each
from ..registry import register

__all__ = ["Classifier"]


@register("classifier")
class Classifier(Loss):
    """Cross-entropy; the code of an image is the number of its predicted class.

    No hashing method, but the control that one has to beat: on labelled data
    it ranks the images of the predicted class first.

    Parameters
    ----------
    code : {"binary", "one-hot"}
        How a class is written: its number in binary (needs ``ceil(log2(classes))``
        bits), or one bit a class, so that any two classes are 2 apart (needs
        ``classes`` bits). Bits that are left over are 0.

    References
    ----------
    Sablayrolles, Douze, Usunier, Jégou: How should we evaluate supervised hashing?,
    ICASSP 2017, arXiv 1609.06753.

    Examples
    --------
    Class 2 of 3 is 10 in binary:

    >>> loss = Classifier()
    >>> loss.setup(bits=4, classes=3)
    >>> loss.margins(torch.tensor([[0.0, 0.0, 9.0]])) > 0
    tensor([[ True, False, False, False]])
    """

    by_image = True
    codewords: Tensor

    def __init__(self, code: str = "binary") -> None:
        super().__init__()
        self.code = check_choice("code", code, "binary", "one-hot")

    def setup(self, bits: int, classes: int) -> None:
        """Write out the code of each class, or raise if `bits` are too few."""
        super().setup(bits, classes)
        width = classes if self.code == "one-hot" else max(1, (classes - 1).bit_length())
        if bits < width:
            raise ParameterError(
                f"bits: {classes} classes in {self.code} form need {width}, got {bits}"
            )
        number = torch.arange(classes)
        ones = torch.zeros(classes, bits, dtype=torch.bool)
        if self.code == "one-hot":
            ones[number, number] = True
        else:
            ones[:, :width] = (number[:, None] >> torch.arange(width).flip(0)) % 2 == 1
        self.register_buffer("codewords", torch.where(ones, 1.0, -1.0))

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the labels, or raise if images may have several."""
        return one_label_each(targets, "a classifier whose class is the code")

    @property
    def outputs(self) -> int:
        """One logit a class."""
        return self.classes

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    def margins(self, outputs: Tensor) -> Tensor:
        """Return the predicted class's code in -1 and +1, times its probability."""
        probability, predicted = outputs.softmax(1).max(1)
        return self.codewords[predicted] * probability[:, None]
