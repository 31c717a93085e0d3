"""The networks: what they make of images, and how large they are."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from trainings import quick  # noqa: E402

from hashret.deep.model.networks import make_network, network_names  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

OF_IMAGES = sorted(set(network_names()) - {"linear", "mlp"})


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("shape", [(28, 28, 1), (17, 11, 3)])
def test_networks_take_images_of_any_size_and_learn_everywhere(name, shape):
    torch.manual_seed(0)
    network = make_network(name, shape)
    height, width, channels = shape
    features = network(torch.randn(2, channels, height, width))
    assert features.ndim == 2
    assert len(features) == 2
    features.square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


def test_resnet_18_has_the_published_layers():
    """17 convolutions of 3x3 and 3 shortcuts; the paper's 11.2 million weights without the last."""
    network = make_network("resnet-18", (32, 32, 3))
    kernels = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [kernel.shape[-1] for kernel in kernels].count(3) == 17
    assert len(kernels) == 20
    # Counted by hand: convolutions, and two numbers a channel of each normalisation.
    stages = [(64, 64), (64, 128), (128, 256), (256, 512)]
    convolutions = 3 * 64 * 9 + sum(
        9 * (inputs * outputs + 3 * outputs * outputs) + (inputs != outputs) * inputs * outputs
        for inputs, outputs in stages
    )
    norms = 2 * (64 + sum((4 + (i != o)) * o for i, o in stages))
    assert sum(p.numel() for p in network.parameters()) == convolutions + norms
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 512)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 12)])
def test_networks_of_images_give_features_of_any_small_size(channels, size):
    # The largest takes longer than the others together: it has one size here, others above.
    for name in OF_IMAGES if size == 12 else set(OF_IMAGES) - {"resnet-18"}:
        images = np.random.default_rng(0).integers(0, 256, (8, size, size, channels), np.uint8)
        hasher = quick(network=name, epochs=1, batch_size=4).fit(images, np.arange(8) % 2)
        assert hasher.project(images).shape == (8, 8)
        assert np.isfinite(hasher.project(images)).all()
