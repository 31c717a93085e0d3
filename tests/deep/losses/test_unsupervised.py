"""Losses without labels against their formulas in numpy; gradients through the sign."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import DeepHasher, make_loss  # noqa: E402
from hashret.deep.losses.unsupervised.bihalf import half_code  # noqa: E402
from hashret.errors import ParameterError, TrainingError  # noqa: E402

BITS, N, WIDTH = 6, 9, 5


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name, **options):
    loss = make_loss(name, **options)
    loss.setup(BITS, 0)
    return loss.double()


def batch(seed=0, rows=N):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, BITS)) * 1.3, rng.normal(size=(rows, WIDTH))


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def gap(codes, features):
    pairs = [(i, j) for i in range(len(codes)) for j in range(i)]
    return np.mean(
        [(cosine(codes[i], codes[j]) - cosine(features[i], features[j])) ** 2 for i, j in pairs]
    )


def signs(outputs):
    return np.where(outputs > 0, 1.0, -1.0)


def halves(outputs):
    codes = -np.ones_like(outputs)
    for column in range(outputs.shape[1]):
        order = sorted(range(len(outputs)), key=lambda i: -outputs[i, column])
        codes[order[: len(outputs) // 2], column] = 1
    return codes


def slopes(function, point):
    """The gradient of a function of an array by central differences."""
    gradient, step = np.empty_like(point), 1e-6
    for place in np.ndindex(*point.shape):
        up, down = point.copy(), point.copy()
        up[place] += step
        down[place] -= step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient


def value_and_gradient(loss, outputs, features):
    tensor = torch.tensor(outputs, requires_grad=True)
    value = loss(tensor, torch.tensor(features))
    value.backward()
    return value.item(), tensor.grad.numpy()


@pytest.mark.parametrize("rows", [2, 8, 9])
@pytest.mark.parametrize("gamma", [0.0, 6.0])
def test_bihalf_keeps_cosines_with_half_of_each_bit_set(rows, gamma):
    outputs, features = batch(rows, rows)
    codes = halves(outputs)
    assert (codes == 1).sum(0).tolist() == [rows // 2] * BITS
    value, gradient = value_and_gradient(make("bihalf", gamma=gamma), outputs, features)
    pull = gamma * (outputs - codes) / outputs.size
    expected = gap(codes, features) + gamma / 2 * ((outputs - codes) ** 2).mean()
    assert value == pytest.approx(expected, rel=1e-12)
    through = slopes(lambda b: gap(b, features), codes)
    np.testing.assert_allclose(gradient, through + pull, atol=1e-8)


def test_half_codes_take_equal_outputs_in_order():
    codes = half_code(torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 2.0], [0.0, 2.0]]))
    assert codes.T.tolist() == [[1, 1, -1, -1], [-1, 1, 1, -1]]


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.7])
def test_unsupervised_greedyhash_keeps_cosines_of_hard_codes(alpha):
    outputs, features = batch(3)
    outputs[0, 0] = 0.0
    loss = make("greedyhash-unsupervised", alpha=alpha)
    value, gradient = value_and_gradient(loss, outputs, features)
    distance = np.abs(outputs) - 1
    expected = gap(signs(outputs), features) + alpha * (np.abs(distance) ** 3).mean()
    assert value == pytest.approx(expected, rel=1e-12)
    through = slopes(lambda b: gap(b, features), signs(outputs))
    cubic = alpha * 3 * distance * np.abs(distance) * np.sign(outputs) / outputs.size
    np.testing.assert_allclose(gradient, through + cubic, atol=1e-8)


@pytest.mark.parametrize("name", ["bihalf", "greedyhash-unsupervised"])
def test_features_are_centred_unless_told_otherwise(name):
    _, features = batch(4)
    given = torch.tensor(features + 10)
    centred = make(name).prepare(given).numpy()
    np.testing.assert_allclose(centred, features - features.mean(0), atol=1e-12)
    assert make(name, centre=False).prepare(given) is given


@pytest.mark.parametrize("name", ["bihalf", "greedyhash-unsupervised"])
def test_equal_features_give_finite_gradients_and_misfits_are_refused(name):
    outputs, features = batch(5)
    _, gradient = value_and_gradient(make(name), outputs, np.zeros_like(features))
    assert np.isfinite(gradient).all()
    with pytest.raises(TrainingError, match="features: expected one row for each"):
        make(name)(torch.tensor(outputs), torch.tensor(features[1:]))
    with pytest.raises(TrainingError, match="2 rows, got 1"):
        make(name)(torch.tensor(outputs[:1]), torch.tensor(features[:1]))


def contrast(codes, temperature):
    """NT-Xent, term by term; row i of one view belongs to row i of the other."""
    count = len(codes) // 2
    terms = []
    for i in range(2 * count):
        alike = np.exp([cosine(codes[i], codes[j]) / temperature for j in range(2 * count)])
        terms.append(-np.log(alike[(i + count) % (2 * count)] / (alike.sum() - alike[i])))
    return np.mean(terms)


def divergence(p, q):
    return (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(1).mean()


@pytest.mark.parametrize("weight", [0.0, 0.5])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_cibhash_is_contrast_plus_divergence(weight, temperature):
    outputs, _ = batch(6, 8)
    p = 1 / (1 + np.exp(-outputs))
    loss = make("cibhash", temperature=temperature, weight=weight)
    value, gradient = value_and_gradient(loss, outputs, np.empty((8, 0)))
    both = (divergence(p[:4], p[4:]) + divergence(p[4:], p[:4])) / 2
    assert value == pytest.approx(contrast(signs(outputs), temperature) + weight * both, rel=1e-10)

    through = slopes(lambda b: contrast(b, temperature), signs(outputs))
    fixed = p.copy()

    def held(u):
        q = 1 / (1 + np.exp(-u))
        return (divergence(q[:4], fixed[4:]) + divergence(q[4:], fixed[:4])) / 2

    expected = through * p * (1 - p) + weight * slopes(held, outputs)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_sampled_codes_are_set_as_often_as_their_probability_and_follow_the_seed():
    loss = make("cibhash", code="sampled", weight=0.0)
    outputs = torch.tensor(batch(7, 8)[0])
    values = []
    for seed in (0, 0, *range(1, 30)):
        torch.manual_seed(seed)
        values.append(loss(outputs, torch.empty(8, 0)).item())
    assert values[0] == values[1]
    assert len(set(values)) > 20
    # Certain bits leave nothing to chance.
    sure = 50 * torch.sign(outputs)
    assert loss(sure, torch.empty(8, 0)).item() == pytest.approx(
        contrast(signs(outputs.numpy()), 0.3), rel=1e-10
    )


def test_cibhash_does_not_overflow_and_refuses_half_pairs():
    outputs = torch.full((8, BITS), 500.0)
    outputs[4:] = -500.0
    outputs.requires_grad_()
    value = make("cibhash")(outputs, torch.empty(8, 0))
    value.backward()
    assert value.isfinite()
    assert outputs.grad.isfinite().all()
    for rows in (2, 7):
        with pytest.raises(TrainingError, match="two views of at least two images"):
            make("cibhash")(torch.zeros(rows, BITS), torch.empty(rows, 0))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bihalf", {"gamma": -1}),
        ("greedyhash-unsupervised", {"alpha": float("nan")}),
        ("cibhash", {"temperature": 0}),
        ("cibhash", {"weight": -1}),
        ("cibhash", {"code": "soft"}),
    ],
)
def test_bad_options_are_refused(name, options):
    with pytest.raises(ParameterError, match=f"^{next(iter(options))}: expected"):
        make_loss(name, **options)


def unlabelled_patterns(n=192, seed=0):
    images, labels = patterns(n=n, seed=seed)
    return images, labels, images.reshape(n, -1).astype(np.float32)


@pytest.mark.parametrize("name", ["bihalf", "greedyhash-unsupervised", "cibhash"])
def test_training_without_labels_finds_the_patterns(name, tmp_path):
    images, labels, features = unlabelled_patterns()
    new, new_labels, _ = unlabelled_patterns(60, 1)
    trained = quick(loss=name, epochs=12).fit(images, features=features)
    codes, queries = trained.transform(images), trained.transform(new)
    assert mean_average_precision(queries, new_labels, codes, labels) > 0.6
    trained.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == trained.fingerprint
    np.testing.assert_array_equal(loaded.transform(new), queries)


def test_a_resumed_training_draws_the_same_samples(tmp_path):
    images, _, _ = unlabelled_patterns()
    options = {"loss": make_loss("cibhash", code="sampled")}
    whole = quick(**options).fit(images)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(**options, progress=stop_after(2)).fit(images, checkpoint=path)
    assert quick(**options).fit(images, checkpoint=path).fingerprint == whole.fingerprint
