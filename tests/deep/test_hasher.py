"""Deep hashing: losses against their formulas, training, files, bad input."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.codes import pack  # noqa: E402
from hashret.deep import DeepHasher, loss_names, make_loss, network_names  # noqa: E402
from hashret.deep.augment import augment  # noqa: E402
from hashret.deep.losses import DSH, Classifier, Loss  # noqa: E402
from hashret.deep.losses.dsh import pair_order  # noqa: E402
from hashret.deep.training import one_cycle  # noqa: E402
from hashret.errors import (  # noqa: E402
    CodeError,
    DTypeError,
    FormatError,
    HashretError,
    ParameterError,
    ShapeError,
    TrainingError,
)

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


def test_classifier_is_cross_entropy_with_its_gradients():
    outputs, labels = random_batch(4, bits=3)
    loss = Classifier()
    loss.setup(bits=2, classes=3)
    shares = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(12), labels]).mean()
    tensor = torch.tensor(outputs, requires_grad=True)
    assert loss(tensor, torch.tensor(labels)).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda b: loss(b, torch.tensor(labels)), (tensor,))


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


def test_the_registry_knows_losses_and_their_options():
    assert {"dsh", "classifier"} <= set(loss_names())
    for name in loss_names():
        loss = make_loss(name)
        assert loss.name == name
        assert make_loss(name, **loss.options()).options() == loss.options()
    with pytest.raises(ParameterError, match=r"expected one of .*dsh.*, got 'dhs'"):
        make_loss("dhs")
    with pytest.raises(ParameterError, match="beta: the loss 'dsh' takes alpha, margin"):
        make_loss("dsh", beta=1)


@pytest.mark.parametrize(
    "options",
    [{"alpha": -1}, {"alpha": float("nan")}, {"margin": 0}, {"pairs": "some"}, {"weights": "x"}],
)
def test_dsh_refuses_bad_options(options):
    with pytest.raises(ParameterError, match=f"^{next(iter(options))}: expected"):
        DSH(**options)


def test_augment_gives_shifted_mirrored_copies_only():
    images = torch.randint(1, 256, (40, 6, 5, 3), dtype=torch.uint8)
    torch.manual_seed(0)
    views = augment(images, flip=True, shift=1)
    padded = np.pad(images.numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for view, image in zip(views.numpy(), padded, strict=True):
        matches = [
            (mirror, dy, dx)
            for mirror in (False, True)
            for dy in range(3)
            for dx in range(3)
            if np.array_equal(view, (image[:, ::-1] if mirror else image)[dy : dy + 6, dx : dx + 5])
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 12
    assert torch.equal(augment(images, flip=False, shift=0), images)


def test_cutout_blackens_a_square_in_half_of_the_images():
    images = torch.randint(1, 256, (2000, 6, 9, 3), dtype=torch.uint8)
    torch.manual_seed(0)
    views = augment(images, flip=False, shift=0, cutout=3)
    black = (views == 0).numpy()
    assert torch.equal(torch.where(views == 0, images, views), images)
    assert 900 < black.any((1, 2, 3)).sum() < 1100
    whole = 0
    for gone in black[black.any((1, 2, 3))]:
        rows, columns = np.where(gone.any((1, 2)))[0], np.where(gone.any((0, 2)))[0]
        assert gone[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert gone.sum() == 3 * len(rows) * len(columns), "a rectangle, in all channels"
        assert 2 <= len(rows) <= 3
        assert 2 <= len(columns) <= 3
        whole += len(rows) == len(columns) == 3
    # The centre is inside and not on the edge in 4 of 6 rows and 7 of 9 columns.
    assert 0.46 < whole / black.any((1, 2, 3)).sum() < 0.58


def test_mirror_encodes_by_the_mean_of_both_views(tmp_path):
    images, labels = patterns(channels=3)
    plain = quick(epochs=1).fit(images, labels)
    both = quick(epochs=1, mirror=True).fit(images, labels)
    expected = (plain.project(images) + plain.project(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(both.project(images), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both.project(images[:, :, ::-1]), expected, rtol=1e-5, atol=1e-6)
    assert both.fingerprint != plain.fingerprint
    both.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == both.fingerprint
    np.testing.assert_array_equal(loaded.project(images), both.project(images))


def test_nudge_encodes_by_the_mean_of_five_places(tmp_path):
    images, labels = patterns(channels=3)
    plain = quick(epochs=1).fit(images, labels)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width = images.shape[1:3]
    moved = [
        padded[:, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
        for dy, dx in ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2))
    ]
    five = quick(epochs=1, nudge=2).fit(images, labels)
    expected = np.mean([plain.project(view) for view in moved], axis=0)
    np.testing.assert_allclose(five.project(images), expected, rtol=1e-5, atol=1e-6)
    ten = quick(epochs=1, nudge=2, mirror=True).fit(images, labels)
    expected = (five.project(images) + five.project(images[:, :, ::-1])) / 2
    # Moved and mirrored is not mirrored and moved, but all five places are taken.
    np.testing.assert_allclose(ten.project(images), expected, rtol=1e-5, atol=1e-6)
    assert len({hasher.fingerprint for hasher in (plain, five, ten)}) == 3
    ten.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == ten.fingerprint
    np.testing.assert_array_equal(loaded.project(images), ten.project(images))


@pytest.mark.parametrize("nudge", [-1, 0.5, "1", None, 10**9])
def test_a_nudge_that_leaves_nothing_of_an_image_is_refused(nudge):
    images, labels = patterns(channels=3)
    with pytest.raises(HashretError, match="nudge"):
        quick(nudge=nudge).fit(images, labels)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 12)])
def test_networks_of_images_give_features_of_any_small_size(channels, size):
    for name in set(network_names()) - {"linear", "mlp"}:
        images = np.random.default_rng(0).integers(0, 256, (8, size, size, channels), np.uint8)
        hasher = quick(network=name, epochs=1, batch_size=4).fit(images, np.arange(8) % 2)
        assert hasher.project(images).shape == (8, 8)
        assert np.isfinite(hasher.project(images)).all()


def test_one_cycle_rises_then_falls():
    rates = [one_cycle(done / 100) for done in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[25] == 1
    assert rates[-1] == pytest.approx(0)
    assert all(np.diff(rates[:26]) > 0)
    assert all(np.diff(rates[25:]) < 0)


@pytest.mark.parametrize(
    "loss",
    ["dsh", DSH(pairs="siamese"), DSH(weights="balanced"), "classifier", Classifier("one-hot")],
    ids=["dsh", "siamese", "balanced", "classifier", "one-hot"],
)
def test_training_learns(loss):
    images, labels = patterns()
    new, new_labels = patterns(n=60, seed=1)
    trained = quick(loss=loss, epochs=8).fit(images, labels)
    score = mean_average_precision(
        trained.transform(new), new_labels, trained.transform(images), labels
    )
    untrained = quick(loss=loss, epochs=1, learning_rate=1e-12).fit(images, labels)
    before = mean_average_precision(
        untrained.transform(new), new_labels, untrained.transform(images), labels
    )
    assert score > 0.9
    assert score > before + 0.1


def test_codes_are_the_packed_margins():
    images, labels = patterns(channels=3)
    hasher = quick(bits=13).fit(images, labels)
    margins = hasher.project(images)
    assert margins.dtype == np.float32
    assert margins.shape == (192, 13)
    np.testing.assert_array_equal(hasher.transform(images), pack(margins))
    np.testing.assert_allclose(hasher.project(images, batch_size=7), margins, atol=1e-4)
    assert hasher.transform(images[:0]).shape == (0, 2)
    assert hasher.transform(images[:1]).shape == (1, 2)
    np.testing.assert_allclose(hasher.project(images[:, ::-1][:, ::-1]), margins, atol=1e-5)


def test_a_seed_decides_the_weights():
    images, labels = patterns()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = quick().fit(images, labels)
    assert torch.equal(torch.get_rng_state(), state), "the caller's generator was touched"
    torch.manual_seed(2)
    assert quick().fit(images, labels).fingerprint == first.fingerprint
    assert first.fit(images, labels).fingerprint == quick().fit(images, labels).fingerprint
    assert quick(random_state=8).fit(images, labels).fingerprint != first.fingerprint
    unseeded = {quick(random_state=None, epochs=1).fit(images, labels).fingerprint for _ in "ab"}
    assert len(unseeded) == 2


def test_labels_may_be_strings_or_any_integers():
    images, labels = patterns()
    plain = quick(epochs=1).fit(images, labels)
    named = quick(epochs=1).fit(images, np.array(["a", "b", "c"])[labels])
    sparse = quick(epochs=1).fit(images, labels * 1000 - 5)
    np.testing.assert_array_equal(named.classes_, ["a", "b", "c"])
    np.testing.assert_array_equal(sparse.classes_, [-5, 995, 1995])
    np.testing.assert_array_equal(plain.project(images), named.project(images))
    np.testing.assert_array_equal(plain.project(images), sparse.project(images))


@pytest.mark.parametrize("loss", ["dsh", DSH(alpha=0.005, margin=3.0), Classifier("one-hot")])
def test_save_and_load_keep_the_encoder(tmp_path, loss):
    images, labels = patterns(channels=3)
    hasher = quick(loss=loss, ema=0.9).fit(images, labels)
    path = tmp_path / "encoder.safetensors"
    hasher.save(path)
    loaded = DeepHasher.load(path)
    assert loaded.fingerprint == hasher.fingerprint
    assert loaded.bits == 8
    assert loaded.input_shape_ == (12, 12, 3)
    np.testing.assert_array_equal(loaded.project(images), hasher.project(images))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again", "encoder.safetensors"]


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(144, 20)

    def forward(self, images):
        return self.layer(images.flatten(1)).relu()


def test_any_module_is_a_network(tmp_path):
    images, labels = patterns()
    network = Tiny()
    weights = network.layer.weight.clone()
    hasher = quick(network=network).fit(images, labels)
    assert torch.equal(network.layer.weight, weights), "the caller's module was trained"
    hasher.save(tmp_path / "encoder")
    with pytest.raises(ParameterError, match=r"network: .* pass one of its form"):
        DeepHasher.load(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder", network=Tiny())
    np.testing.assert_array_equal(loaded.transform(images), hasher.transform(images))
    with pytest.raises(ParameterError, match=r"network: .* layer.bias is unexpected"):
        DeepHasher.load(tmp_path / "encoder", network=torch.nn.Flatten())
    with pytest.raises(ShapeError, match=r"network: expected features"):
        quick(network=torch.nn.Identity()).fit(images, labels)


def test_load_refuses_what_is_no_encoder(tmp_path):
    images, labels = patterns()
    path = tmp_path / "encoder"
    quick(epochs=1).fit(images, labels).save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    changed = []
    for key, value in [
        ("bits", 16),
        ("bits", -1),
        ("bits", "8"),
        ("loss", "os"),
        ("loss_options", {"alpha": []}),
        ("input_shape", [12, 12, 10**9]),
        ("input_shape", [12, 12]),
        ("input_shape", [10**12]),
        ("input_shape", 3),
        ("network", 5),
        ("network", "linear"),
        ("card", 5),
        ("kind", "checkpoint"),
    ]:
        configuration = json.loads(header["__metadata__"]["hashret"]) | {key: value}
        new = json.dumps({**header, "__metadata__": {"hashret": json.dumps(configuration)}})
        changed.append(len(new).to_bytes(8, "little") + new.encode() + data[8 + length :])
    cut = [data[:n] for n in (0, 1, 8, 100, length, len(data) // 2, len(data) - 1)]
    for bad in [b"hello, I am a text file\n" * 9, *cut, *changed]:
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(FormatError):
            DeepHasher.load(tmp_path / "bad")
    with pytest.raises(FileNotFoundError):
        DeepHasher.load(tmp_path / "absent")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    images, labels = patterns()
    hasher = quick(epochs=1).fit(images, labels)
    path = tmp_path / "encoder"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        hasher.save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["encoder"]


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"loss": DSH(pairs="siamese")}], ids=str)
def test_a_resumed_training_ends_with_the_same_weights(tmp_path, options):
    images, labels = patterns()
    whole = quick(**options).fit(images, labels)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(**options, progress=stop_after(2)).fit(images, labels, checkpoint=path)
    seen = []
    resumed = quick(**options, progress=seen.append).fit(images, labels, checkpoint=path)
    assert {now.epoch for now in seen} == {3}
    assert resumed.fingerprint == whole.fingerprint
    done = quick(**options).fit(images, labels, checkpoint=path)
    assert done.fingerprint == whole.fingerprint


KILLED = """
import os, signal, sys
import torch
from trainings import patterns, quick
torch.set_num_threads(1)
def report(now):
    if now.epoch == 3 and now.step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
quick(progress=report).fit(*patterns(), checkpoint=sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_training_resumes_with_the_same_weights(tmp_path):
    path = tmp_path / "checkpoint"
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
    run = subprocess.run([sys.executable, "-c", KILLED, path], env=environment, check=False)
    assert run.returncode == -signal.SIGKILL
    images, labels = patterns()
    resumed = quick().fit(images, labels, checkpoint=path)
    assert resumed.fingerprint == quick().fit(images, labels).fingerprint


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    images, labels = patterns()
    path = tmp_path / "checkpoint"
    quick(epochs=1).fit(images, labels, checkpoint=path)
    for other, pixels in [
        (quick(epochs=2), images),
        (quick(epochs=1, random_state=8), images),
        (quick(epochs=1, loss=DSH(alpha=0.5)), images),
        (quick(epochs=1), images[::-1]),
    ]:
        with pytest.raises(ParameterError, match=r"checkpoint: .* other images"):
            other.fit(pixels, labels, checkpoint=path)
    with pytest.raises(ParameterError, match="random_state"):
        quick(random_state=None).fit(images, labels, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError):
        quick(epochs=1).fit(images, labels, checkpoint=path)


class TurnsNaN(Loss):
    """DSH that fails in its ninth step."""

    name = "turns-nan"
    calls = 0

    def forward(self, outputs, labels):
        self.calls += 1
        return outputs.square().mean() * (float("nan") if self.calls == 9 else 1.0)


def test_nan_loss_stops_and_names_the_step_and_keeps_the_good_checkpoint(tmp_path):
    images, labels = patterns()
    path = tmp_path / "checkpoint"
    hasher = quick(loss=TurnsNaN())
    with pytest.raises(TrainingError, match="nan in epoch 2, step 3 of 6"):
        hasher.fit(images, labels, checkpoint=path)
    assert path.exists()
    with pytest.raises(ParameterError, match="not fitted"):
        hasher.transform(images)


def test_nan_outputs_never_become_codes():
    images, labels = patterns()
    hasher = quick(epochs=1).fit(images, labels)
    with torch.no_grad():
        next(hasher._model.parameters()).fill_(float("nan"))
    with pytest.raises(CodeError, match="NaN"):
        hasher.transform(images)


IMAGES, LABELS = patterns()


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (IMAGES, LABELS[:-1], ShapeError, r"labels: expected \(192,\)"),
        (IMAGES, LABELS[:, None], ShapeError, r"labels: expected \(192,\)"),
        (IMAGES, LABELS * 0, ParameterError, "labels: expected at least two classes, got 1"),
        (IMAGES, np.arange(192), ParameterError, "labels: no two images share a class"),
        (IMAGES, np.full(192, 0.5), DTypeError, "labels: expected integers or strings"),
        (IMAGES, np.full(192, np.nan), ParameterError, "labels: expected at least two classes"),
        (IMAGES[:0], LABELS[:0], ParameterError, "labels: expected at least two classes, got 0"),
        (IMAGES[:1], LABELS[:1], ParameterError, "labels: expected at least two classes, got 1"),
        (IMAGES / 255, LABELS, DTypeError, "images: expected uint8, got float64"),
        (IMAGES[0], LABELS, ShapeError, r"images: expected \(n, height, width\)"),
        (np.zeros((4, 9, 9, 4), np.uint8), [0, 0, 1, 1], ShapeError, "images: expected"),
        (np.zeros((4, 0, 9), np.uint8), [0, 0, 1, 1], ShapeError, "images: expected"),
    ],
)
def test_fit_refuses_bad_input_and_keeps_what_was_fitted(images, labels, error, message):
    hasher = quick(epochs=1, network=Tiny()).fit(IMAGES, LABELS)
    before = hasher.fingerprint
    with pytest.raises(error, match=message):
        hasher.fit(images, labels)
    assert hasher.fingerprint == before


@pytest.mark.parametrize(
    "parameter",
    [
        {"bits": 0},
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"weight_decay": -1},
        {"shift": -1},
        {"cutout": -1},
        {"ema": 1.0},
        {"precision": "float8"},
        {"device": "abacus"},
        {"random_state": -1},
        {"network": "huge-cnn"},
        {"loss": "dhs"},
    ],
    ids=str,
)
def test_fit_refuses_bad_parameters(parameter):
    with pytest.raises(ParameterError, match=f"^{next(iter(parameter))}: "):
        quick(**parameter).fit(IMAGES, LABELS)


def test_transform_refuses_images_of_another_form():
    hasher = quick(epochs=1, network=Tiny()).fit(IMAGES, LABELS)
    with pytest.raises(ShapeError, match=r"expected height, width, channels \(12, 12, 1\)"):
        hasher.transform(np.zeros((2, 13, 12), np.uint8))
    with pytest.raises(ShapeError, match=r"as in fit, got \(12, 12, 3\)"):
        hasher.transform(np.zeros((2, 12, 12, 3), np.uint8))
    with pytest.raises(ParameterError, match="not fitted"):
        quick().transform(IMAGES)


def test_a_small_set_trains_in_one_batch():
    images, labels = IMAGES[:4], np.array([0, 0, 1, 1])
    assert quick(batch_size=256).fit(images, labels).transform(images).shape == (4, 1)


def test_progress_tells_every_step():
    seen = []
    quick(epochs=2, progress=seen.append).fit(IMAGES, LABELS)
    assert [(now.epoch, now.step) for now in seen] == [(e, s) for e in (1, 2) for s in range(1, 7)]
    assert {(now.epochs, now.steps) for now in seen} == {(2, 6)}
    assert all(0 <= now.bit_balance <= 1 and np.isfinite(now.loss) for now in seen)
    assert seen[-1].seconds_left == 0


def test_the_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    pytest.importorskip("rich", reason="needs rich")
    quick(epochs=1, progress="auto").fit(IMAGES, LABELS)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    fitted = quick(epochs=1, progress="auto", validation=0.5).fit(IMAGES, LABELS)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 1/1" in err
    score = fitted.history_[0]["validation_map"]
    assert f"held-out mAP {score:.3f} 0:00 left" in err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_learns_as_the_cpu_does(tmp_path):
    hasher = quick(epochs=8, device="cuda").fit(IMAGES, LABELS)
    assert quick(epochs=8, device="cuda").fit(IMAGES, LABELS).fingerprint == hasher.fingerprint
    codes = hasher.transform(IMAGES)
    assert mean_average_precision(codes, LABELS, codes, LABELS) > 0.9
    hasher.save(tmp_path / "encoder")
    on_cpu = DeepHasher.load(tmp_path / "encoder", device="cpu")
    np.testing.assert_allclose(on_cpu.project(IMAGES), hasher.project(IMAGES), atol=1e-2)
