"""Losses by name and by their options."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")


from hashret.deep import loss_names, make_loss  # noqa: E402
from hashret.errors import ParameterError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_the_registry_knows_losses_and_their_options():
    assert {"dsh", "classifier"} <= set(loss_names())
    for name in loss_names():
        loss = make_loss(name)
        assert loss.name == name
        assert make_loss(name, **loss.options()).options() == loss.options()
    with pytest.raises(ParameterError, match=r"expected one of .*dsh.*, got 'dhs'"):
        make_loss("dhs")
    with pytest.raises(ParameterError, match="beta: the loss 'dsh' takes alpha, margin"):
        make_loss("dsh", beta=1)
