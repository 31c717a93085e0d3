"""Files of encoders: kept, read, refused."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import forget_digest, patterns, quick  # noqa: E402

from hashret.deep import DeepHasher  # noqa: E402
from hashret.deep.losses import DSH, Classifier  # noqa: E402
from hashret.errors import (  # noqa: E402
    FormatError,
    ParameterError,
    ShapeError,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
        ("loss_options", {"alpha": 10**400}),
        ("ranking", {"rule": "weighted-prefix", "bits": 8, "prefix_bits": 2, "weight": 10**400}),
        ("nudge", 10**400),
        ("input_shape", [12, 12, 10**9]),
        ("input_shape", [12, 12]),
        ("input_shape", [10**12]),
        ("input_shape", [10**400]),
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


def test_a_file_that_is_damaged_is_refused_wherever_it_is(tmp_path):
    images, labels = patterns()
    path = tmp_path / "encoder"
    quick(epochs=1).fit(images, labels).save(path)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    places = [data.index(b"versions"), *np.linspace(start, len(data) - 1, 9, dtype=int)]
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        with pytest.raises(FormatError, match="damaged"):
            DeepHasher.load(path)


def test_a_file_without_a_digest_is_read(tmp_path):
    images, labels = patterns()
    hasher = quick(epochs=1).fit(images, labels)
    hasher.save(tmp_path / "encoder")
    forget_digest(tmp_path / "encoder")
    assert DeepHasher.load(tmp_path / "encoder").fingerprint == hasher.fingerprint


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
