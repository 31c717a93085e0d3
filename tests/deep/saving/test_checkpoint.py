"""Trainings that go on where they stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, forget_digest, patterns, quick, stop_after  # noqa: E402

from hashret.deep.losses import DSH, Loss  # noqa: E402
from hashret.deep.saving.storage import read_tensors, write_tensors  # noqa: E402
from hashret.errors import (  # noqa: E402
    FormatError,
    ParameterError,
    TrainingError,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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


def test_a_damaged_checkpoint_is_refused_and_one_without_a_digest_is_read(tmp_path):
    images, labels = patterns()
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(progress=stop_after(2)).fit(images, labels, checkpoint=path)
    data = path.read_bytes()
    for place in (len(data) // 2, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        with pytest.raises(FormatError, match="damaged"):
            quick().fit(images, labels, checkpoint=path)
    path.write_bytes(data)
    forget_digest(path)
    resumed = quick().fit(images, labels, checkpoint=path)
    assert resumed.fingerprint == quick().fit(images, labels).fingerprint


@pytest.mark.parametrize(
    "history",
    [5, [5], [None], "xx", {"a": 1}, [{}], [{"epoch": 1}], [{"epoch": 1, "validation_map": [1]}]],
    ids=str,
)
def test_a_checkpoint_without_the_rows_of_its_epochs_is_refused(tmp_path, history):
    images, labels = patterns()
    path = tmp_path / "checkpoint"
    quick(epochs=1, validation=0.2).fit(images, labels, checkpoint=path)
    tensors, header = read_tensors(path, "checkpoint")
    write_tensors(path, tensors, header | {"history": history})
    with pytest.raises(FormatError, match="incomplete"):
        quick(epochs=1, validation=0.2).fit(images, labels, checkpoint=path)


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
