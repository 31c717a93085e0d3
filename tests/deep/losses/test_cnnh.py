"""CNNH: the factorisation against dense computations, and what the network regresses."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import make_loss  # noqa: E402
from hashret.deep.losses.supervised.factors import extend, factorise  # noqa: E402
from hashret.errors import HashretError  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dense(labels, bits, factor):
    """The objective over all pairs of images, from the n x n matrix."""
    similarity = np.where(labels[:, None] == labels, 1.0, -1.0)
    return ((similarity - factor[labels] @ factor[labels].T / bits) ** 2).sum()


def uneven(classes=6, n=200, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(classes, n, p=np.arange(1, classes + 1) / 21))
    return labels, np.bincount(labels, minlength=classes).astype(float)


@pytest.mark.parametrize("bits", [1, 5, 16])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_objective_is_that_of_all_images_and_falls_in_every_round(bits, seed):
    labels, counts = uneven(seed=seed)
    similarity = 2 * np.eye(6) - 1
    start, _ = factorise(similarity, counts, bits, 0, np.random.default_rng(seed))
    factor, found = factorise(similarity, counts, bits, 12, np.random.default_rng(seed))
    assert len(found) == 13
    assert found[0] == pytest.approx(dense(labels, bits, start), rel=1e-12)
    assert found[-1] == pytest.approx(dense(labels, bits, factor), rel=1e-9)
    assert found[1] < found[0]
    # The last rounds may change nothing but the rounding of the sum.
    assert (np.diff(found) <= 1e-9 * found[0]).all()
    assert np.abs(factor).max() <= 1


def test_no_entry_can_be_moved_to_a_better_value():
    labels, counts = uneven()
    factor, found = factorise(2 * np.eye(6) - 1, counts, 4, 200, np.random.default_rng(3))
    for place in np.ndindex(*factor.shape):
        for value in np.clip(factor[place] + np.array([-2, -1e-3, 1e-3, 2]), -1, 1):
            moved = factor.copy()
            moved[place] = value
            assert dense(labels, 4, moved) >= found[-1] * (1 - 1e-7)


def test_rows_of_their_own_end_alike_within_a_class():
    """Why images of the same labels may share a row: given rows of their own, they do."""
    labels = np.arange(120) % 4
    similarity = np.where(labels[:, None] == labels, 1.0, -1.0)
    own, found = factorise(similarity, np.ones(120), 8, 30, np.random.default_rng(0))
    codes = np.where(own > 0, 1, -1)
    assert all(len(np.unique(codes[labels == c], axis=0)) == 1 for c in range(4))
    shared = [
        factorise(2 * np.eye(4) - 1, np.full(4, 30.0), 8, 30, np.random.default_rng(seed))[1][-1]
        for seed in range(5)
    ]
    assert min(shared) <= found[-1] * 1.05


def test_rows_outside_are_the_least_squares_in_the_box():
    rng = np.random.default_rng(4)
    factor, counts = rng.uniform(-1, 1, (7, 3)), rng.integers(1, 9, 7).astype(float)
    similarity = rng.choice([-1.0, 1.0], (5, 7))
    rows = extend(factor, counts, similarity, 300)

    def cost(rows, wanted):
        return (counts * (rows @ factor.T / 3 - wanted) ** 2).sum(axis=-1)

    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 41)] * 3), -1).reshape(-1, 3)
    for row, wanted in zip(rows, similarity, strict=True):
        assert np.abs(row).max() <= 1
        assert cost(row, wanted) <= cost(grid, wanted).min() + 1e-9


def prepared(labels, bits=16, seed=0, **options):
    torch.manual_seed(seed)
    loss = make_loss("cnnh", **options)
    loss.setup(bits, 10)
    return loss, loss.prepare(torch.tensor(labels)).numpy()


def test_codes_belong_to_labels_whatever_the_order_of_the_images():
    labels = np.repeat(np.arange(10), 30)
    shuffled = np.random.default_rng(5).permutation(labels)
    for order in (labels, shuffled):
        _, codes = prepared(order)
        assert set(np.unique(codes)) == {-1, 1}
        for c in range(10):
            assert len(np.unique(codes[order == c], axis=0)) == 1
        same = order[:, None] == order
        distance = (16 - codes @ codes.T) / 2
        assert distance[same].max() == 0
        # Codes drawn at random come as near as 2 or 3.
        assert distance[~same].min() >= 5


def test_sixty_thousand_images_need_no_matrix_of_them():
    labels = np.random.default_rng(6).integers(0, 10, 60_000)
    _, codes = prepared(labels, bits=48)
    assert codes.shape == (60_000, 48)
    assert codes.dtype == np.float32


def test_images_with_several_labels_are_nearer_the_more_they_share():
    rng = np.random.default_rng(7)
    table = np.zeros((300, 6), np.float32)
    table[np.arange(300), rng.integers(0, 6, 300)] = 1
    table[np.arange(300), rng.integers(0, 6, 300)] = 1
    similar = table @ table.T > 0
    for options in ({}, {"sets": 9}):
        _, codes = prepared(table, bits=24, **options)
        products = codes @ codes.T / 24
        assert products[similar].mean() > products[~similar].mean() + 0.4


def test_the_loss_is_the_squared_error_of_tanh():
    loss, codes = prepared(np.arange(8) % 3, bits=5)
    outputs = np.random.default_rng(8).normal(size=(8, 5))
    given, wanted = torch.tensor(outputs, requires_grad=True), torch.tensor(codes)
    assert loss(given, wanted).item() == pytest.approx(((np.tanh(outputs) - codes) ** 2).mean())
    assert torch.autograd.gradcheck(lambda u: loss(u, wanted), (given,))


def test_training_learns_the_codes_also_when_resumed(tmp_path):
    images, labels = patterns()
    new, new_labels = patterns(n=60, seed=1)
    trained = quick(loss="cnnh", epochs=8).fit(images, labels)
    codes, queries = trained.transform(images), trained.transform(new)
    assert mean_average_precision(queries, new_labels, codes, labels) > 0.9
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(loss="cnnh", epochs=8, progress=stop_after(2)).fit(images, labels, checkpoint=path)
    resumed = quick(loss="cnnh", epochs=8).fit(images, labels, checkpoint=path)
    assert resumed.fingerprint == trained.fingerprint


@pytest.mark.parametrize("options", [{"rounds": 0}, {"rounds": 1.5}, {"sets": 0}, {"sets": True}])
def test_bad_options_are_refused(options):
    with pytest.raises(HashretError, match=f"^{next(iter(options))}: expected"):
        make_loss("cnnh", **options)
