"""Trainings on a GPU: run where there is one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import DeepHasher, loss_names, make_loss  # noqa: E402
from hashret.deep.training.augment import augment, distort  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CUDA = torch.device("cuda")


def on_gpu(**options):
    return quick(**{"device": "cuda", **options})


def dropping():
    """A network that draws from the GPU's generator."""
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(144, 32), torch.nn.ReLU(), torch.nn.Dropout(0.5)
    )


def every_loss():
    names = set(loss_names()) - {"pruned", "regularised", "self-distilled", "semi-supervised"}
    wrapped = [make_loss("pruned", loss="greedyhash"), make_loss("self-distilled", loss="csq")]
    return [*sorted(names), *wrapped]


@pytest.mark.parametrize("loss", every_loss(), ids=str)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_loss_trains_and_its_codes_are_those_of_a_cpu(tmp_path, loss, precision):
    images, labels = patterns()
    features = np.random.default_rng(0).normal(size=(len(images), 20)) + 3 * labels[:, None]
    hasher = on_gpu(loss=loss, precision=precision, mirror=True, nudge=1, cutout=4)
    hasher.fit(images, labels, features=features)
    assert hasher.card_["training"]["device"] == "cuda"
    assert hasher.card_["training"]["precision"] == precision
    hasher.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder", device="cpu")
    assert loaded.fingerprint == hasher.fingerprint
    here, there = hasher.project(images), loaded.project(images)
    size = np.abs(there).max()
    np.testing.assert_allclose(here, there, rtol=0, atol=2e-5 * size)
    sure = np.abs(there) > 2e-5 * size
    assert ((here > 0) == (there > 0))[sure].all()
    back = DeepHasher.load(tmp_path / "encoder", device="cuda")
    np.testing.assert_array_equal(back.transform(images), hasher.transform(images))


@pytest.mark.parametrize("network", ["small-cnn", "resnet-9"])
def test_it_learns_as_a_cpu_does(network):
    images, labels = patterns()
    queries, wanted = patterns(seed=1)
    scores = []
    for device, precision in (("cuda", "auto"), ("cuda", "float32"), ("cpu", "auto")):
        hasher = quick(network=network, device=device, precision=precision, epochs=6)
        codes = hasher.fit(images, labels).transform(images)
        scores.append(mean_average_precision(hasher.transform(queries), wanted, codes, labels))
    assert min(scores) > 0.9


@pytest.mark.parametrize(
    "options",
    [{}, {"ema": 0.9, "validation": 0.2}, {"network": dropping()}],
    ids=["plain", "average and validation", "drawing"],
)
def test_a_seed_gives_the_same_weights_also_after_an_interruption(tmp_path, options):
    images, labels = patterns()
    whole = on_gpu(**options).fit(images, labels)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        on_gpu(**options, progress=stop_after(2)).fit(images, labels, checkpoint=path)
    seen = []
    resumed = on_gpu(**options, progress=seen.append).fit(images, labels, checkpoint=path)
    assert {now.epoch for now in seen} == {3}
    assert resumed.fingerprint == whole.fingerprint


def test_first_weights_and_views_are_those_of_a_cpu():
    images = torch.from_numpy(patterns(channels=3)[0])
    for change in (lambda on: augment(on, True, 2, 0, 5), lambda on: augment(on, True, 2, 64, 0)):
        torch.manual_seed(0)
        there = change(images)
        torch.manual_seed(0)
        here = change(images.to(CUDA)).cpu()
        # Cutting out and colouring compute; a value in the middle may be rounded the other way.
        assert (here.int() - there.int()).abs().max() <= 1
        assert (here != there).float().mean() < 1e-2
    first, other = (
        quick(device=device, learning_rate=1e-30, epochs=1).fit(*patterns())._encoder.model
        for device in ("cpu", "cuda")
    )
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    for here, there in pairs:
        # The one step is taken by another addition of gradients.
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-20)
    assert distort(images.to(CUDA)).device.type == "cuda"


def flags():
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_generators_of_the_gpu_are_left_as_they_were(device):
    images, labels = patterns()
    before = torch.cuda.get_rng_state(), flags()
    hasher = quick(device=device, network=dropping()).fit(images, labels)
    hasher.transform(images)
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert flags() == before[1]


def test_an_encoder_is_exported(tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    images, labels = patterns()
    hasher = on_gpu().fit(images, labels)
    hasher.export_onnx(tmp_path / "encoder.onnx")
    session = runtime.InferenceSession(
        tmp_path / "encoder.onnx", providers=["CPUExecutionProvider"]
    )
    margins, _ = session.run(None, {"images": images[..., None]})
    np.testing.assert_allclose(margins, hasher.project(images), atol=1e-3)


def test_vectors_train_a_head():
    vectors = np.random.default_rng(0).normal(size=(256, 32))
    labels = (vectors[:, :2] > 0) @ [2, 1]
    hasher = on_gpu(network="mlp", epochs=20).fit(vectors, labels)
    codes = hasher.transform(vectors)
    assert mean_average_precision(codes, labels, codes, labels) > 0.9
