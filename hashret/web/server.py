"""A server that gives up on slow clients."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import HashretError
from .settings import LOOPBACK

__all__ = ["Bound", "bind", "hosts_of", "serve"]

# Seconds for a request's head, between two requests, and for a client that takes no more.
_HEAD, _IDLE, _STUCK = 15.0, 20, 60.0
_CONNECTIONS = 1000
_BACKLOG = 512


class Bound(NamedTuple):
    """A socket that listens, and its address as a browser takes it."""

    socket: socket.socket
    address: str


def bind(host: str, port: int) -> Bound:
    """Listen at an address.

    Raises
    ------
    HashretError
        If it is no address of this machine, or the port is taken.
    """
    bound = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # From now on who connects waits, rather than being refused.
        bound.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        if bound is not None:
            bound.close()
        hint = "; --port takes another" if getattr(error, "errno", None) == errno.EADDRINUSE else ""
        raise HashretError(f"{host}:{port}: cannot listen there: {error}{hint}") from error
    name = f"[{host}]" if family == socket.AF_INET6 and ":" in host else host
    return Bound(bound, f"{name}:{bound.getsockname()[1]}")


def hosts_of(host: str, names: Iterable[str]) -> frozenset[str]:
    """Return the names by which a site may be asked for that listens at an address.

    Examples
    --------
    >>> sorted(hosts_of("192.168.1.5", ["photos.example"]))
    ['127.0.0.1', '192.168.1.5', '::1', 'localhost', 'photos.example']
    """
    return LOOPBACK | {host.lower(), *(name.lower() for name in names)}


class _Impatient(H11Protocol):
    """Closes a connection whose head does not come, or whose answer is not taken."""

    _head: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(_STUCK, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        """Start the clock at the first byte, and stop it when a request has come."""
        waiting = self.cycle is None or self.cycle.response_complete
        if not waiting:
            self._cancel()
        elif self._head is None:
            self._head = self.loop.call_later(_HEAD, self.transport.abort)

    def _cancel(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def serve(application: Any, sockets: list[socket.socket], *, verbose: bool = False) -> None:
    """Serve an application until Ctrl-C or SIGTERM.

    Parameters
    ----------
    application : ASGI application
    sockets : list of socket
        Bound.
    verbose : bool
        Log every request.
    """
    config = uvicorn.Config(
        application,
        http=_Impatient,
        ws="none",
        lifespan="on",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,
        log_level="info" if verbose else "warning",
        access_log=verbose,
    )
    uvicorn.Server(config).run(sockets=sockets)
