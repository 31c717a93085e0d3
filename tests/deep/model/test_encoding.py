"""An image's margins are its own, whatever it is encoded with."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from hashret.deep import DeepHasher, Loss, loss_names, make_loss, network_names  # noqa: E402

RNG = np.random.default_rng(0)
OWN_MARGINS = [name for name in loss_names() if type(make_loss(name)).margins is not Loss.margins]


def each(networks, *more):
    """Each network with a number of threads, and some pairs more."""
    return pytest.mark.parametrize(
        ("threads", "network"), [*((2, name) for name in networks), *more], indirect=["threads"]
    )


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def check(network, loss, shape, **options):
    inputs = RNG.integers(0, 256, (11, *shape), np.uint8)
    if len(shape) == 1:
        inputs = RNG.normal(size=(53, *shape))
    hasher = DeepHasher(
        network, loss, 24, epochs=1, batch_size=8, random_state=0, progress=None, **options
    )
    expected = hasher.fit(inputs, np.arange(len(inputs)) % 2).project(inputs)
    for size in (1, 2, 3, 7, 16):
        np.testing.assert_array_equal(hasher.project(inputs, batch_size=size), expected)
    order = RNG.permutation(len(inputs))
    np.testing.assert_array_equal(hasher.project(inputs[order]), expected[order])
    np.testing.assert_array_equal(hasher.project(inputs[5:6]), expected[5:6])
    assert hasher.project(inputs[:0]).shape == (0, 24)


@each(network_names(), *((n, name) for n in (1, 3) for name in ("linear", "mlp", "small-cnn")))
def test_with_every_network(threads, network):
    check(network, "dsh", (37,) if network in ("linear", "mlp") else (12, 12, 3))


def test_with_the_means_of_views(threads):
    check("small-cnn", "dsh", (13, 12), mirror=True, nudge=1)


@pytest.mark.parametrize("loss", ["orthohash", *OWN_MARGINS])
def test_with_every_kind_of_margin(threads, loss):
    check("linear", loss, (37,))
