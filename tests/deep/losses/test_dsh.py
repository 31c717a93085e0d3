"""DSH: its formula over pairs, its sub-gradients, and how pairs are drawn."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")


from hashret.deep.losses import DSH  # noqa: E402
from hashret.deep.losses.supervised.dsh import pair_order  # noqa: E402
from hashret.errors import ParameterError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def dsh(bits, **options):
    loss = DSH(**options)
    loss.setup(bits, classes=3)
    return loss


def pair_cost(first, second, differ, margin, alpha):
    """The study's loss of one pair, term by term; differ is its y."""
    squared = sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
    near = 0.5 * (1 - differ) * squared
    far = 0.5 * differ * max(margin - squared, 0)
    regulariser = sum(abs(abs(b) - 1) for b in [*first, *second])
    return near + far + alpha * regulariser


def random_batch(seed, n=12, bits=5, classes=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, bits)) * 1.5, rng.integers(0, classes, n)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("alpha", "margin"), [(0.01, None), (0.005, 3.0), (0.0, None)])
def test_dsh_is_the_mean_of_the_formula_over_all_pairs(seed, alpha, margin):
    outputs, labels = random_batch(seed)
    expected = np.mean(
        [
            pair_cost(outputs[i], outputs[j], labels[i] != labels[j], margin or 2 * 5, alpha)
            for i in range(12)
            for j in range(i + 1, 12)
        ]
    )
    value = dsh(5, alpha=alpha, margin=margin)(torch.tensor(outputs), torch.tensor(labels))
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [2, 12, 13])
def test_siamese_dsh_is_the_mean_of_the_formula_over_neighbouring_rows(n):
    outputs, labels = random_batch(1, n=n)
    expected = np.mean(
        [
            pair_cost(outputs[i], outputs[i + 1], labels[i] != labels[i + 1], 10, 0.01)
            for i in range(0, n - 1, 2)
        ]
    )
    value = dsh(5, pairs="siamese")(torch.tensor(outputs), torch.tensor(labels))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_balanced_weights_give_each_sort_of_pair_half():
    outputs, labels = random_batch(2)
    pairs = [(i, j) for i in range(12) for j in range(i + 1, 12)]
    costs = {
        differ: [
            pair_cost(outputs[i], outputs[j], differ, 10, 0.0)
            for i, j in pairs
            if (labels[i] != labels[j]) == differ
        ]
        for differ in (False, True)
    }
    loss = dsh(5, alpha=0.0, weights="balanced")
    value = loss(torch.tensor(outputs), torch.tensor(labels))
    expected = (np.mean(costs[False]) + np.mean(costs[True])) / 2
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        dsh(5),
        dsh(5, pairs="siamese"),
        dsh(5, weights="balanced"),
        dsh(5, alpha=0.5, margin=2.0),
    ],
    ids=["all", "siamese", "balanced", "strong"],
)
def test_dsh_gradients_equal_finite_differences(loss):
    outputs, labels = random_batch(3)
    outputs = torch.tensor(outputs, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: loss(b, torch.tensor(labels)), (outputs,))


# The study's equation 7, one case of each branch, for a batch that is one pair.
@pytest.mark.parametrize("similar", [True, False])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0.2, -0.4], [0.9, 0.3]),  # within the margin of 4
        ([1.5, -1.5], [-1.2, 2.0]),  # past it
        ([1.0, 1.0], [1.0, -1.0]),  # at it, and every output at a kink
        ([0.0, 0.5], [-1.0, 0.5]),  # 0 and -1 are kinks too
    ],
)
def test_dsh_has_the_published_sub_gradients(similar, first, second):
    alpha, margin = 0.25, 4.0
    b = np.array([first, second])
    difference = b[0] - b[1]
    within = (difference**2).sum() < margin
    regulariser = np.where(((b >= -1) & (b <= 0)) | (b >= 1), 1.0, -1.0)
    signs = np.array([[1.0], [-1.0]])  # (-1)^(j+1) for j = 1, 2
    expected = alpha * regulariser
    expected += signs * (1 - (not similar)) * difference
    expected += -signs * (not similar) * within * difference

    outputs = torch.tensor(b, requires_grad=True)
    dsh(2, alpha=alpha, margin=margin)(outputs, torch.tensor([0, 0 if similar else 1])).backward()
    np.testing.assert_allclose(outputs.grad.numpy(), expected, atol=1e-12)


def test_a_batch_without_similar_or_without_dissimilar_pairs_is_finite():
    outputs = torch.randn(6, 4, requires_grad=True)
    for labels in (torch.arange(6), torch.zeros(6, dtype=torch.int64)):
        for weights in ("uniform", "balanced"):
            loss = DSH(weights=weights)
            loss.setup(4, 6)
            value = loss(outputs, labels)
            value.backward()
            assert value.isfinite()
            assert outputs.grad.isfinite().all()


def test_siamese_pairs_are_half_similar_and_never_an_image_with_itself():
    labels = torch.from_numpy(
        np.repeat(np.arange(10), [5, 50, 100, 200, 300, 9, 400, 500, 36, 400])
    )
    torch.manual_seed(0)
    pairs = pair_order(labels).reshape(-1, 2)
    assert len(pairs) == 1000
    assert len(pairs[:, 0].unique()) == 1000
    assert (pairs[:, 0] != pairs[:, 1]).all()
    similar = (labels[pairs[:, 0]] == labels[pairs[:, 1]]).float().mean().item()
    assert abs(similar - 0.5) < 4 * np.sqrt(0.25 / 1000)


@pytest.mark.parametrize(
    "options",
    [{"alpha": -1}, {"alpha": float("nan")}, {"margin": 0}, {"pairs": "some"}, {"weights": "x"}],
)
def test_dsh_refuses_bad_options(options):
    with pytest.raises(ParameterError, match=f"^{next(iter(options))}: expected"):
        DSH(**options)
