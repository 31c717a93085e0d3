"""Exported encoders, run by onnxruntime, give the margins and codes of their originals."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'onnx'")
pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")

from hashret.deep import DeepHasher, Loss, loss_names, make_loss, network_names  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RNG = np.random.default_rng(0)
LABELS = np.arange(64) % 3
VECTORS = RNG.normal(size=(64, 9)).astype(np.float32)
COLOUR = RNG.integers(0, 256, (64, 32, 32, 3), np.uint8)
# The export takes seconds; losses that read bits as others do are exported as those are.
OWN_MARGINS = [name for name in loss_names() if type(make_loss(name)).margins is not Loss.margins]


def fitted(inputs, network, loss="dsh", bits=13, **options):
    hasher = DeepHasher(
        network, loss, bits, epochs=1, batch_size=32, random_state=0, progress=None, **options
    )
    return hasher.fit(inputs, LABELS)


def run(path, inputs):
    session = onnxruntime.InferenceSession(path)
    (only,) = session.get_inputs()
    return session.run(["margins", "codes"], {only.name: inputs})


def check(hasher, inputs, path):
    hasher.export_onnx(path)
    channelled = inputs[..., None] if inputs.ndim == 3 else inputs
    for n in (0, 1, 2, 7, len(inputs)):
        margins, codes = run(path, channelled[:n])
        expected = hasher.project(inputs[:n])
        assert margins.dtype == np.float32
        assert codes.dtype == np.uint8
        np.testing.assert_allclose(margins, expected, rtol=1e-4, atol=1e-5)
        # A bit may differ only where its margin is all but 0.
        sure = np.abs(expected) > 1e-4
        assert sure.sum() >= 0.9 * sure.size
        bits = np.unpackbits(codes, axis=1)
        assert not bits[:, hasher.bits :].any()
        np.testing.assert_array_equal(bits[:, : hasher.bits][sure], (expected > 0)[sure])
        if sure.all():
            np.testing.assert_array_equal(codes, hasher.transform(inputs[:n]))


@pytest.mark.slow
@pytest.mark.parametrize("network", sorted(set(network_names()) - {"linear", "mlp"}))
def test_all_networks_give_the_same_codes(tmp_path, network):
    check(fitted(COLOUR, network), COLOUR, tmp_path / "encoder.onnx")


@pytest.mark.parametrize("nudge", [0, 1])
def test_grey_images_have_one_channel(tmp_path, nudge):
    """And ten views, nudged and mirrored; of a small network, which is exported ten times over."""
    grey = COLOUR[:, :12, :12, 0]
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten())
    hasher = fitted(grey, network, bits=16, mirror=True, nudge=nudge)
    check(hasher, grey, tmp_path / "encoder.onnx")


@pytest.mark.parametrize("loss", ["dsh", "orthohash", *OWN_MARGINS])
def test_every_kind_of_margin_gives_the_same_codes(tmp_path, loss):
    check(fitted(VECTORS, "linear", loss), VECTORS, tmp_path / "encoder.onnx")


def test_the_file_tells_what_it_is_and_nothing_of_where_it_was_made(tmp_path, capfd):
    hasher = fitted(VECTORS, "mlp", bits=1, ema=0.9)
    hasher.card_["data"]["name"] = "noise"
    path = tmp_path / "encoder.onnx"
    before, margins = hasher.fingerprint, hasher.project(VECTORS)
    capfd.readouterr()
    hasher.export_onnx(path)
    assert capfd.readouterr() == ("", "")
    assert hasher.fingerprint == before
    np.testing.assert_array_equal(hasher.project(VECTORS), margins)
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    # The oldest format that has this opset.
    assert model.ir_version == 8
    properties = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert properties == {
        "hashret.bits": 1,
        "hashret.fingerprint": hasher.fingerprint,
        "hashret.card": hasher.card_,
    }
    data = path.read_bytes()
    assert os.path.dirname(torch.__file__).encode() not in data
    assert b"hasher.py" not in data
    hasher.export_onnx(tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == data
    assert sorted(os.listdir(tmp_path)) == ["again.onnx", "encoder.onnx"]
