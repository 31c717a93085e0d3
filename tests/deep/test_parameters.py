"""The deep encoder's parameters by scikit-learn's conventions."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from hashret.deep import DeepHasher, make_loss  # noqa: E402
from hashret.errors import ParameterError  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

VECTORS = np.random.default_rng(0).normal(size=(48, 6))
LABELS = np.arange(48) % 2
QUICK = {"epochs": 1, "batch_size": 16, "random_state": 0, "progress": None}
# A value other than the default for every parameter.
OTHERS = {
    "network": torch.nn.Identity(),
    "loss": make_loss("dsh", alpha=0.1),
    "bits": 8,
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 0.1,
    "head_rate": 2.0,
    "weight_decay": 0.0,
    "flip": False,
    "shift": 0,
    "cutout": 3,
    "mirror": True,
    "nudge": 1,
    "ema": 0.9,
    "validation": 0.1,
    "patience": 2,
    "device": "cpu",
    "precision": "float32",
    "random_state": 0,
    "progress": None,
}


def test_parameters_are_kept_as_they_are_given():
    assert OTHERS.keys() == inspect.signature(DeepHasher).parameters.keys()
    for params in (DeepHasher(**OTHERS).get_params(), DeepHasher().set_params(**OTHERS).__dict__):
        assert all(params[name] is value for name, value in OTHERS.items())


@pytest.mark.parametrize("name", OTHERS)
def test_the_representation_shows_what_is_not_default(name):
    text = repr(DeepHasher(**{name: OTHERS[name]}))
    assert text.startswith(f"DeepHasher({name}=")
    assert "\n" not in text
    assert text.count("=") == 1 or name == "loss"
    assert repr(DeepHasher()) == "DeepHasher()"


def test_an_unknown_parameter_is_refused_with_the_names_and_nothing_is_set():
    hasher = DeepHasher()
    with pytest.raises(ParameterError, match=r"bitz: DeepHasher has no such .* bits, epochs"):
        hasher.set_params(bits=8, bitz=16)
    assert hasher.bits == 16


def test_scikit_learn_clones_and_searches_it():
    base = pytest.importorskip("sklearn.base", reason="needs the extra 'images'")
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    copied = base.clone(DeepHasher(**OTHERS)).get_params()
    assert [repr(copied[name]) for name in OTHERS if name != "network"] == [
        repr(OTHERS[name]) for name in OTHERS if name != "network"
    ]
    pipeline = make_pipeline(StandardScaler(), DeepHasher("linear", bits=8, **QUICK))
    codes = pipeline.fit(VECTORS, LABELS).transform(VECTORS)
    np.testing.assert_array_equal(base.clone(pipeline).fit_transform(VECTORS, LABELS), codes)
    with pytest.raises(ValueError, match="not fitted"):
        base.clone(pipeline).transform(VECTORS)
    search = GridSearchCV(
        pipeline,
        {"deephasher__bits": [8, 16]},
        scoring=lambda fitted, vectors, labels: fitted.transform(vectors).shape[1],
        cv=2,
    )
    assert search.fit(VECTORS, LABELS).best_params_ == {"deephasher__bits": 16}


def test_scikit_learn_is_not_loaded_for_it():
    code = "import sys, hashret.deep as d; repr(d.DeepHasher().set_params(bits=8)); "
    code += "d.DeepHasher().get_params(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_parameters_set_after_fit_do_not_reach_the_file(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (48, 8, 8), np.uint8)
    hasher = DeepHasher(bits=8, mirror=True, nudge=1, **QUICK).fit(images, LABELS)
    codes, fingerprint = hasher.transform(images), hasher.fingerprint
    hasher.set_params(network="resnet-9", loss="csq", bits=16, mirror=False, nudge=0)
    hasher.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    assert loaded.fingerprint == fingerprint
    np.testing.assert_array_equal(loaded.transform(images), codes)
