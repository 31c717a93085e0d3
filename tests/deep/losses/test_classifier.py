"""The control: a classifier whose class is the code."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")


from hashret.deep.losses import Classifier  # noqa: E402
from hashret.errors import ParameterError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_classifier_is_cross_entropy_with_its_gradients():
    rng = np.random.default_rng(4)
    outputs, labels = rng.normal(size=(12, 3)) * 1.5, rng.integers(0, 3, 12)
    loss = Classifier()
    loss.setup(bits=2, classes=3)
    shares = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(12), labels]).mean()
    tensor = torch.tensor(outputs, requires_grad=True)
    assert loss(tensor, torch.tensor(labels)).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda b: loss(b, torch.tensor(labels)), (tensor,))


@pytest.mark.parametrize(("code", "bits"), [("binary", 8), ("one-hot", 10)])
def test_the_classifier_writes_the_predicted_class(code, bits):
    loss = Classifier(code)
    loss.setup(bits, classes=10)
    codes = loss.margins(torch.eye(10) * 5).numpy() > 0
    if code == "binary":
        assert [int("".join("01"[int(b)] for b in row[:4]), 2) for row in codes] == list(range(10))
        assert not codes[:, 4:].any()
    else:
        np.testing.assert_array_equal(codes, np.eye(10, dtype=bool))
    with pytest.raises(ParameterError, match="bits: 10 classes"):
        loss.setup(3, classes=10)
