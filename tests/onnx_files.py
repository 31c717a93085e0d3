"""Tiny ONNX models: the mean colour of an image, and the colour that a text names."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLOURS = {"red": (230, 20, 20), "green": (20, 220, 30), "blue": (10, 30, 240)}


def model_bytes(inputs, output, nodes, constants, properties=()) -> bytes:
    graph = helper.make_graph(
        nodes, "tiny", inputs, [output], [numpy_helper.from_array(v, k) for k, v in constants]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(
        model, {f"hashret.{name}": json.dumps(value) for name, value in properties}
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def image_model(side=8, properties=(), kind=TensorProto.FLOAT) -> bytes:
    """The mean colour of an image, spread over 12 numbers."""
    spread = np.tile(np.eye(3, dtype=np.float32), 4)
    shape = ["n", 3, side, side] if kind == TensorProto.FLOAT else ["n", side, side, 3]
    axes = [2, 3] if kind == TensorProto.FLOAT else [1, 2]
    return model_bytes(
        [helper.make_tensor_value_info("pixels", kind, shape)],
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 12]),
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=axes, keepdims=0),
            helper.make_node("MatMul", ["mean", "spread"], ["features"]),
        ],
        [("spread", spread)],
        properties,
    )


def text_model() -> bytes:
    """The colour that the first token names, in the same space."""
    rows = np.array([[0.0, 0, 0], *COLOURS.values()], np.float32) / 255
    rows = np.tile((rows - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], 4).astype(np.float32)
    return model_bytes(
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", 4])],
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 12]),
        [
            helper.make_node("Gather", ["rows", "input_ids"], ["each"]),
            helper.make_node("Slice", ["each", "zero", "one", "axis"], ["first"]),
            helper.make_node("Squeeze", ["first", "axis"], ["features"]),
        ],
        [("rows", rows), *((k, np.array([v])) for k, v in (("zero", 0), ("one", 1), ("axis", 1)))],
    )


def tokenizer() -> str:
    words = {"[PAD]": 0, **{name: number for number, name in enumerate(COLOURS, 1)}}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "[PAD]"}
    whole = {"version": "1.0", "model": model, "pre_tokenizer": {"type": "Whitespace"}}
    return json.dumps(whole | {"added_tokens": [], "normalizer": None, "decoder": None})


def write_pair(folder) -> None:
    """Write a model of images and one of texts, with its tokenizer."""
    folder.mkdir()
    (folder / "visual.onnx").write_bytes(image_model())
    (folder / "textual.onnx").write_bytes(text_model())
    (folder / "tokenizer.json").write_text(tokenizer())
