"""What the training loop hands to a loss: steps, views, targets, rates."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from hashret.deep import DeepHasher  # noqa: E402
from hashret.deep.losses import Loss  # noqa: E402
from hashret.deep.model.hash_model import HashModel  # noqa: E402
from hashret.deep.training.examples import Examples  # noqa: E402
from hashret.deep.training.loop import one_cycle, train  # noqa: E402
from hashret.deep.training.settings import Settings  # noqa: E402
from hashret.errors import CodeError, DTypeError, ParameterError, ShapeError  # noqa: E402

N = 12
IMAGES = np.arange(N, dtype=np.uint8)[:, None, None, None]
SETTINGS = Settings(
    epochs=3,
    batch_size=4,
    learning_rate=1e-30,
    head_rate=1.0,
    weight_decay=0.0,
    flip=False,
    shift=0,
    ema=None,
    bfloat16=False,
    seed=0,
)


class Recorder(Loss):
    """Keeps what it is given."""

    name = "recorder"

    def __init__(self):
        super().__init__()
        self.steps, self.batches = [], []

    def start_step(self, step):
        self.steps.append(step)

    def forward(self, outputs, targets):
        self.batches.append((outputs.detach().clone(), targets))
        return outputs.square().mean()


def pixel_model():
    """A model whose only output is the value of the only pixel."""
    model = HashModel(torch.nn.Flatten(), (1, 1, 1), 1)
    with torch.no_grad():
        model.head.weight.fill_(255.0)
        model.head.bias.zero_()
    return model


def run(loss, targets, model=None, settings=SETTINGS, **options):
    model = model or pixel_model()
    examples = Examples(torch.from_numpy(IMAGES), targets)
    train(model, loss, examples, settings, lambda now: None, **options)
    return model


def test_a_loss_is_told_every_step_also_after_resuming(tmp_path):
    whole, first, second = Recorder(), Recorder(), Recorder()
    run(whole, torch.arange(N))
    assert whole.steps == list(range(9))

    class Stop(Exception):
        pass

    def stop(now):
        if now.epoch == 3:
            raise Stop

    arguments = Examples(torch.from_numpy(IMAGES), torch.arange(N)), SETTINGS
    with pytest.raises(Stop):
        train(pixel_model(), first, *arguments, stop, tmp_path / "checkpoint")
    run(second, torch.arange(N), checkpoint=tmp_path / "checkpoint")
    assert second.steps == [6, 7, 8]


@pytest.mark.parametrize("views", [1, 2, 3])
def test_views_and_targets_belong_to_the_same_images(views):
    loss = Recorder()
    loss.views = views
    features = torch.arange(N)[:, None] * torch.tensor([1.0, -2.0])
    run(loss, features)
    for outputs, targets in loss.batches:
        assert outputs.shape == (4 * views, 1)
        torch.testing.assert_close(outputs, targets[:, :1])
        torch.testing.assert_close(targets[:, 1], -2 * targets[:, 0])
        assert torch.equal(outputs, outputs[:4].repeat(views, 1))
    seen = torch.cat([targets[:4, 0] for _, targets in loss.batches[:3]])
    assert seen.sort().values.tolist() == list(range(N))


def test_views_of_an_image_differ():
    loss = Recorder()
    loss.views = 2
    images = np.random.default_rng(0).integers(0, 256, (16, 9, 9), dtype=np.uint8)
    hasher = DeepHasher(loss=loss, bits=4, epochs=1, batch_size=16, random_state=0, progress=None)
    loss = hasher.fit(images, np.arange(16) // 2)._encoder.loss
    first, second = loss.batches[0][0].chunk(2)
    assert (first != second).any(1).sum() > 8


@pytest.mark.parametrize("head_rate", [1.0, 10.0, 0.1])
def test_hash_layer_and_loss_learn_at_their_own_rate(head_rate):
    class Weighted(Recorder):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, outputs, targets):
            return (outputs * self.weight).square().mean() + outputs.square().mean()

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 3))
    model, loss = HashModel(network, (1, 1, 1), 2), Weighted()
    before = [p.detach().clone() for p in (network[1].weight, model.head.weight, loss.weight)]
    settings = Settings(
        **{**vars(SETTINGS), "epochs": 1, "batch_size": N, "learning_rate": 1e-2}
        | {"head_rate": head_rate}
    )
    run(loss, torch.arange(N), model, settings)
    after = [network[1].weight, model.head.weight, loss.weight]
    moved = [(a - b).abs().max().item() for a, b in zip(after, before, strict=True)]
    # Adam's first step is the rate in each weight; the cycle begins at 0.04 of the peak.
    expected = [4e-4, 4e-4 * head_rate, 4e-4 * head_rate]
    assert moved == pytest.approx(expected, rel=1e-2)


class FromFeatures(Recorder):
    name = "from-features"
    target = "features"


class FromNothing(Recorder):
    name = "from-nothing"
    target = "nothing"


def hasher(loss):
    return DeepHasher(
        torch.nn.Flatten(), loss, bits=3, epochs=1, batch_size=4, random_state=0, progress=None
    )


def test_losses_without_labels_train_without_them():
    images = np.random.default_rng(0).integers(0, 256, (N, 5, 5), dtype=np.uint8)
    features = np.random.default_rng(1).normal(size=(N, 7))
    for loss, given in ((FromFeatures(), {"features": features}), (FromNothing(), {})):
        trained = hasher(loss).fit(images, **given)
        assert trained._encoder.loss.classes == 0
        assert trained.classes_.tolist() == []
        assert trained.transform(images).shape == (N, 1)
        assert hasher(loss).fit(images, np.zeros(N), **given).fingerprint == trained.fingerprint
    targets = torch.cat(
        [rows for _, rows in hasher(FromNothing()).fit(images)._encoder.loss.batches]
    )
    assert targets.shape == (N, 0)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (None, ParameterError, "features: the loss learns from a vector of each image"),
        (np.zeros(N), ShapeError, r"features: expected \(12, d\)"),
        (np.zeros((N - 1, 2)), ShapeError, r"features: expected \(12, d\)"),
        (np.zeros((N, 0)), ShapeError, r"features: expected \(12, d\)"),
        (np.full((N, 2), "a"), DTypeError, "features: expected real numbers"),
        (np.diag([np.nan, *np.zeros(N - 1)]), CodeError, "features: NaN or infinity in row 0"),
        (np.diag([*np.zeros(N - 1), 1e300]), CodeError, "features: NaN or infinity in row 11"),
    ],
)
def test_fit_refuses_bad_features(features, error, message):
    images = np.zeros((N, 5, 5), np.uint8)
    with pytest.raises(error, match=message):
        hasher(FromFeatures()).fit(images, features=features)


def test_fit_refuses_too_little_to_learn_from():
    with pytest.raises(ParameterError, match="labels: the loss learns from the classes"):
        hasher("dsh").fit(np.zeros((N, 5, 5), np.uint8))
    for count in (0, 1):
        with pytest.raises(ParameterError, match="images: expected at least two, got"):
            hasher(FromNothing()).fit(np.zeros((count, 5, 5), np.uint8))
    with pytest.raises(ParameterError, match=r"^head_rate: "):
        DeepHasher(head_rate=0.0).fit(np.zeros((4, 5, 5), np.uint8), [0, 0, 1, 1])


def test_one_cycle_rises_then_falls():
    rates = [one_cycle(done / 100) for done in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[25] == 1
    assert rates[-1] == pytest.approx(0)
    assert all(np.diff(rates[:26]) > 0)
    assert all(np.diff(rates[25:]) < 0)
