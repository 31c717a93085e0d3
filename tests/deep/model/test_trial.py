"""Networks whose codes are of chance, or whose files cannot be read, are refused at once."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")

import torch
from torch import nn
from torch.nn import functional

from hashret.deep import DeepHasher
from hashret.errors import DTypeError, ParameterError

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 7, 7, 3), np.uint8)
LABELS = np.arange(32) % 2


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


class CopiesItself(Plain):
    def __deepcopy__(self, memo):
        return self


class AlwaysDrops(Plain):
    def forward(self, x):
        return functional.dropout(super().forward(x), 0.5, training=True)


class CentresBatch(Plain):
    def forward(self, x):
        features = super().forward(x)
        return features - features.mean(0)


class TupleInTraining(Plain):
    def forward(self, x):
        features = super().forward(x)
        return (features, features) if self.training else features


class BufferInForward(Plain):
    def forward(self, x):
        if self.training and not hasattr(self, "seen"):
            self.register_buffer("seen", torch.zeros(3))
        return super().forward(x)


class Queue(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("queue", torch.zeros(0, 4))

    def forward(self, x):
        features = super().forward(x)
        if self.training:
            self.queue = torch.cat([self.queue, features.detach()])
        return features


def hooked() -> nn.Module:
    module = Plain()
    scale = nn.Parameter(torch.ones(4))
    module.register_parameter("scale", scale)
    module.register_forward_hook(lambda module, args, out: out * scale)
    return module


REFUSED = {
    "its copy is itself": (CopiesItself, ParameterError, "shares conv"),
    "dropout at all times": (AlwaysDrops, ParameterError, "at each call"),
    "mean over the batch": (CentresBatch, ParameterError, "among others"),
    "a tuple in training": (TupleInTraining, DTypeError, "in training too, got tuple"),
    "a buffer made in training": (BufferInForward, ParameterError, "seen comes, goes"),
    "a buffer that grows": (Queue, ParameterError, "queue comes, goes"),
    "a hook on the original": (hooked, ParameterError, "still uses scale of yours"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_the_first_step(tmp_path, name):
    make, error, words = REFUSED[name]
    network = make()
    before = copy.deepcopy({k: v.clone() for k, v in network.state_dict().items()})
    hasher = DeepHasher(network, bits=8, epochs=1, batch_size=16, random_state=0, progress=None)
    with pytest.raises(error, match=f"^network: .*{words}"):
        hasher.fit(IMAGES, LABELS, log=tmp_path / "log", checkpoint=tmp_path / "c")
    assert not list(tmp_path.iterdir())
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert all(weight.grad is None for weight in network.parameters())


class Noisy(Plain):
    """Random in training only, with batch normalisation: sound."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(4), nn.Dropout(0.3)

    def forward(self, x):
        return self.drop(self.norm(super().forward(x)))


def test_a_sound_network_trains_as_if_it_had_not_been_tried(monkeypatch):
    def weights():
        torch.manual_seed(0)
        hasher = DeepHasher(Noisy(), bits=8, epochs=2, batch_size=16, random_state=0, progress=None)
        return hasher.fit(IMAGES, LABELS).fingerprint

    tried = weights()
    monkeypatch.setattr("hashret.deep.hasher.try_out", lambda *args: None)
    assert weights() == tried
