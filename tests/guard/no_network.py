"""No way out of this machine for Python: addresses other than loopback are refused.

By an audit hook, which sees what C modules of Python do, too, and which nothing can take away.
"""

from __future__ import annotations

import sys

# Of those, the last argument is an address; of the others, the first is a name.
_ADDRESSES = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})
_NAMES = frozenset(
    {
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)
refused: list[str] = []


class NetworkError(PermissionError):
    """A test, or what it runs, has tried to reach another machine."""


def install() -> None:
    """Refuse from now on, until this process ends, and note in `refused` what was."""
    sys.addaudithook(_look)


def _look(event: str, given: tuple[object, ...]) -> None:
    if event in _ADDRESSES:
        # Without an address it goes where an earlier call has connected it to.
        if not _is_local(given[0]) and given[-1] is not None:
            address = given[-1]
            _check(event, address[0] if isinstance(address, tuple) else address)
    elif event in _NAMES:
        name = given[0]
        _check(event, name[0] if isinstance(name, tuple) else name)


def _is_local(connection: object) -> bool:
    # Imported late, so that Python processes which the tests time start as quickly as without this.
    import socket

    local = (getattr(socket, name, None) for name in ("AF_UNIX", "AF_NETLINK"))
    return getattr(connection, "family", 0) in local


def _check(event: str, host: object) -> None:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "localhost") or (isinstance(host, str) and _is_loopback(host)):
        return
    # The empty name is every address of this machine, and so open to others.
    refused.append(f"{event} {host!r}")
    raise NetworkError(f"{event}: {host!r} is not this machine; tests reach no other")


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
