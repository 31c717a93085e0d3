"""Encoders as ONNX models, for programs without torch or Python."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import import_extra
from .losses import Loss

__all__ = ["as_onnx"]

# The oldest that has all the exporter needs; every runtime since 2022 reads it.
OPSET = 18


class Encoder(nn.Module):
    """Images or vectors to margins and packed codes, in operations that ONNX has."""

    weights: Tensor

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.register_buffer("weights", 2 ** torch.arange(7, -1, -1, dtype=torch.int32))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return margins, float32 (n, bits), and codes, uint8 (n, ceil(bits / 8))."""
        margins = self.loss.margins(self.model(inputs)).float()
        ones = functional.pad((margins > 0).int(), (0, -self.loss.bits % 8))
        return margins, (ones.reshape(-1, ones.shape[1] // 8, 8) * self.weights).sum(2).to(
            torch.uint8
        )


def as_onnx(
    model: nn.Module, loss: Loss, shape: tuple[int, ...], properties: Mapping[str, Any]
) -> bytes:
    """Return the bytes of an ONNX model of opset 18, whose batch may have any size.

    Parameters
    ----------
    model, loss : Module, Loss
        Fitted.
    shape : tuple of int
        Height, width and channels of the images, or length of the vectors.
    properties : dict
        Kept in the file, each as JSON under "hashret." and its name.
    """
    import_extra("onnxscript", "onnx")
    onnx = import_extra("onnx", "onnx")
    encoder = copy.deepcopy(Encoder(model, loss)).cpu().eval()
    images = len(shape) == 3
    example = torch.zeros(2, *shape, dtype=torch.uint8 if images else torch.float32)
    with _quiet():
        program = torch.onnx.export(
            encoder,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images" if images else "vectors"],
            output_names=["margins", "codes"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    proto = program.model_proto  # type: ignore[union-attr]
    _forget_sources(proto)
    # The exporter claims its newest, which runtimes before 2024 refuse to read.
    proto.ir_version = onnx.helper.find_min_ir_version_for(proto.opset_import)
    texts = {f"hashret.{k}": json.dumps(v, sort_keys=True) for k, v in properties.items()}
    onnx.helper.set_model_props(proto, texts)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch's exporter says of torch's own code and of torchvision."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _forget_sources(proto: Any) -> None:
    """Remove the stack traces, and with them the paths of this machine, from an ONNX model."""
    graphs = [proto.graph, *proto.functions]
    parts = [part for graph in graphs for part in (graph, *graph.node)]
    parts += [*proto.graph.input, *proto.graph.output, *proto.graph.initializer]
    for part in [*parts, *proto.graph.value_info]:
        del part.metadata_props[:]
        part.doc_string = ""
