"""A Ray cluster to work on."""

from __future__ import annotations

import os
from typing import Any

from ...errors import HashretError
from ...extras import import_extra

__all__ = ["NAMESPACE", "connect"]

NAMESPACE = "hashret"
_LOCAL, _ANY = "local", "auto"
# Of a local cluster: what travels is queries and answers.
_STORE_BYTES = 200 * 2**20


def connect(address: str | None = None) -> Any:
    """Connect to a Ray cluster, once, and return the package ``ray``.

    Parameters
    ----------
    address : str, optional
        ``host:port`` of its head; ``"local"`` starts one on this machine that ends with this
        process. By default, or as ``"auto"``, that of ``$RAY_ADDRESS``, one that runs on this
        machine, or else a local one.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    HashretError
        If there is no cluster at the address.
    """
    ray: Any = import_extra("ray", "ray")
    if ray.is_initialized():
        return ray
    # Nothing is told to Ray's makers of who uses it, unless the user has said so.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": "ERROR"}
    if address != _LOCAL:
        given = os.environ.get("RAY_ADDRESS") if address in (None, _ANY) else address
        try:
            ray.init(address=given or _ANY, **quiet)
            return ray
        except (ConnectionError, ValueError, RuntimeError) as error:
            if given:
                raise HashretError(f"{given}: no Ray cluster answers there: {error}") from None
    ray.init(
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _node_ip_address="127.0.0.1",
        **quiet,
    )
    return ray
