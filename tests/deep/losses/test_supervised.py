"""Losses against their formulas, written again in numpy, and gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import (  # noqa: E402
    Stop,
    mean_average_precision,
    patterns,
    quick,
    stop_after,
)

from hashret.deep import DeepHasher, make_loss  # noqa: E402
from hashret.deep.losses.supervised.centres import hadamard, make_centres  # noqa: E402
from hashret.deep.losses.supervised.dpsh import log_cosh  # noqa: E402
from hashret.errors import ParameterError, TrainingError  # noqa: E402

BITS, CLASSES, N = 6, 3, 10
SUPERVISED = ["dpsh", "hashnet", "greedyhash", "csq", "dpn", "orthohash"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name, bits=BITS, classes=CLASSES, **options):
    torch.manual_seed(5)
    loss = make_loss(name, **options)
    loss.setup(bits, classes)
    return loss.double()


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, BITS)) * 1.3, rng.integers(0, CLASSES, N)


def pairs():
    return [(i, j) for i in range(N) for j in range(i + 1, N)]


def dpsh(u, y, loss):
    terms = []
    for i, j in pairs():
        theta = u[i] @ u[j] / 2
        terms.append(np.log1p(np.exp(theta)) - (y[i] == y[j]) * theta)
    signs = np.where(u > 0, 1, -1)
    quantizer = {"square": (u - signs) ** 2, "log-cosh": np.log(np.cosh(np.abs(u) - 1))}
    return np.mean(terms) + loss.eta * quantizer[loss.quantizer].mean()


def hashnet(z, y, loss):
    h = np.tanh(loss.beta * z)
    a = loss.a or 10 / BITS
    similar = [y[i] == y[j] for i, j in pairs()]
    terms = []
    for (i, j), s in zip(pairs(), similar, strict=True):
        theta = a * (h[i] @ h[j])
        weight = len(similar) / (sum(similar) if s else len(similar) - sum(similar))
        terms.append(weight * (np.log1p(np.exp(theta)) - s * theta))
    return np.mean(terms)


def cross_entropy(logits, y):
    return np.mean([np.log(np.exp(row - row[c]).sum()) for row, c in zip(logits, y, strict=True)])


def greedyhash(h, y, loss):
    weight = loss.classifier.weight.detach().numpy()
    codes = np.where(h > 0, 1.0, -1.0)
    return cross_entropy(codes @ weight.T, y) + loss.alpha * (np.abs(np.abs(h) - 1) ** 3).mean()


def csq(z, y, loss):
    u, c = np.tanh(z), loss.targets.numpy()[y]
    p, ones = (u + 1) / 2, (c + 1) / 2
    entropy = -(ones * np.log(p) + (1 - ones) * np.log(1 - p))
    return entropy.mean() + loss.weight * ((np.abs(u) - 1) ** 2).mean()


def dpn(u, y, loss):
    return np.maximum(loss.margin - u * loss.targets.numpy()[y], 0).sum() / N


def orthohash(v, y, loss):
    c = loss.targets.numpy()
    cosines = (v @ c.T) / np.linalg.norm(v, axis=1)[:, None] / np.sqrt(BITS)
    cosines[np.arange(N), y] -= loss.margin
    return cross_entropy(loss.scale * cosines, y)


CASES = [
    (dpsh, {}),
    (dpsh, {"eta": 0.7}),
    (dpsh, {"eta": 0.7, "quantizer": "log-cosh"}),
    (hashnet, {}),
    (hashnet, {"a": 0.4}),
    (greedyhash, {}),
    (greedyhash, {"alpha": 0.6}),
    (csq, {}),
    (csq, {"weight": 0.5, "centres": "random"}),
    (dpn, {}),
    (dpn, {"margin": 0.3, "centres": "random"}),
    (orthohash, {}),
    (orthohash, {"scale": 3.0, "margin": 0.4, "centres": "random"}),
]


@pytest.mark.parametrize(("formula", "options"), CASES, ids=lambda x: getattr(x, "__name__", x))
@pytest.mark.parametrize("seed", [0, 1])
def test_a_loss_is_its_formula(formula, options, seed):
    loss = make(formula.__name__, **options)
    loss.start_step(437)
    outputs, labels = batch(seed)
    value = loss(torch.tensor(outputs), torch.tensor(labels))
    assert value.item() == pytest.approx(formula(outputs, labels, loss), rel=1e-12)


# GreedyHash has another gradient than its value on purpose; it follows below.
@pytest.mark.parametrize(
    ("formula", "options"),
    [case for case in CASES if case[0] is not greedyhash],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_gradients_equal_finite_differences(formula, options):
    loss = make(formula.__name__, **options)
    outputs, labels = batch(2)
    outputs = torch.tensor(outputs, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: loss(u, torch.tensor(labels)), (outputs,))


def test_greedyhash_passes_the_gradient_at_the_code_through_the_sign():
    loss = make("greedyhash", alpha=0.0)
    outputs, labels = batch(3)
    outputs[0, 0] = 0.0
    codes = np.where(outputs > 0, 1.0, -1.0)
    weight = loss.classifier.weight.detach().numpy()
    step = 1e-6
    expected = np.empty_like(codes)
    for place in np.ndindex(*codes.shape):
        moved = [codes.copy(), codes.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (cross_entropy(c @ weight.T, labels) for c in moved)
        expected[place] = (up - down) / (2 * step)
    tensor = torch.tensor(outputs, requires_grad=True)
    loss(tensor, torch.tensor(labels)).backward()
    np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=1e-9)

    alone = torch.tensor(outputs, requires_grad=True)
    make("greedyhash", alpha=0.5)(alone, torch.tensor(labels)).backward()
    gap = np.abs(outputs) - 1
    cubic = 0.5 * 3 * gap * np.abs(gap) * np.sign(outputs) / outputs.size
    np.testing.assert_allclose(alone.grad.numpy(), expected + cubic, atol=1e-9)


def test_hashnet_renews_beta_every_period():
    loss = make("hashnet")
    betas = []
    for step in range(1000):
        loss.start_step(step)
        betas.append(loss.beta)
    np.testing.assert_allclose(betas[::200], np.sqrt(1 + 0.005 * np.arange(0, 1000, 200)))
    assert all(len(set(betas[i : i + 200])) == 1 for i in range(0, 1000, 200))


@pytest.mark.parametrize("name", ["dpsh", "hashnet"])
def test_pairs_of_one_sort_only_are_finite_and_one_row_is_refused(name):
    loss = make(name)
    for labels in (torch.arange(N), torch.zeros(N, dtype=torch.int64)):
        outputs = torch.full((N, BITS), 50.0, requires_grad=True)
        value = loss(outputs, labels)
        value.backward()
        assert value.isfinite()
        assert outputs.grad.isfinite().all()
    with pytest.raises(TrainingError, match="2 rows, got 1"):
        loss(torch.zeros(1, BITS), torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("name", ["dsh", *SUPERVISED])
@pytest.mark.parametrize("labels", [[0, 1, 2], [1, 1, 1]], ids=["no-positives", "one-class"])
@pytest.mark.parametrize("size", [0.0, 1.0, 60.0])
def test_batches_of_one_sort_and_large_or_equal_outputs_are_finite(name, labels, size):
    outputs = (size * torch.ones(3, BITS)).requires_grad_()
    value = make(name).float()(outputs, torch.tensor(labels))
    value.backward()
    assert value.isfinite()
    assert outputs.grad.isfinite().all()


def test_log_cosh_does_not_overflow():
    values = torch.tensor([-500.0, -1.0, 0.0, 0.3, 500.0], dtype=torch.float32)
    inner = np.log(np.cosh([-1.0, 0.0, 0.3]))
    expected = [500 - np.log(2), *inner, 500 - np.log(2)]
    np.testing.assert_allclose(log_cosh(values).numpy(), expected, rtol=1e-6, atol=1e-7)


def distances(centres):
    """Hamming distances of all pairs of rows."""
    rows = centres.numpy()
    return [(rows[i] != rows[j]).sum() for i in range(len(rows)) for j in range(i)]


@pytest.mark.parametrize("order", [1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 44, 48, 64, 128])
def test_hadamard_matrices_are_orthogonal(order):
    matrix = hadamard(order)
    assert set(np.unique(matrix)) <= {-1, 1}
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))


@pytest.mark.parametrize("order", [3, 6, 7, 18, 28, 36, 47, 100])
def test_other_orders_have_no_matrix_here(order):
    assert hadamard(order) is None


@pytest.mark.parametrize(("classes", "bits"), [(10, 16), (10, 48), (48, 48), (32, 16), (10, 64)])
def test_spread_centres_differ_in_half_of_the_bits(classes, bits):
    torch.manual_seed(1)
    found = distances(make_centres(classes, bits))
    # Past `bits` classes the opposites come in, which differ in all bits.
    assert set(found) <= {bits // 2, bits}
    assert (bits in found) == (classes > bits)


@pytest.mark.parametrize(("classes", "bits"), [(10, 9), (10, 36), (10, 47), (100, 28), (80, 24)])
def test_without_a_matrix_centres_are_balanced_and_farther_apart_than_random_ones(classes, bits):
    torch.manual_seed(1)
    spread = make_centres(classes, bits)
    random = [min(distances(make_centres(classes, bits, "random"))) for _ in range(3)]
    assert spread.shape == (classes, bits)
    assert set(spread.unique().tolist()) == {-1, 1}
    assert min(distances(spread)) > max(random)
    if bits > 12:
        assert set(spread.sum(1).tolist()) == {2 * (bits // 2) - bits}


def test_centres_follow_the_seed_and_differ_or_are_refused():
    for kind in ("spread", "random"):
        drawn = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            drawn.append(make_centres(10, 48, kind))
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])
    assert len(make_centres(8, 3).unique(dim=0)) == 8
    with pytest.raises(ParameterError, match="bits: 3 are too few to tell 9 classes apart"):
        make_centres(9, 3)
    with pytest.raises(ParameterError, match="bits: 2"):
        make_centres(5, 2, "random")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dpsh", {"eta": -1}),
        ("dpsh", {"quantizer": "cube"}),
        ("hashnet", {"a": 0}),
        ("hashnet", {"growth": float("nan")}),
        ("hashnet", {"period": 0}),
        ("greedyhash", {"alpha": -1}),
        ("csq", {"weight": float("inf")}),
        ("csq", {"centres": "near"}),
        ("dpn", {"margin": 0}),
        ("dpn", {"centres": "near"}),
        ("orthohash", {"scale": 0}),
        ("orthohash", {"margin": -0.1}),
        ("orthohash", {"centres": "near"}),
    ],
)
def test_bad_options_are_refused(name, options):
    with pytest.raises(ParameterError, match=f"^{next(iter(options))}: expected"):
        make_loss(name, **options)


@pytest.mark.parametrize("name", SUPERVISED)
def test_training_learns_and_the_file_keeps_the_encoder(name, tmp_path):
    images, labels = patterns()
    new, new_labels = patterns(n=60, seed=1)
    trained = quick(loss=name, epochs=8).fit(images, labels)
    codes, queries = trained.transform(images), trained.transform(new)
    assert mean_average_precision(queries, new_labels, codes, labels) > 0.9
    trained.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == trained.fingerprint
    np.testing.assert_array_equal(loaded.transform(new), queries)


@pytest.mark.parametrize("name", ["hashnet", "greedyhash", "orthohash"])
def test_a_resumed_training_ends_with_the_same_weights(name, tmp_path):
    images, labels = patterns()
    options = {"loss": make_loss(name, **({"period": 2} if name == "hashnet" else {}))}
    options["head_rate"] = 2.0
    whole = quick(**options).fit(images, labels)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(**options, progress=stop_after(2)).fit(images, labels, checkpoint=path)
    assert quick(**options).fit(images, labels, checkpoint=path).fingerprint == whole.fingerprint
