"""What every request passes: who may ask, how much and for how long, and what goes with answers.

Written against ASGI itself, so that nothing of a body is read before it is known to be wanted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from .metrics import Metrics
from .settings import Settings

__all__ = ["COOKIE", "Guard", "session_of"]

COOKIE = "hashret_session"
# What everyone may ask for: the page that asks for the token, and whether the server lives.
_OPEN = frozenset({"/health", "/login"})
_OPEN_FOLDER = "/static/"
_SAFE = frozenset({"GET", "HEAD"})
# A form or a decision; uploads have a limit of their own.
_BODY = 2**20
_UPLOADS = "/api/search/upload"

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class _Refused(HTTPException):
    """A request is not answered: a status, and why; also if that is seen inside the application."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(status, message, headers)


def session_of(token: str) -> str:
    """Return what a browser keeps instead of a token that was given to it."""
    return hmac.new(token.encode(), b"hashret session", hashlib.sha256).hexdigest()


class Guard:
    """Lets requests through to an application, or answers them itself.

    Parameters
    ----------
    application : ASGI application
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, application: Any, settings: Settings, metrics: Metrics) -> None:
        self._application = application
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._application(scope, receive, send)
            return
        answer = _Answer(send)
        started = time.perf_counter()
        try:
            self._check(scope)
            bounded = _Body(receive, self._most(scope), self._settings.body_seconds)
            await self._application(scope, bounded, answer)
        except _Refused as refused:
            if not answer.status:
                await answer.refuse(refused)
        finally:
            route = scope.get("route")
            name = getattr(route, "path", "none")
            self._metrics.count(name, answer.status or 500, time.perf_counter() - started)

    def _check(self, scope: Any) -> None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if _name_of(host) not in self._settings.hosts:
            raise _Refused(421, "this site does not go by that name")
        self._check_origin(scope, headers, host)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _Refused(400, "content-length: expected a number")
        if int(length[:20]) > self._most(scope):
            raise _Refused(413, f"expected at most {self._most(scope):,} bytes")
        if not self._known(headers) and not _is_open(scope):
            if scope["method"] in _SAFE and "text/html" in headers.get("accept", ""):
                raise _Refused(303, "log in first", location="/login")
            raise _Refused(401, "expected a token", **{"www-authenticate": "Bearer"})

    def _check_origin(self, scope: Any, headers: Mapping[str, str], host: str) -> None:
        origin = headers.get("origin")
        if origin is not None and not _is_of(origin, host):
            raise _Refused(403, "asked from another site")
        if scope["method"] not in _SAFE or scope["path"] not in ("/", "/login"):
            site = headers.get("sec-fetch-site", "none")
            if site not in ("none", "same-origin"):
                raise _Refused(403, "asked from another site")

    def _known(self, headers: Mapping[str, str]) -> bool:
        token = self._settings.token
        if token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), token):
            return True
        session = session_of(token)
        return any(_equal(one, session) for one in _sessions(headers.get("cookie", "")))

    def _most(self, scope: Any) -> int:
        return self._settings.upload_bytes if scope["path"] == _UPLOADS else _BODY


class _Body:
    """The body of a request, up to a size and within a time."""

    def __init__(self, receive: Any, most: int, seconds: float) -> None:
        self._receive, self._left, self._most = receive, most, most
        self._until = time.monotonic() + seconds
        self._whole = False

    async def __call__(self) -> Any:
        if self._whole:
            # What is waited for now is that the client goes away.
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise _Refused(408, "took too long to send", connection="close") from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _Refused(413, f"expected at most {self._most:,} bytes", connection="close")
        self._whole = not message.get("more_body", False)
        return message


class _Answer:
    """An answer with the headers that all have; notes its status."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            more = {"cache-control": "no-store", **_HEADERS}
            message["headers"] = [
                *message["headers"],
                *((k.encode(), v.encode()) for k, v in more.items() if k.encode() not in given),
            ]
        await self._send(message)

    async def refuse(self, refused: _Refused) -> None:
        """Send a refusal."""
        body = json.dumps({"detail": refused.detail}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(refused.headers or {}),
        }
        start = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refused.status_code, "headers": start})
        await self({"type": "http.response.body", "body": body})


def _headers(scope: Any) -> dict[str, str]:
    """Return headers by their small names; one that comes twice is refused where it counts."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key == "cookie" and key in found:
            # As HTTP/2 may split it.
            value = b"; ".join((found[key].encode("latin-1"), value))
        elif key in found and key in ("host", "origin", "authorization", "content-length"):
            raise _Refused(400, f"{key}: expected once")
        found[key] = value.decode("latin-1")
    return found


def _sessions(cookies: str) -> list[str]:
    """Return the values of our own cookie.

    Others, as those of other servers on this machine, may be of a form that is none.
    """
    pairs = (one.strip().partition("=") for one in cookies.split(";"))
    return [value for name, _, value in pairs if name == COOKIE]


def _is_of(origin: str, host: str) -> bool:
    """Return whether an Origin header is of a page of this host."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_open(scope: Any) -> bool:
    return scope["path"] in _OPEN or scope["path"].startswith(_OPEN_FOLDER)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
