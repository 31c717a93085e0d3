"""Encoders as ONNX models, for programs without torch or Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from ...extras import import_extra
from ..losses import Loss
from ..model.copying import copied
from ..model.isolation import quiet_export

__all__ = ["as_onnx"]

# The oldest opset that has all the exporter needs; every runtime since 2022 reads it.
OPSET = 18


class Exported(nn.Module):
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
    encoder = copied(Exported(model, loss), "network").cpu().eval()
    _compute_parametrizations(encoder)
    images = len(shape) == 3
    example = torch.zeros(2, *shape, dtype=torch.uint8 if images else torch.float32)
    with quiet_export():
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
    # The exporter writes its newest version, which runtimes before 2024 refuse to read.
    proto.ir_version = onnx.helper.find_min_ir_version_for(proto.opset_import)
    texts = {f"hashret.{k}": json.dumps(v, sort_keys=True) for k, v in properties.items()}
    onnx.helper.set_model_props(proto, texts)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


class Constant(nn.Module):
    """A tensor that is there already, in place of the parametrization that computed it."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self) -> Tensor:
        """Return the tensor."""
        return self.value


@torch.no_grad()
def _compute_parametrizations(encoder: nn.Module) -> None:
    """Compute parametrized weights once; ONNX has not all that this takes.

    Removing the parametrizations instead would change the class, which the original shares.
    """
    for module in list(encoder.modules()):
        if parametrize.is_parametrized(module):
            lists = cast(nn.ModuleDict, module.parametrizations)
            for name in list(lists):
                lists[name] = Constant(getattr(module, name).detach().clone())


def _forget_sources(proto: Any) -> None:
    """Remove the stack traces, and with them the paths of this machine, from an ONNX model."""
    graphs = [proto.graph, *proto.functions]
    parts = [part for graph in graphs for part in (graph, *graph.node)]
    parts += [*proto.graph.input, *proto.graph.output, *proto.graph.initializer]
    for part in [*parts, *proto.graph.value_info]:
        del part.metadata_props[:]
        part.doc_string = ""
