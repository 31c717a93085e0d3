"""The state of modules: collected for a file, checked before it is needed, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...errors import DTypeError, ParameterError
from ..model.copying import check_not_meta
from .storage import check_storable

__all__ = [
    "changed_since",
    "check_round_trip",
    "collect",
    "hidden",
    "put",
    "put_hidden",
    "restore",
    "snapshot",
    "under",
]

# What torch.compile, and nn.DataParallel and its like, put into the names of what they wrap.
_WRAPPERS = ("_orig_mod", "module")


def collect(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return the states of modules, each tensor under "module.name"."""
    states = ((name, module.state_dict()) for name, module in modules.items())
    return {f"{name}.{key}": value for name, state in states for key, value in state.items()}


def under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `name` and a dot, by the rest of their names."""
    prefix = name + "."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def hidden(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that the state of a module leaves out."""
    state = module.state_dict()
    buffers = module.named_buffers(remove_duplicate=False)
    return {key: buffer for key, buffer in buffers if key not in state}


def put_hidden(module: nn.Module, values: Mapping[str, Tensor], what: str) -> None:
    """Put back such buffers."""
    buffers = {unwrapped(k): v for k, v in module.named_buffers(remove_duplicate=False)}
    for key, value in values.items():
        if unwrapped(key) not in buffers:
            raise ParameterError(f"{what}: what was saved is of another form: {key} is unexpected")
        buffer = buffers[unwrapped(key)]
        buffer.data = value.to(buffer.device, copy=True)


def changed_since(before: Mapping[str, Tensor], module: nn.Module) -> set[str]:
    """Return the unwrapped names of the hidden buffers that are no longer as they were."""
    now = hidden(module)
    return {
        unwrapped(key)
        for key, value in before.items()
        if key in now and not (value.dtype == now[key].dtype and torch.equal(value, now[key]))
    }


def snapshot(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return the states of modules, and below "hidden" the buffers that these leave out."""
    left_out = {name: hidden(module).items() for name, module in modules.items()}
    return collect(modules) | {
        f"hidden.{name}.{key}": value for name, items in left_out.items() for key, value in items
    }


def restore(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`snapshot` returned."""
    for name, module in modules.items():
        put(module, under(tensors, name), name)
        put_hidden(module, under(tensors, f"hidden.{name}"), name)


def check_round_trip(module: nn.Module, what: str) -> None:
    """Raise if `module` could not be trained, saved and put back; changes nothing.

    Raises
    ------
    DTypeError
        If a weight is not of real numbers, or a part of the state is no tensor, or of a kind
        that no file takes; names it.
    ParameterError
        If the module does not take the state that it gives.
    """
    for key, weight in module.named_parameters():
        if not weight.is_floating_point():
            raise DTypeError(f"{what}: expected weights of real numbers, got {weight.dtype}: {key}")
    state = module.state_dict()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise DTypeError(
                f"{what}: its state cannot be saved: {key} is {type(value).__name__}, not a tensor"
            )
        check_storable(value, f"{what}: its state cannot be saved: {key}")
    try:
        put(module, {key: value.detach().clone() for key, value in state.items()}, what)
    except RuntimeError as error:
        raise ParameterError(f"{what}: does not take the state that it gives: {error}") from error


def put(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Put a state into a module of the same form, in place, so that what is shared stays shared.

    Names may differ by what torch.compile and nn.DataParallel put into them. Types of numbers
    become those of the state. A module on the meta device gets the tensors themselves.

    Raises
    ------
    ParameterError
        If the module is of another form; names what is missing, unexpected or of another shape.
    """
    own: dict[str, Any] = module.state_dict(keep_vars=True)
    state = _as_named(state, own)
    _check_form(own, state, what)
    on_meta = False
    for key, tensor in own.items():
        if not isinstance(tensor, Tensor) or is_lazy(tensor):
            continue
        on_meta |= tensor.is_meta
        if not tensor.is_meta and tensor.dtype != state[key].dtype:
            tensor.data = torch.empty_like(state[key], device=tensor.device)
    module.load_state_dict(state, assign=on_meta)
    check_not_meta(module, what)


def _as_named(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """Return the state under the names that the module has, if wrapping is all that differs."""
    if state.keys() == own.keys():
        return state
    names = {unwrapped(key): key for key in own}
    renamed = {names.get(unwrapped(key), key): value for key, value in state.items()}
    return renamed if renamed.keys() == own.keys() else state


def unwrapped(key: str) -> str:
    """Return a name without what wrappers put into it."""
    return ".".join(part for part in key.split(".") if part not in _WRAPPERS)


def _check_form(own: Mapping[str, Any], state: Mapping[str, Tensor], what: str) -> None:
    faults = [f"{key} is missing" for key in own.keys() - state.keys()]
    faults += [f"{key} is unexpected" for key in state.keys() - own.keys()]
    faults += [
        f"{key} is {_shape(value)} instead of {_shape(own[key])}"
        for key, value in state.items()
        if key in own and not is_lazy(own[key]) and _shape(value) != _shape(own[key])
    ]
    if faults:
        shown = "; ".join(sorted(faults)[:6]) + ("; ..." if len(faults) > 6 else "")
        raise ParameterError(f"{what}: what was saved is of another form: {shown}")


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None
