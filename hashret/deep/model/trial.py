"""Modules of the caller's, tried before the first step: what would be lost after the last one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import DTypeError, ParameterError
from .copying import copied

__all__ = ["check_apart", "try_out"]

# Features that differ by this share of the largest differ by more than their last digits.
_TOLERANCE = 1e-2


def try_out(network: nn.Module, original: nn.Module, shape: tuple[int, ...]) -> None:
    """Raise if a network's codes would be of chance, or its state could not be read back.

    A copy of it is given a few images, in evaluation and in training; `network` itself, what
    it was copied from, and the random numbers stay as they are.

    Parameters
    ----------
    network : Module
        The copy of `original` that is to be trained.
    original : Module
        The caller's.
    shape : tuple of int
        Height, width and channels of the images, or length of the vectors.

    Raises
    ------
    ParameterError
        If features differ between calls or with what an image is given with, or if a buffer
        comes, goes or changes its shape in training.
    DTypeError
        If it returns no tensor in training.
    """
    weight = next(network.parameters(), torch.empty(0))
    sizes = (shape[-1], *shape[:-1])
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, *sizes, generator=generator).to(weight.device)
    devices = [weight.device] if weight.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        trial = copied(network, "network")
        _check_evaluation(trial.eval(), inputs)
        _check_training(trial.train(), inputs, original)


def check_apart(network: nn.Module, original: nn.Module) -> None:
    """Raise if a copy and what it was copied from share weights; before either is moved."""
    theirs = {id(weight) for weight in original.parameters()}
    for name, weight in network.named_parameters():
        if id(weight) in theirs:
            raise ParameterError(
                f"network: its copy shares {name} with it, so that training would change yours; "
                "give it a __deepcopy__ that copies, or none"
            )


def _check_evaluation(trial: nn.Module, inputs: Tensor) -> None:
    with torch.no_grad():
        first, again = trial(inputs.clone()), trial(inputs.clone())
        alone = trial(inputs[:1].clone())
    if _differ(first, again):
        raise ParameterError(
            "network: gives the same images other features at each call in evaluation, and so "
            "other codes; let what draws at random depend on self.training"
        )
    if _differ(first[:1], alone):
        raise ParameterError(
            "network: gives an image other features alone than among others, and so another code"
        )


def _differ(features: Tensor, others: Tensor) -> bool:
    if not features.isfinite().all():
        return False
    return bool((features - others).abs().max() > _TOLERANCE * features.abs().max())


def _check_training(trial: nn.Module, inputs: Tensor, original: nn.Module) -> None:
    before = _form(trial)
    gradients = {name: weight.grad for name, weight in original.named_parameters()}
    try:
        features = trial(inputs.clone())
        if isinstance(features, Tensor) and features.requires_grad:
            features.sum().backward()  # type: ignore[no-untyped-call]
    except Exception:
        return  # the first step of the training raises the same, where it is seen whole
    if not isinstance(features, Tensor):
        raise DTypeError(
            f"network: expected a tensor (n, d) in training too, got {type(features).__name__}"
        )
    for name, weight in original.named_parameters():
        if weight.grad is not gradients[name]:
            weight.grad = gradients[name]
            raise ParameterError(
                f"network: a copy of it still uses {name} of yours, in a hook or a closure, and "
                "would not train it"
            )
    changed = sorted(dict(before.items() ^ _form(trial).items()))
    if changed:
        raise ParameterError(
            f"network: {', '.join(changed[:3])} comes, goes or changes its shape in training, so "
            "that no file could be read back; register it in the constructor, in its full size"
        )


def _form(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(value.shape)
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)
    }
