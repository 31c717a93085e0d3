"""Nested losses: a weighted mean over prefixes of the code."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from hashret.deep.losses import GreedyHash, HashNet, Nested
from hashret.errors import ParameterError


def test_it_is_the_mean_over_prefixes_by_the_root_of_their_length():
    torch.manual_seed(0)
    outputs, labels = torch.randn(6, 20), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = Nested("hashnet")
    loss.setup(bits=20, classes=3)
    expected, weights = 0.0, 0.0
    for length in (8, 16, 20):
        part = HashNet()
        part.setup(length, 3)
        expected += length**0.5 * part(outputs[:, :length], labels)
        weights += length**0.5
    assert loss(outputs, labels).item() == pytest.approx(expected.item() / weights)


def test_each_length_has_what_it_learns_and_the_schedule():
    loss = Nested(GreedyHash(), lengths=[4, 12, 99])
    loss.setup(bits=12, classes=5)
    assert [tuple(part.classifier.weight.shape) for part in loss.parts] == [(5, 4), (5, 12)]
    loss = Nested("hashnet")
    loss.setup(bits=16, classes=2)
    loss.start_step(1399)
    assert {round(part.beta**2) for part in loss.parts} == {7}
    assert loss.options() == {"loss": {"name": "hashnet", "options": HashNet().options()}} | {
        "lengths": None
    }


def test_losses_whose_outputs_are_no_bits_are_refused():
    with pytest.raises(ParameterError, match="normalisation, got 'orthohash'"):
        Nested("orthohash")
    with pytest.raises(ParameterError, match="one output a bit, 'classifier' has others"):
        Nested("classifier").setup(bits=16, classes=3)
    with pytest.raises(ParameterError, match="lengths: expected at least 1, got 0"):
        Nested("hashnet", lengths=[0])
