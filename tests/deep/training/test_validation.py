"""Held-out images, early stopping, the log, the card, and stops for NaN."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

import hashret  # noqa: E402
from hashret.deep import DeepHasher  # noqa: E402
from hashret.deep.losses import Loss  # noqa: E402
from hashret.deep.training.validation import HeldOut  # noqa: E402
from hashret.errors import DTypeError, ParameterError, TrainingError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def blobs(n=200, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, n)
    return rng.normal(size=(5, 10))[labels] + rng.normal(size=(n, 10)) * 0.6, labels


VECTORS, LABELS = blobs()


def quick(loss="dsh", network="mlp", **options):
    settings = {"bits": 6, "epochs": 6, "batch_size": 32, "random_state": 5, "progress": None}
    return DeepHasher(network, loss, **{**settings, "validation": 0.25, **options})


def expected_precision(distances, relevant):
    """AP over all ranks, the mean over random orders of ties: METHODS' sum, item by item."""
    total, n0, p0 = 0.0, 0, 0
    for distance in np.unique(distances):
        tied = distances == distance
        n, p = int(tied.sum()), int(relevant[tied].sum())
        for j in range(1, n + 1):
            above = p0 + 1 + (j - 1) * (p - 1) / max(n - 1, 1)
            total += p / n * above / (n0 + j)
        n0, p0 = n0 + n, p0 + p
    return total / max(p0, 1)


def leave_one_out(codes, similar):
    scores = []
    for row in range(len(codes)):
        others = np.arange(len(codes)) != row
        distances = np.unpackbits(codes[row] ^ codes[others], axis=1).sum(1)
        scores.append(expected_precision(distances, similar[row, others]))
    return np.mean(scores)


def held_out(inputs, labels, seed=5, share=0.25):
    return HeldOut.draw(torch.from_numpy(inputs).float(), torch.from_numpy(labels), share, seed)


def test_the_score_is_tie_aware_precision_of_each_image_among_the_others():
    fitted = quick().fit(VECTORS, LABELS)
    kept, _ = held_out(VECTORS, LABELS)
    labels = kept.targets.numpy()
    assert len(labels) == 50
    expected = leave_one_out(
        fitted.transform(kept.inputs.numpy()), labels[:, None] == labels[None, :]
    )
    scores = [row["validation_map"] for row in fitted.history_]
    assert max(scores) == pytest.approx(expected, rel=1e-12)
    assert fitted.card_["scores"]["validation"]["map"] == max(scores)
    assert fitted.card_["scores"]["validation"]["epoch"] == 1 + np.argmax(scores)


def test_images_of_several_labels_are_similar_if_they_share_one():
    table = np.zeros((200, 5), np.int64)
    table[np.arange(200), LABELS] = 1
    table[::3, 0] = 1
    fitted = quick("dsh").fit(VECTORS, table)
    kept, _ = held_out(VECTORS, table.astype(np.float32))
    shared = (kept.targets @ kept.targets.T > 0).numpy()
    expected = leave_one_out(fitted.transform(kept.inputs.numpy()), shared)
    score = fitted.card_["scores"]["validation"]["map"]
    assert score == pytest.approx(expected, rel=1e-12)


class Worse(Loss):
    """Learns the classes for one epoch, and then drives all codes together."""

    name = "worse"
    step = 0

    def start_step(self, step):
        self.step = step

    def forward(self, outputs, targets):
        goals = torch.eye(6)[targets] * 2 - 1 if self.step < 4 else torch.ones(outputs.shape)
        return (outputs - goals).square().mean()


def test_the_best_weights_are_kept_and_patience_ends_the_training():
    options = {"epochs": 12, "learning_rate": 0.05}
    last = quick(Worse(), validation=0.0, **options).fit(VECTORS, LABELS)
    assert last.history_[-1]["epoch"] == 12
    whole = quick(Worse(), **options).fit(VECTORS, LABELS)
    best = whole.card_["scores"]["validation"]["epoch"]
    assert len(whole.history_) == 12
    assert best < 10
    patient = quick(Worse(), patience=2, **options).fit(VECTORS, LABELS)
    rows = patient.history_
    best = patient.card_["scores"]["validation"]["epoch"]
    assert len(rows) == best + 2
    scores = [row["validation_map"] for row in rows]
    assert best == 1 + np.argmax(scores)
    assert scores == [row["validation_map"] for row in whole.history_[: len(rows)]]
    kept, _ = held_out(VECTORS, LABELS)
    score = kept.score(patient._encoder.model, patient._encoder.loss)
    assert score == max(scores) > scores[-1]


class Recorder(Loss):
    name = "recorder"

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, outputs, targets):
        self.seen.append(targets.clone())
        return outputs.square().mean()


def test_no_step_sees_a_held_out_image():
    # Each class is one pair: what is held out can be told from what was seen.
    vectors = np.arange(80.0)[:, None]
    labels = np.arange(80) // 2
    kept, rest = held_out(vectors, labels, share=0.5)
    assert len(kept) == len(rest) == 40
    assert sorted([*kept.inputs[:, 0].tolist(), *rest.tolist()]) == list(range(80))

    class FromFeatures(Recorder):
        name = "from-features"
        target = "features"

    fitted = quick(FromFeatures(), "linear", epochs=1, batch_size=40, validation=0.5)
    (seen,) = fitted.fit(vectors, labels)._encoder.loss.seen
    assert sorted(seen[:, 0].tolist()) == rest.tolist()
    # Nor do mean and deviation.
    assert fitted._encoder.model.mean.item() == pytest.approx(rest.double().mean().item())


def test_only_labelled_images_are_held_out():
    labels = LABELS.copy()
    labels[::2] = -1
    kept, rest = held_out(VECTORS, labels)
    assert len(kept) == 25
    assert (kept.targets >= 0).all()
    assert len(rest) == 175
    assert quick(epochs=1).fit(VECTORS, labels).card_["data"] == {
        "images": 75,
        "held_out": 25,
        "classes": 5,
    }


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_the_log_has_a_line_an_epoch(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("of another run\n")
    seen = []
    fitted = quick(progress=seen.append).fit(VECTORS, LABELS, log=log)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert rows == fitted.history_
    assert [row["epoch"] for row in rows] == list(range(1, 7))
    steps = [[now for now in seen if now.epoch == epoch] for epoch in range(1, 7)]
    for row, epoch in zip(rows, steps, strict=True):
        assert row["loss"] == pytest.approx(np.mean([now.loss for now in epoch]))
        assert row["bit_balance"] == pytest.approx(np.mean([now.bit_balance for now in epoch]))
        assert epoch[-1].validation_map == row["validation_map"]
        assert 0 <= row["validation_map"] <= 1
    assert steps[0][0].validation_map is None
    assert steps[1][0].validation_map == rows[0]["validation_map"]
    plain = quick(validation=0.0).fit(VECTORS, LABELS)
    assert "validation_map" not in plain.history_[0]
    assert plain.card_["scores"] == {}


OPTIONS = {"patience": 3, "ema": 0.8, "epochs": 8}
KILLED = """
import os, signal, sys
from test_validation import LABELS, OPTIONS, VECTORS, quick, torch
torch.set_num_threads(1)
place = None
def report(now):
    if (now.epoch, now.step) == place:
        os.kill(os.getpid(), signal.SIGKILL)
for place in ((2, 2), (4, 4)):
    # To import torch takes longer than to train.
    process = os.fork()
    if not process:
        hasher = quick(progress=report, **OPTIONS)
        hasher.fit(VECTORS, LABELS, checkpoint=sys.argv[1], log=sys.argv[2])
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_training_resumes_with_validation_average_patience_and_log(tmp_path):
    """Killed twice: in the second epoch, and in the fourth after its score was taken."""
    checkpoint, log = tmp_path / "checkpoint", tmp_path / "log.jsonl"
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
    command = [sys.executable, "-c", KILLED, str(checkpoint), str(log)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * 2
    with open(log, "a") as file:
        file.write('{"epoch": 4, "lo')
    resumed = quick(**OPTIONS).fit(VECTORS, LABELS, checkpoint=checkpoint, log=log)
    whole = quick(**OPTIONS).fit(VECTORS, LABELS)
    assert resumed.fingerprint == whole.fingerprint
    assert without_seconds(resumed.history_) == without_seconds(whole.history_)
    assert resumed.card_ == whole.card_
    assert [json.loads(line) for line in log.read_text().splitlines()] == resumed.history_
    again = quick(**OPTIONS).fit(VECTORS, LABELS, checkpoint=checkpoint)
    assert again.fingerprint == whole.fingerprint


def test_a_checkpoint_with_other_held_out_images_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    quick(epochs=1).fit(VECTORS, LABELS, checkpoint=path)
    for other in (quick(epochs=1, validation=0.3), quick(epochs=1, validation=0.25, patience=2)):
        with pytest.raises(ParameterError, match=r"checkpoint: .* other images"):
            other.fit(VECTORS, LABELS, checkpoint=path)
    kept, _ = held_out(VECTORS, LABELS)
    place = int(np.flatnonzero(np.isclose(kept.inputs[0].numpy(), VECTORS).all(1))[0])
    changed = VECTORS.copy()
    changed[place] += 1
    with pytest.raises(ParameterError, match=r"checkpoint: .* other images"):
        quick(epochs=1).fit(changed, LABELS, checkpoint=path)


@pytest.mark.parametrize(
    ("options", "labels", "error", "message"),
    [
        ({"validation": 1.0}, LABELS, ParameterError, "validation: expected a share"),
        ({"validation": -0.1}, LABELS, ParameterError, "validation: expected a share"),
        ({"validation": float("nan")}, LABELS, ParameterError, "validation: expected a finite"),
        ({"validation": "0.1"}, LABELS, DTypeError, "validation: expected a number"),
        ({"validation": 0.001}, LABELS, ParameterError, "validation: 0.001 of 200 .* out 0"),
        ({"validation": 0.999}, LABELS, ParameterError, "validation: 0.999 of 200 .* leaves none"),
        ({"patience": 0}, LABELS, ParameterError, "patience: expected at least 1"),
        ({"patience": 1.5}, LABELS, DTypeError, "patience: expected an int"),
        ({"patience": 1, "validation": 0.0}, LABELS, ParameterError, "patience: needs held-out"),
        ({"loss": "cibhash"}, None, ParameterError, "labels: validation scores"),
    ],
)
def test_bad_settings_are_named(options, labels, error, message):
    with pytest.raises(error, match=message):
        quick(**options).fit(VECTORS, labels)


class Breaks(Loss):
    """Turns something NaN in its tenth step, of five an epoch: the last of the second."""

    name = "breaks"

    def __init__(self, what):
        super().__init__()
        self.what, self.step, self.weight = what, 0, torch.nn.Parameter(torch.zeros(()))

    def start_step(self, step):
        self.step = step

    def forward(self, outputs, targets):
        value = outputs.square().mean()
        if self.step == 9 and self.what == "loss":
            return value * float("inf")
        if self.step == 9 and self.what == "weights":
            # Finite itself, with a gradient that is not: the root's at 0.
            return value + self.weight.sqrt() * 0
        return value


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("loss", "loss: inf in epoch 2, step 5 of 5"),
        ("weights", "weights: NaN or infinity in .* after epoch 2"),
    ],
)
def test_nan_anywhere_stops_and_keeps_the_last_good_checkpoint(tmp_path, what, message):
    path, log = tmp_path / "checkpoint", tmp_path / "log"
    hasher = quick(Breaks(what), "linear", validation=0.0)
    good = []

    def report(now):
        if now.epoch == 2 and now.step == 1:
            good.append(path.read_bytes())

    hasher.progress = report
    with pytest.raises(TrainingError, match=message):
        hasher.fit(VECTORS[:160], LABELS[:160], checkpoint=path, log=log)
    assert [path.read_bytes()] == good
    assert [json.loads(line)["epoch"] for line in log.read_text().splitlines()] == [1]
    assert not hasattr(hasher, "history_")


class NaNForLarge(torch.nn.Module):
    def forward(self, vectors):
        return torch.where(vectors > 2.5, torch.nan, vectors)


class Deaf(Loss):
    """Does not look at the outputs, and so does not show their NaN."""

    name = "deaf"

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, outputs, targets):
        return self.weight.square() + torch.nan_to_num(outputs).square().mean()


def test_nan_in_the_networks_features_stops_and_names_the_step():
    vectors = VECTORS.copy()
    vectors[100, 0] = 1e3
    hasher = quick(Deaf(), NaNForLarge(), validation=0.0, batch_size=200)
    with pytest.raises(TrainingError, match="outputs: NaN or infinity in epoch 1, step 1 of 1"):
        hasher.fit(vectors, LABELS)


def test_a_card_says_what_the_encoder_was_made_from(tmp_path):
    fitted = quick(ema=0.9, random_state=np.int64(5)).fit(VECTORS, LABELS)
    card = fitted.card_
    assert card["data"] == {"images": 150, "held_out": 50, "classes": 5}
    assert card["training"]["epochs"] == card["training"]["epochs_done"] == 6
    assert card["training"]["random_state"] == 5
    assert card["training"]["ema"] == 0.9
    assert card["versions"]["hashret"] == hashret.__version__
    assert card["versions"]["torch"] == torch.__version__
    assert quick(ema=0.9).fit(VECTORS, LABELS).card_ == card

    before = fitted.fingerprint
    card["data"]["name"] = "blobs"
    card["scores"]["fmnist-full"] = {"map": 0.5, "protocol": "fmnist-full"}
    assert fitted.fingerprint == before, "a card decides no code"
    fitted.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.card_ == card
    assert loaded.fingerprint == before
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "encoder").read_bytes()


@pytest.mark.parametrize(
    "card",
    [{"a": float("nan")}, {"a": object()}, 5, {"a": {1, 2}}],
    ids=["nan", "object", "number", "set"],
)
def test_a_card_that_json_cannot_hold_is_refused(tmp_path, card):
    fitted = quick(epochs=1).fit(VECTORS, LABELS)
    fitted.card_ = card
    with pytest.raises(ParameterError, match=r"^card: expected"):
        fitted.save(tmp_path / "encoder")
    assert os.listdir(tmp_path) == []


def test_an_interrupted_training_keeps_what_was_fitted_before(tmp_path):
    hasher = quick(epochs=1).fit(VECTORS, LABELS)
    before, card, rows = hasher.fingerprint, hasher.card_, hasher.history_

    def interrupt(now):
        if now.epoch == 2:
            raise KeyboardInterrupt

    hasher.progress, hasher.epochs = interrupt, 3
    state = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        hasher.fit(VECTORS, LABELS, checkpoint=tmp_path / "checkpoint")
    assert hasher.fingerprint == before
    assert hasher.card_ is card
    assert hasher.history_ is rows
    assert torch.equal(torch.get_rng_state(), state)
    assert (tmp_path / "checkpoint").exists()


def test_a_full_disk_stops_the_training_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    kept = []

    def full(_):
        raise OSError(28, "No space left on device")

    def report(now):
        if (now.epoch, now.step) == (2, 1):
            kept.append(path.read_bytes())
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space"):
        quick(progress=report).fit(VECTORS, LABELS, checkpoint=path)
    assert [path.read_bytes()] == kept
    assert os.listdir(tmp_path) == ["checkpoint"]


def test_an_unwritable_log_is_known_before_the_training(tmp_path):
    seen = []
    with pytest.raises(FileNotFoundError):
        quick(progress=seen.append).fit(VECTORS, LABELS, log=tmp_path / "absent" / "log")
    assert seen == []
