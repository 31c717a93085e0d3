"""Losses that ask are told which images they are given; others need not know."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import patterns, quick  # noqa: E402

from hashret.deep.losses import Balanced, Loss, Regularised, SelfDistilled, SemiSupervised  # noqa: E402
from hashret.errors import TrainingError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


class Plain(Loss):
    """Written without rows, as a loss may be."""

    name = "plain"

    def epoch_order(self, targets):
        return torch.randperm(len(targets))

    def forward(self, outputs, targets):
        return (outputs * (2 * targets[:, None] - 1)).square().mean()


class Asks(Plain):
    """Keeps, for each image of which it knows the class, whether it was told the right one."""

    name = "asks"

    def __init__(self):
        super().__init__()
        self.seen = []

    def prepare(self, targets):
        self.all = targets
        return targets

    def epoch_order(self, targets, rows=None):
        rows = torch.arange(len(targets)) if rows is None else rows
        assert torch.equal(self.all[rows], targets)
        return super().epoch_order(targets)

    def forward(self, outputs, targets, rows=None):
        assert torch.equal(self.all[rows], targets)
        self.seen.append(rows)
        return super().forward(outputs, targets)


class Inherits(Asks):
    """Asks as its base does, though the base of that does not."""

    name = "inherits"


class Silent:
    def forward(self, outputs, targets):
        return outputs.square().mean()


class Mixed(Silent, Loss):
    """Takes its forward from a class that is no loss."""

    name = "mixed"


class Any(Loss):
    """Takes whatever there is, as it always got: outputs and targets."""

    name = "any"

    def forward(self, *given, **more):
        outputs, _ = given
        assert not more
        return outputs.square().mean()


@pytest.mark.parametrize("loss", [Plain, Mixed, Any])
def test_a_loss_may_be_written_without_rows(loss):
    images, labels = patterns(n=64)
    for wrap in (lambda loss: loss, Regularised, Balanced, SelfDistilled):
        trained = quick(loss=wrap(loss()), epochs=1).fit(images, labels)
        assert len(trained.history_) == 1
    assert loss()(torch.ones(4, 2), torch.arange(4) % 2).isfinite()


@pytest.mark.parametrize("loss", [Asks, Inherits])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda loss: loss,
        lambda loss: Regularised(loss, balance=1.0),
        lambda loss: SelfDistilled(loss),
        lambda loss: Balanced(loss, strength=0.5),
        lambda loss: Balanced(Regularised(Balanced(loss))),
        lambda loss: SemiSupervised(loss),
        lambda loss: SemiSupervised(Regularised(Balanced(loss)), "bihalf"),
    ],
)
def test_a_loss_that_asks_is_told_the_rows_of_its_batch(loss, wrap):
    images, labels = patterns(n=96)
    wrapped = wrap(loss())
    if isinstance(wrapped, SemiSupervised):
        labels = np.where(np.arange(96) % 3 == 0, -1, labels)
    features = np.random.default_rng(0).normal(size=(96, 4))
    fitted = quick(loss=wrapped).fit(images, labels, features=features)._encoder.loss
    within = next(part for part in fitted.modules() if isinstance(part, Asks))
    seen = torch.cat(within.seen)
    assert len(seen.unique()) > 0.5 * len(within.all)


def test_a_loss_that_prunes_cannot_do_without_rows():
    loss = Regularised({"name": "pruned", "options": {"loss": "dpn"}})
    loss.setup(bits=4, classes=2)
    targets = loss.prepare(torch.arange(4) % 2)
    with pytest.raises(TrainingError, match="rows: "):
        loss(torch.ones(4, 4), targets)
    assert loss(torch.ones(4, 4), targets, rows=torch.arange(4)).isfinite()
