"""A fitted encoder, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...checks import check_int
from ...codes import check_bits
from ...errors import DTypeError, FormatError, HashretError, ParameterError, ShapeError
from ...ranking import Rule, rule_from
from ..losses import Loss, make_loss
from ..model.copying import copied
from ..model.hash_model import HashModel
from ..model.networks import make_network
from .states import collect, hidden, put, put_hidden, under, unwrapped
from .storage import Card, as_json, digest, read_tensors, write_tensors

__all__ = ["Encoder", "read_encoder"]

_KIND = "deep encoder"
# What a file that is none of ours may raise while it is taken apart.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError)


@dataclass
class Encoder:
    """All that codes depend on.

    Attributes
    ----------
    network : str or Module
        Name of the network, or the caller's module that it was copied from.
    input_shape : tuple of int
        Height, width and channels of the images, or length of the vectors.
    classes : ndarray
        The distinct labels.
    learned : set of str
        Names of buffers of the network that training changed and its state leaves out.
    """

    model: HashModel
    loss: Loss
    network: str | nn.Module
    input_shape: tuple[int, ...]
    classes: npt.NDArray[Any]
    learned: set[str]

    def __post_init__(self) -> None:
        """Turn off what only training does."""
        self.model.eval()
        self.loss.eval()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights and configuration."""
        pairs = sorted(self._tensors().items())
        return digest(self._header(), *(part for pair in pairs for part in pair))

    def write(self, path: str | Path, card: object, ranking: Rule | None) -> None:
        """Write the file; raises ParameterError if the card holds what JSON cannot."""
        header = self._header() | {"card": as_json(card)}
        if ranking is not None:
            header["ranking"] = ranking.as_dict()
        write_tensors(path, self._tensors(), header)

    def _tensors(self) -> dict[str, Tensor]:
        found = hidden(self.model.network).items()
        learned = {f"hidden.network.{k}": v for k, v in found if unwrapped(k) in self.learned}
        return collect({"model": self.model, "loss": self.loss}) | learned

    def _header(self) -> dict[str, Any]:
        return {
            "kind": _KIND,
            "format": 1,
            "network": self.network if isinstance(self.network, str) else None,
            "loss": self.loss.name,
            "loss_options": self.loss.options(),
            "bits": self.loss.bits,
            "mirror": self.model.mirror,
            # Left out if 0, since files written before there was this option have none.
            **({"nudge": self.model.nudge} if self.model.nudge else {}),
            "input_shape": list(self.input_shape),
            "classes": self.classes.tolist(),
        }


def read_encoder(path: str | Path, network: nn.Module | None) -> tuple[Encoder, Card, Rule | None]:
    """Return what :meth:`Encoder.write` wrote: encoder, card, ranking; see `DeepHasher.load`."""
    tensors, header = read_tensors(path, _KIND)
    source = header.get("network") or network
    if source is None:
        raise ParameterError(
            f"network: {path} was fitted with a module of the caller's; pass one of its form"
        )
    if network is not None and not isinstance(network, nn.Module):
        raise DTypeError(f"network: expected a torch.nn.Module, got {type(network).__name__}")
    try:
        encoder, card = _rebuild(source, header, tensors), as_json(header.get("card", {}))
        ranking = rule_from(header["ranking"]) if "ranking" in header else None
        if ranking is not None and ranking.bits != encoder.loss.bits:
            raise ParameterError(f"ranking: for codes of {ranking.bits} bits")
    except (*_MALFORMED, HashretError) as error:
        raise FormatError(f"{path}: a damaged deep encoder: {error}") from error
    if isinstance(source, nn.Module):
        # Not above: an error in the caller's module does not say that the file is damaged.
        own = encoder.model.network = copied(source, "network").eval()
        put(own, under(tensors, "model.network"), "network")
        put_hidden(own, under(tensors, "hidden.network"), "network")
    return encoder, card, ranking


def _rebuild(
    source: str | nn.Module, header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Encoder:
    """Return the encoder of a file, from which a network of the caller's is left out."""
    loss = make_loss(header["loss"], **header["loss_options"])
    bits, classes = check_bits(header["bits"]), np.asarray(header["classes"])
    shape = tuple(check_int("input_shape", size, 1) for size in header["input_shape"])
    if len(shape) not in (1, 3):
        raise ShapeError(f"input_shape: expected 1 or 3 numbers, got {shape}")
    own, features = under(tensors, "model"), None
    if isinstance(source, nn.Module):
        features = own["head.0.weight" if loss.batch_norm else "head.weight"].shape[-1]
        own = {key: value for key, value in own.items() if not key.startswith("network.")}
    # On the meta device a hostile header allocates nothing.
    with torch.device("meta"):
        loss.setup(bits, len(classes))
        model = HashModel(
            nn.Identity() if isinstance(source, nn.Module) else make_network(source, shape),
            shape,
            loss.outputs,
            loss.batch_norm,
            bool(header["mirror"]),
            header.get("nudge", 0),
            features,
        )
    put(model, own, "model")
    put(loss, under(tensors, "loss"), "loss")
    learned = {unwrapped(key) for key in under(tensors, "hidden.network")}
    return Encoder(model, loss, source, shape, classes, learned)
