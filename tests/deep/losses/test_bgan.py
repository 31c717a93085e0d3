"""BGAN: each term against numpy, and who learns from which."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import DeepHasher, make_loss  # noqa: E402
from hashret.deep.losses.unsupervised.bgan import are_neighbours, leading_axes  # noqa: E402
from hashret.errors import HashretError, TrainingError  # noqa: E402

BITS, N, WIDTH = 5, 9, 4


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(**options):
    torch.manual_seed(3)
    loss = make_loss("bgan", **{"width": WIDTH, "hidden": 6, **options})
    loss.setup(BITS, 0)
    return loss.double()


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, BITS)), rng.normal(size=(N, WIDTH))


def layer(module, rows):
    return rows @ module.weight.detach().numpy().T + module.bias.detach().numpy()


def terms(u, x, loss):
    """Return what the network learns from, and what the critic learns from."""
    z = np.tanh(u)
    directions = x / np.linalg.norm(x, axis=1, keepdims=True)
    near = np.zeros((N, N), bool)
    for i in range(N):
        others = sorted(
            (j for j in range(N) if j != i), key=lambda j: -directions[i] @ directions[j]
        )
        near[i, others[: max(1, round(loss.neighbours * (N - 1)))]] = True
    pairs = [(i, j) for i in range(N) for j in range(i)]
    kept = np.mean(
        [(z[i] @ z[j] / BITS - (2 * (near[i, j] | near[j, i]) - 1)) ** 2 for i, j in pairs]
    )
    sure = ((z - np.where(z > 0, 1, -1)) ** 2).mean()

    made = layer(loss.generator[2], np.maximum(layer(loss.generator[0], z), 0))

    def judge(rows):
        hidden = layer(loss.critic[0][0], rows)
        hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
        return hidden, 1 / (1 + np.exp(-layer(loss.critic[1], hidden)))

    (hidden_made, taken_made), (hidden_real, taken_real) = judge(made), judge(x)
    content = ((made - x) ** 2).mean() + ((hidden_made - hidden_real) ** 2).mean()
    fooling = -np.log(taken_made).mean()
    judging = -np.log(taken_real).mean() - np.log(1 - taken_made).mean()
    learned = kept + loss.quantization * sure + loss.content * content + loss.adversarial * fooling
    return learned, loss.adversarial * judging


OPTIONS = [
    {"quantization": 0.0, "content": 0.0, "adversarial": 0.0},
    {"quantization": 0.4, "content": 0.0, "adversarial": 0.0},
    {"quantization": 0.0, "content": 0.7, "adversarial": 0.0},
    {"quantization": 0.0, "content": 0.0, "adversarial": 0.9},
    {"neighbours": 0.3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_loss_is_the_sum_of_its_terms(options):
    loss = make(**options)
    u, x = batch(1)
    value = loss(torch.tensor(u), torch.tensor(x)).item()
    assert value == pytest.approx(sum(terms(u, x, loss)), rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_network_and_generator_learn_from_all_but_the_critics_own_term(options):
    loss = make(**options)
    u, x = batch(2)
    given = torch.tensor(u, requires_grad=True)
    loss(given, torch.tensor(x)).backward()
    step, expected = 1e-6, np.empty_like(u)
    for place in np.ndindex(*u.shape):
        up, down = u.copy(), u.copy()
        up[place] += step
        down[place] -= step
        expected[place] = (terms(up, x, loss)[0] - terms(down, x, loss)[0]) / (2 * step)
    np.testing.assert_allclose(given.grad.numpy(), expected, atol=1e-8)

    for part, which in ((loss.generator, 0), (loss.critic, 1)):
        for parameter in part.parameters():
            flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
            for place in range(len(flat)):
                before = flat[place].item()
                sides = []
                for side in (before + step, before - step):
                    flat[place] = side
                    sides.append(terms(u, x, loss)[which])
                flat[place] = before
                slope = (sides[0] - sides[1]) / (2 * step)
                assert gradient[place].item() == pytest.approx(slope, abs=1e-8)


def test_neighbours_are_mutual_and_at_least_one():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.3, 1.0], [-1.0, 0.5]])
    near = are_neighbours(vectors, 0.01)
    assert torch.equal(near, near.T)
    assert not near.diagonal().any()
    assert near.nonzero().tolist() == [[0, 1], [1, 0], [2, 3], [2, 4], [3, 2], [4, 2]]


def test_principal_components_keep_distances_and_have_mean_square_one():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(200, 6)) @ np.diag([9, 5, 1, 1, 0.1, 0.1]) + 7
    whole = leading_axes(torch.tensor(features), 6).numpy()
    assert (whole**2).mean() == pytest.approx(1)
    scale = np.linalg.norm(features[0] - features[1]) / np.linalg.norm(whole[0] - whole[1])
    np.testing.assert_allclose(
        np.linalg.norm(features[2] - features[3]), scale * np.linalg.norm(whole[2] - whole[3])
    )
    spread = leading_axes(torch.tensor(features), 2).numpy().var(0)
    assert spread[0] > spread[1]
    wider = leading_axes(torch.tensor(features), 9).numpy()
    np.testing.assert_allclose(wider[:, :6], whole)
    assert not wider[:, 6:].any()
    assert not leading_axes(torch.ones(5, 3), 2).any()


def test_bad_batches_and_options_are_refused():
    u, x = batch()
    with pytest.raises(TrainingError, match="features: expected one row for each"):
        make()(torch.tensor(u), torch.tensor(x[1:]))
    for options in (
        {"neighbours": 0},
        {"neighbours": 1},
        {"quantization": -1},
        {"content": float("nan")},
        {"adversarial": float("inf")},
        {"width": 0},
        {"hidden": 2.5},
    ):
        with pytest.raises(HashretError, match=f"^{next(iter(options))}: expected"):
            make_loss("bgan", **options)


def test_training_finds_the_patterns_and_resumes_generator_and_critic(tmp_path):
    images, labels = patterns()
    features = images.reshape(len(images), -1).astype(np.float32)
    options = {"loss": make_loss("bgan", width=16, hidden=32, neighbours=0.3), "epochs": 6}
    trained = quick(**options).fit(images, features=features)
    codes = trained.transform(images)
    assert mean_average_precision(codes[:60], labels[:60], codes, labels) > 0.7
    trained.save(tmp_path / "encoder")
    assert DeepHasher.load(tmp_path / "encoder").fingerprint == trained.fingerprint
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(**options, progress=stop_after(2)).fit(images, features=features, checkpoint=path)
    resumed = quick(**options).fit(images, features=features, checkpoint=path)
    assert resumed.fingerprint == trained.fingerprint
