"""Dynamic pruning: which images an epoch takes, what they weigh, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import DeepHasher, loss_names, make_loss  # noqa: E402
from hashret.deep.saving.storage import read_tensors  # noqa: E402
from hashret.errors import ParameterError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

BITS, CLASSES, N = 6, 4, 40
OF_IMAGES = [name for name in loss_names() if make_loss(name).by_image]


def make(name, **options):
    torch.manual_seed(5)
    loss = make_loss(name, **options)
    loss.setup(BITS, CLASSES)
    return loss.double()


def batch(loss, several=False):
    """Outputs as wide as the loss asks, and class numbers or tables with one to four classes."""
    rng = np.random.default_rng(3)
    outputs = torch.tensor(rng.normal(size=(N, loss.outputs)) * 1.3)
    labels = np.arange(N) % CLASSES
    if several:
        labels = np.maximum(np.eye(CLASSES)[labels], rng.random((N, CLASSES)) < 0.2)
    return outputs, torch.tensor(labels)


def after_an_epoch(share, losses):
    """A loss that has seen every image once, with these losses."""
    loss = make("pruned", loss="dpn", share=share)
    targets = loss.prepare(torch.arange(len(losses)) % CLASSES)
    loss.recent[:] = torch.tensor(losses)
    loss.start_epoch(0.5)
    return loss, targets


def test_the_losses_of_images_are_those_that_are_no_mean_over_pairs():
    assert OF_IMAGES == ["classifier", "cnnh", "csq", "dpn", "greedyhash", "orthohash"]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_with_equal_weights_it_is_the_loss_within(name, several):
    if several and name == "classifier":
        pytest.skip("takes one label an image")
    loss = make("pruned", loss=name)
    outputs, labels = batch(loss, several)
    torch.manual_seed(0)
    targets = loss.prepare(labels)
    torch.manual_seed(0)
    within = loss.loss.prepare(labels)
    given, alone = outputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    value, expected = loss(given, targets, rows=torch.arange(N)), loss.loss(alone, within)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    value.backward()
    expected.backward()
    torch.testing.assert_close(given.grad, alone.grad, rtol=1e-6, atol=1e-9)
    # What it remembers is the loss of each image.
    single = [loss.loss(outputs[[i]], within[[i]]).item() for i in range(N)]
    np.testing.assert_allclose(loss.recent.numpy(), single, rtol=1e-5)


def test_images_weigh_what_makes_up_for_being_left_out():
    loss, targets = after_an_epoch(0.75, np.r_[np.full(30, 0.1), np.full(10, 5.0)])
    loss.epoch_order(targets)
    outputs, labels = batch(loss)
    chosen = [3, 35, 12, 39, 3]
    rows = torch.tensor(chosen)
    given = outputs[rows].requires_grad_()
    single = [loss.loss(outputs[[i]], labels[[i]]).item() for i in chosen]
    expected = np.mean(np.array([4, 1, 4, 1, 4]) * single)
    assert loss(given, targets[rows], rows=rows).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda u: loss(u, targets[rows], rows=rows), (given,))
    np.testing.assert_allclose(loss.recent[rows].numpy(), single, rtol=1e-6)


def test_an_epoch_is_made_of_passes_that_leave_out_easy_images():
    count, hard = 2000, 400
    loss, targets = after_an_epoch(0.5, np.r_[np.full(hard, 5.0), np.full(count - hard, 0.1)])
    torch.manual_seed(0)
    rows = loss.epoch_order(targets)
    assert len(rows) == count
    # About hard + (count - hard) / 2 = 1,200 in a pass.
    first = rows[:1150]
    assert len(first.unique()) == 1150
    assert np.bincount(rows, minlength=count)[:hard].min() >= 1
    drawn = sum(np.bincount(loss.epoch_order(targets), minlength=count) for _ in range(60)) / 60
    assert drawn[:hard].mean() == pytest.approx(count / 1200, rel=0.03)
    assert drawn[hard:].mean() == pytest.approx(count / 2400, rel=0.03)
    # Weighed, all count alike; the order mixes both kinds.
    assert 2 * drawn[hard:].mean() == pytest.approx(drawn[:hard].mean(), rel=0.03)
    assert 0.2 < (rows[:200] < hard).float().mean() < 0.5


@pytest.mark.parametrize("when", ["at first", "all alike", "at the end", "share 0"])
def test_an_epoch_of_all_images(when):
    loss, targets = after_an_epoch(0 if when == "share 0" else 0.5, np.linspace(0, 1, N))
    if when == "at first":
        targets = loss.prepare(torch.zeros(N, dtype=torch.long))
    if when == "all alike":
        loss.recent[:] = 0.25
    if when == "at the end":
        loss.start_epoch(0.875)
    assert sorted(loss.epoch_order(targets).tolist()) == list(range(N))
    outputs, labels = batch(loss)
    if when == "at the end":
        value = loss(outputs, targets, rows=torch.arange(N))
        assert value.item() == pytest.approx(loss.loss(outputs, labels).item())


def test_images_that_no_batch_took_are_not_easy():
    loss, _ = after_an_epoch(0.9, np.r_[np.full(20, 0.1), np.full(10, 5.0)])
    fresh = make("pruned", loss="dpn", share=0.9)
    fresh.prepare(torch.zeros(40, dtype=torch.long))
    fresh.recent[:30] = loss.recent
    fresh.start_epoch(0.5)
    rows = fresh.epoch_order(torch.zeros(40, dtype=torch.long))
    assert np.bincount(rows, minlength=40)[20:].min() >= 1


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    images, labels = patterns()
    loss = make_loss("pruned", loss="greedyhash")
    whole = quick(loss=loss, epochs=6).fit(images, labels)
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(loss=loss, epochs=6, progress=stop_after(3)).fit(
            images, labels, checkpoint=checkpoint
        )
    resumed = quick(loss=loss, epochs=6).fit(images, labels, checkpoint=checkpoint)
    assert resumed.fingerprint == whole.fingerprint
    assert [row["loss"] for row in resumed.history_] == [row["loss"] for row in whole.history_]
    plain = quick(loss="greedyhash", epochs=6).fit(images, labels)
    assert plain.fingerprint != whole.fingerprint


def test_training_learns_and_the_file_has_no_trace_of_the_images(tmp_path):
    images, labels = patterns()
    new, new_labels = patterns(n=60, seed=1)
    trained = quick(loss=make_loss("pruned", loss="csq"), epochs=8, validation=0.2)
    trained.fit(images, labels)
    codes, queries = trained.transform(images), trained.transform(new)
    assert mean_average_precision(queries, new_labels, codes, labels) > 0.9
    trained.save(tmp_path / "encoder")
    tensors, _ = read_tensors(tmp_path / "encoder", "deep encoder")
    assert tensors["loss.recent"].numel() == 0
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == trained.fingerprint
    np.testing.assert_array_equal(loaded.transform(new), queries)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("balanced", {"loss": make_loss("pruned", loss="dpn")}),
        ("regularised", {"loss": make_loss("pruned", loss="dpn"), "balance": 1.0}),
        ("self-distilled", {"loss": make_loss("pruned", loss="dpn")}),
        ("semi-supervised", {"loss": make_loss("pruned", loss="dpn")}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_it_trains_within_other_wrappers(name, options, tmp_path):
    images, labels = patterns(n=120)
    given = np.where(np.arange(120) % 3 == 0, -1, labels) if name == "semi-supervised" else labels
    trained = quick(loss=make_loss(name, **options), epochs=4).fit(images, given)
    trained.save(tmp_path / "encoder")
    assert DeepHasher.load(tmp_path / "encoder").fingerprint == trained.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "dsh"}, "loss: expected a mean of the losses of single images, got 'dsh'"),
        ({"loss": "cibhash"}, "loss: expected a mean"),
        ({"loss": {"name": "balanced", "options": {"loss": "dpn"}}}, "loss: expected a mean"),
        ({"loss": "dpn", "share": 1}, "share: expected at least 0 and less than 1, got 1"),
        ({"loss": "dpn", "share": float("nan")}, "share: expected"),
        ({"loss": "dpn", "until": 1.5}, "until: expected 0 to 1, got 1.5"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        make_loss("pruned", **options)
