"""Networks as people make them: each works from fit to export, or is refused before any step."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune, weight_norm  # noqa: E402

from hashret.deep import DeepHasher  # noqa: E402
from hashret.errors import DTypeError, FormatError, ParameterError, ShapeError  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    # torch says that scripting and its older weight norm will go.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Lazy modules are a new feature"),
]

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 7, 7, 3), np.uint8)
LABELS = np.arange(32) % 2


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, images):
        return self.after(self.conv(self.before(images)).relu().mean((2, 3)))

    def before(self, images):
        return images

    def after(self, features):
        return features


class TiedWeights(Plain):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.two.weight = self.one.weight

    def after(self, features):
        return self.two(self.one(features).relu())


class TiedModules(TiedWeights):
    def __init__(self):
        super().__init__()
        self.two = self.one


class Slices(Plain):
    def __init__(self):
        super().__init__()
        whole = torch.randn(72)
        self.one, self.two = (nn.Parameter(part.view(6, 6)) for part in whole.split(36))
        self.across = nn.Parameter(torch.randn(6, 8).t())

    def after(self, features):
        return features @ self.one @ self.two @ self.across.t()


class Buffers(Plain):
    """Of all sorts, some of which training changes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("nothing", None)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("chosen", torch.arange(6) != 1)
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("empty", torch.empty(0))
        self.register_buffer("spread", torch.full((1,), 0.5).expand(6))
        self.register_buffer("fixed", torch.full((6,), 2.0), persistent=False)
        self.register_buffer("running", torch.ones(6), persistent=False)

    def after(self, features):
        if self.training:
            self.steps += 1
            self.running = self.running * 1.1
        return features * self.spread * self.chosen * self.fixed * self.running


class Complex(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("turn", torch.ones(6, dtype=torch.complex64))

    def after(self, features):
        return (features * self.turn).real


class MakesTensors(Plain):
    def before(self, images):
        return (images - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) * torch.ones(1, 3, 1, 1)


class ReadsItem(Plain):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def after(self, features):
        return features * self.scale.item()


class Recurrent(Plain):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(6, 6, batch_first=True)

    def after(self, features):
        return self.gru(features[:, None], torch.zeros(1, len(features), 6))[0][:, 0]


class Frozen(Plain):
    def __init__(self):
        super().__init__()
        self.conv.requires_grad_(False)


class HalfInside(Plain):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6).bfloat16()

    def after(self, features):
        return self.layer(features.bfloat16())


class Double(Plain):
    def __init__(self):
        super().__init__()
        self.double()

    def before(self, images):
        return images.double()


class ExtraState(Plain):
    count = 3

    def get_extra_state(self):
        return torch.tensor(self.count)

    def set_extra_state(self, state):
        self.count = int(state)


class ChangesInput(Plain):
    def before(self, images):
        return images.mul_(2)


class KnowsItsLayers(Plain):
    """Holds weights outside of its state too, and names as torch's wrappers have them."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(6, 6)
        self.hidden = nn.BatchNorm1d(6)
        self.weights = [self.conv.weight]

    def after(self, features):
        return self.hidden(self.module(features)) * self.weights[0].mean()


def hooked():
    network = Plain()
    network.conv.register_forward_hook(lambda module, inputs, output: output * 2)
    return network


def pruned():
    network = Plain()
    prune.random_unstructured(network.conv, "weight", 0.3)
    return network


class Reparametrised(TiedWeights):
    """Tied, pruned and normalised: all that comes between a network and its stored weights."""

    def __init__(self):
        super().__init__()
        prune.random_unstructured(self.conv, "weight", 0.3)
        orthogonal = parametrizations.orthogonal(nn.Linear(6, 6))
        self.last = nn.Sequential(weight_norm(nn.Linear(6, 6)), orthogonal)

    def after(self, features):
        return self.last(super().after(features))


def of_layers(wrap):
    return lambda: nn.Sequential(wrap(nn.Conv2d(3, 6, 3)), nn.Flatten())


WORKING = {
    **{
        kind.__name__: kind
        for kind in (
            *(TiedWeights, TiedModules, Slices, Buffers, Complex, MakesTensors, ReadsItem),
            *(Recurrent, Frozen, HalfInside, Double, ExtraState, ChangesInput, KnowsItsLayers),
        )
    },
    "hooked": hooked,
    "pruned": pruned,
    "lazy": lambda: nn.Sequential(nn.LazyConv2d(6, 3), nn.Flatten(), nn.LazyLinear(7)),
    "dropout": lambda: nn.Sequential(nn.Dropout(0.5), nn.Flatten()),
    "without weights": nn.Flatten,
    "weight norm": of_layers(parametrizations.weight_norm),
    "older weight norm": of_layers(weight_norm),
    "spectral norm": of_layers(parametrizations.spectral_norm),
    "orthogonal": lambda: nn.Sequential(
        nn.Flatten(), parametrizations.orthogonal(nn.Linear(147, 6))
    ),
    "compiled": lambda: torch.compile(Plain(), backend="eager"),
    "parallel": lambda: nn.DataParallel(Plain()),
    "scripted": lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten())),
}


def made(name):
    torch.manual_seed(1)
    return WORKING[name]()


def quick(network, **options):
    given = {"bits": 8, "epochs": 2, "batch_size": 16, "random_state": 0, "progress": None}
    return DeepHasher(network, **{**given, **options})


class Stopped(Exception):
    pass


def stop_in_the_second_epoch(now):
    if now.epoch == 2:
        raise Stopped


# An average of the weights is another copy of them; these have more to copy than tensors.
AVERAGED = ["TiedWeights", "Slices", "Buffers", "Complex", "Frozen", "HalfInside", "Double"]
AVERAGED += ["ExtraState", "KnowsItsLayers", "pruned", "lazy", "orthogonal", "scripted"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in WORKING),
        *((name, {"ema": 0.8, "validation": 0.3}) for name in AVERAGED),
    ],
    ids=[*WORKING, *(f"{name}-ema" for name in AVERAGED)],
)
def test_it_is_trained_resumed_and_saved(tmp_path, name, options):
    given = made(name)
    hasher = quick(given, **options).fit(IMAGES, LABELS)
    margins = hasher.project(IMAGES)

    with contextlib.suppress(Stopped):
        stopped = quick(made(name), progress=stop_in_the_second_epoch, **options)
        stopped.fit(IMAGES, LABELS, checkpoint=tmp_path / "checkpoint")
    resumed = quick(made(name), **options)
    resumed.fit(IMAGES, LABELS, checkpoint=tmp_path / "checkpoint")
    assert resumed.fingerprint == hasher.fingerprint
    np.testing.assert_array_equal(resumed.project(IMAGES), margins)

    hasher.save(tmp_path / "encoder")
    for network in (made(name), given):
        loaded = DeepHasher.load(tmp_path / "encoder", network=network)
        assert loaded.fingerprint == hasher.fingerprint
        np.testing.assert_array_equal(loaded.project(IMAGES), margins)


def test_it_is_exported_and_stays_as_it_is(tmp_path):
    """One of all, as an export takes seconds."""
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    hasher = quick(Reparametrised(), epochs=1).fit(IMAGES, LABELS)
    before, margins = hasher.fingerprint, hasher.project(IMAGES)
    hasher.export_onnx(tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    found = session.run(["margins"], {"images": IMAGES})[0]
    np.testing.assert_allclose(found, margins, rtol=1e-4, atol=1e-5)
    assert hasher.fingerprint == before
    np.testing.assert_array_equal(hasher.project(IMAGES), margins)


def test_wrapping_does_not_matter_to_what_is_saved(tmp_path):
    wrappings = {
        "bare": lambda network: network,
        "compiled": lambda network: torch.compile(network, backend="eager"),
        "parallel": nn.DataParallel,
        "both": lambda network: nn.DataParallel(torch.compile(network, backend="eager")),
    }
    for wrap in wrappings.values():
        hasher = quick(wrap(Buffers()), epochs=1).fit(IMAGES, LABELS)
        hasher.save(tmp_path / "encoder")
        for other in wrappings.values():
            loaded = DeepHasher.load(tmp_path / "encoder", network=other(Buffers()))
            np.testing.assert_array_equal(loaded.project(IMAGES), hasher.project(IMAGES))
            loaded.save(tmp_path / "again")


def test_types_of_numbers_and_ties_come_back(tmp_path):
    quick(Double(), epochs=1).fit(IMAGES, LABELS).save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder", network=Double().float())
    assert loaded._encoder.model.network.conv.weight.dtype == torch.float64
    quick(TiedWeights(), epochs=1).fit(IMAGES, LABELS).save(tmp_path / "encoder")
    network = DeepHasher.load(tmp_path / "encoder", network=TiedWeights())._encoder.model.network
    assert network.one.weight is network.two.weight


def after(function):
    """Return a kind of network whose features go through `function`."""
    return type("Changed", (Plain,), {"after": lambda self, features: function(features)})


def with_buffer(value):
    network = Plain()
    network.register_buffer("odd", value)
    return network


def on_meta():
    with torch.device("meta"):
        return Plain()


def with_lock():
    network = Plain()
    network.lock = threading.Lock()
    return network


def with_complex_weights():
    network = Plain()
    network.odd = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    return network


def with_state(**methods):
    return type("Stateful", (Plain,), methods)


def fail(*_):
    raise ZeroDivisionError("the caller's own")


REFUSED = {
    "tuple": (after(lambda x: (x, x)), DTypeError, r"network: expected a tensor .* tuple"),
    "dictionary": (after(lambda x: {"x": x}), DTypeError, "network: expected a tensor .* dict"),
    "flat": (after(torch.flatten), ShapeError, r"network: expected features .* \(12,\)"),
    "maps": (after(lambda x: x[..., None]), ShapeError, r"network: .* \(2, 6, 1\)"),
    "none": (after(lambda x: x[:, :0]), ShapeError, r"network: .* \(2, 0\)"),
    "integers": (after(lambda x: x.int()), DTypeError, "network: .* torch.int32"),
    "meta": (on_meta, ParameterError, "network: conv.weight is on the meta device"),
    "lock": (with_lock, TypeError, "lock"),
    "complex weights": (with_complex_weights, DTypeError, "network: .* torch.complex64: odd"),
    "double complex": (
        lambda: with_buffer(torch.ones(2, dtype=torch.complex128)),
        DTypeError,
        "network: .* odd .* torch.complex128",
    ),
    "sparse": (lambda: with_buffer(torch.eye(2).to_sparse()), DTypeError, "network: .* odd .*spar"),
    "extra dictionary": (
        with_state(get_extra_state=lambda self: {"a": 1}, set_extra_state=lambda self, state: None),
        DTypeError,
        "network: .* _extra_state is dict",
    ),
    "state not taken": (
        with_state(get_extra_state=lambda self: torch.ones(1)),
        ParameterError,
        "network: does not take the state",
    ),
    "half": (lambda: Plain().half(), RuntimeError, "type"),
    "forward": (after(fail), ZeroDivisionError, "the caller's own"),
    "get_extra_state": (with_state(get_extra_state=fail), ZeroDivisionError, "caller's own"),
    "__deepcopy__": (with_state(__deepcopy__=fail), ZeroDivisionError, "the caller's own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_the_first_step(tmp_path, name):
    make, error, message = REFUSED[name]
    steps = []
    with pytest.raises(error, match=message):
        quick(make(), progress=steps.append).fit(
            IMAGES, LABELS, checkpoint=tmp_path / "checkpoint", log=tmp_path / "log"
        )
    assert steps == []
    assert not any(tmp_path.iterdir())


def test_another_form_or_an_error_of_the_network_is_no_damaged_file(tmp_path):
    quick(Plain(), epochs=1).fit(IMAGES, LABELS).save(tmp_path / "encoder")
    wide = nn.Sequential()
    wide.conv = nn.Conv2d(3, 9, 3)
    for network, message in (
        (wide, r"network: .* conv.bias is \(6,\) instead of \(9,\); conv.weight is"),
        (Frozen(), None),
        (TiedWeights(), r"network: .* one.bias is missing"),
        (nn.Flatten(), r"network: .* conv.bias is unexpected"),
    ):
        if message is None:
            DeepHasher.load(tmp_path / "encoder", network=network)
            continue
        with pytest.raises(ParameterError, match=message):
            DeepHasher.load(tmp_path / "encoder", network=network)
    with pytest.raises(DTypeError, match=r"network: expected a torch.nn.Module, got type"):
        DeepHasher.load(tmp_path / "encoder", network=Plain)
    with pytest.raises(ZeroDivisionError, match="own"):
        DeepHasher.load(tmp_path / "encoder", network=with_state(__deepcopy__=fail)())
    loaded = DeepHasher.load(tmp_path / "encoder", network=after(fail)())
    with pytest.raises(ZeroDivisionError, match="own"):
        loaded.transform(IMAGES)
    data = (tmp_path / "encoder").read_bytes()
    (tmp_path / "encoder").write_bytes(data.replace(b"head.weight", b"head.wEight"))
    with pytest.raises(FormatError):
        DeepHasher.load(tmp_path / "encoder", network=Plain())


def test_a_network_on_the_meta_device_takes_what_was_saved(tmp_path):
    hasher = quick(Plain(), epochs=1).fit(IMAGES, LABELS)
    hasher.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder", network=on_meta())
    np.testing.assert_array_equal(loaded.project(IMAGES), hasher.project(IMAGES))
