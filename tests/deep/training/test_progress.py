"""What a training tells of itself while it runs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import patterns, quick  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")


IMAGES, LABELS = patterns()


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
