"""BGAN: codes that keep neighbours and from which a generator makes the features again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from ....checks import check_int, check_number
from ....errors import ParameterError, TrainingError
from ..base import Loss
from ..pairs import each_pair
from ..registry import register
from .cosines import centred

__all__ = ["BGAN", "are_neighbours", "leading_axes"]


@register("bgan")
class BGAN(Loss):
    r"""Neighbours, sure bits, and an adversarial generator of feature vectors; an experiment.

    With outputs :math:`u`, :math:`z = \tanh u`, feature vectors :math:`x`, a generator `G` and a
    critic `D` with hidden layer `f`, which are trained with the network, the loss is the sum of

    - :math:`(\tfrac1K \langle z_i, z_j \rangle - s_{ij})^2`, the mean over pairs of the batch:
      :math:`s_{ij} = 1` if one of the two is among the nearest of the other, by cosine, in the
      batch, -1 otherwise;
    - `quantization` times :math:`(z - \operatorname{sgn} z)^2`, the mean over images and bits;
    - `content` times :math:`(G(z) - x)^2` plus :math:`(f(G(z)) - f(x))^2` (feature matching), the
      means over images and values, where `D` is held fixed;
    - `adversarial` times :math:`-\log D(G(z))`, where `D` is held fixed, and
      :math:`-\log D(x) - \log(1 - D(G(z)))`, where all but `D` is.

    Since each part is held fixed where it should not learn, one optimiser trains all of them.

    Parameters
    ----------
    neighbours : float
        Share of the other images of a batch that are an image's nearest, above 0, below 1.
    quantization, content, adversarial : float
        Weights; ours.
    width : int
        The generator makes so many values, the features' leading principal components.
    hidden : int
        Width of the hidden layers of generator and critic.

    Notes
    -----
    The published method makes images again, with a deconvolutional generator, and takes
    neighbours among all images. Its figures have not been reproduced by others.

    References
    ----------
    Song, He, Gao, Xu, Hanjalic, Shen: Binary generative adversarial networks for image
    retrieval, AAAI 2018, arXiv 1708.04150.

    Examples
    --------
    >>> loss = BGAN(width=8)
    >>> loss.setup(bits=4, classes=0)
    >>> loss.prepare(torch.randn(100, 20)).shape
    torch.Size([100, 8])
    """

    target = "features"

    def __init__(
        self,
        neighbours: float = 0.1,
        quantization: float = 0.1,
        content: float = 0.1,
        adversarial: float = 0.01,
        width: int = 128,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        if not 0 < neighbours < 1:
            raise ParameterError(f"neighbours: expected between 0 and 1, got {neighbours}")
        self.neighbours = neighbours
        self.quantization = check_number("quantization", quantization, least=0)
        self.content = check_number("content", content, least=0)
        self.adversarial = check_number("adversarial", adversarial, least=0)
        self.width = check_int("width", width, 1)
        self.hidden = check_int("hidden", hidden, 1)

    def setup(self, bits: int, classes: int) -> None:
        """Make generator and critic."""
        super().setup(bits, classes)
        self.generator = nn.Sequential(
            nn.Linear(bits, self.hidden), nn.ReLU(), nn.Linear(self.hidden, self.width)
        )
        self.critic = nn.Sequential(
            nn.Sequential(nn.Linear(self.width, self.hidden), nn.LeakyReLU(0.2)),
            nn.Linear(self.hidden, 1),
        )

    def prepare(self, targets: Tensor) -> Tensor:
        """Return the features' leading principal components, of mean square 1."""
        return leading_axes(targets, self.width)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of the terms."""
        if len(targets) != len(outputs) or len(outputs) < 2:
            raise TrainingError(
                "features: expected one row for each of at least two outputs, "
                f"got {tuple(targets.shape)} for {tuple(outputs.shape)}"
            )
        codes, real = torch.tanh(outputs), targets.to(outputs.dtype)
        wanted = torch.where(are_neighbours(real, self.neighbours), 1.0, -1.0)
        value = each_pair((codes @ codes.T) / self.bits - wanted).square().mean()
        sure = (codes.abs() - 1).square().mean()
        return value + self.quantization * sure + self._generate(codes, real)

    def _generate(self, codes: Tensor, real: Tensor) -> Tensor:
        made: Tensor = self.generator(codes)
        hidden_made, judged = self._judge_fixed(made)
        hidden_real, _ = self._judge_fixed(real)
        content = functional.mse_loss(made, real) + functional.mse_loss(hidden_made, hidden_real)
        # softplus(-logit) is -log of the probability, softplus(logit) that of the opposite.
        fooling = functional.softplus(-judged).mean()
        judging = (
            functional.softplus(-self.critic(real)).mean()
            + functional.softplus(self.critic(made.detach())).mean()
        )
        return self.content * content + self.adversarial * (fooling + judging)

    def _judge_fixed(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the critic's hidden layer and logits; its weights learn nothing from them."""
        first, last = (
            {name: value.detach() for name, value in layer.named_parameters()}
            for layer in self.critic
        )
        hidden: Tensor = functional_call(self.critic[0], first, (vectors,))
        return hidden, functional_call(self.critic[1], last, (hidden,))


def are_neighbours(vectors: Tensor, share: float) -> Tensor:
    """Return whether, of two rows, one is among the nearest `share` of the other's, bool (n, n).

    Nearest by cosine; at least one. The diagonal is False.
    """
    directions = functional.normalize(vectors)
    cosines = (directions @ directions.T).fill_diagonal_(float("-inf"))
    count = max(1, round(share * (len(vectors) - 1)))
    nearest = torch.zeros_like(cosines, dtype=torch.bool)
    nearest.scatter_(1, cosines.topk(count).indices, True)
    return nearest | nearest.T


def leading_axes(features: Tensor, width: int) -> Tensor:
    """Return principal components, float32 (n, width), zero past the features' own number.

    Scaled all alike, so that the components that are there have mean square 1.
    """
    rows = centred(features)
    # eigh sorts from the smallest.
    axes = torch.linalg.eigh((rows.T @ rows).double())[1].flip(1)[:, :width].to(rows.dtype)
    scores = rows @ axes
    scores = scores / scores.square().mean().sqrt().clamp(min=1e-12)
    return functional.pad(scores, (0, width - scores.shape[1]))
