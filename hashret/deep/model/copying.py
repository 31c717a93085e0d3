"""Copies of modules that can be trained and saved."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...errors import ParameterError

__all__ = ["check_not_meta", "copied"]

Module = TypeVar("Module", bound=nn.Module)


def copied(module: Module, what: str) -> Module:
    """Return a copy that can be trained and saved, whatever `module` went through before.

    What copying raises passes, with a note.
    """
    # What weight_norm and pruning compute before every call; torch copies no such tensor.
    values = [value for part in module.modules() for value in vars(part).values()]
    made = [value for value in values if isinstance(value, Tensor) and not value.is_leaf]
    memo: dict[int, Any] = {id(tensor): tensor.detach().clone() for tensor in made}
    try:
        # With gradients a scripted module's copy would depend on the original.
        with torch.no_grad():
            copy_ = copy.deepcopy(module, memo)
    except Exception as error:
        error.add_note(f"raised as the {what} was copied")
        raise
    for old, new in zip(module.parameters(), copy_.parameters(), strict=True):
        if not is_lazy(new):
            new.requires_grad_(old.requires_grad)
    for tensor in chain(copy_.parameters(), copy_.buffers()):
        if not is_lazy(tensor) and _overlaps(tensor):
            tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return copy_


def check_not_meta(module: nn.Module, what: str) -> None:
    """Raise if a weight or buffer is on the meta device, which holds no values."""
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_meta:
            raise ParameterError(f"{what}: {name} is on the meta device, which holds no values")


def _overlaps(tensor: Tensor) -> bool:
    """Return whether elements share memory, as after `expand`: none can be written alone."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.layout == torch.strided and any(n > 1 and step == 0 for n, step in sizes)
