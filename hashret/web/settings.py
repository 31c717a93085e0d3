"""What a site allows."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_int
from ..errors import ParameterError

__all__ = ["LOOPBACK", "Settings"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LEAST_TOKEN = 16


@dataclass(frozen=True)
class Settings:
    """What a site allows.

    Parameters
    ----------
    token : str, optional
        What a client has to know, at least 16 characters of ASCII; without one only this machine
        is served.
    hosts : frozenset of str
        Names by which the site may be asked for, without ports.
    upload_bytes, upload_pixels : int
        Of a picture that is searched for, at most.
    waiting : int
        Uploads that may wait for their turn.
    body_seconds : float
        In which a request has to have arrived.
    thumbnails : int
        Made ahead, in the background, of the latest images; others are made when they are looked
        at.

    Raises
    ------
    ParameterError
    """

    token: str | None = None
    hosts: frozenset[str] = LOOPBACK
    upload_bytes: int = 25 * 10**6
    upload_pixels: int = 50_000_000
    waiting: int = 8
    body_seconds: float = 30.0
    thumbnails: int = 20_000

    def __post_init__(self) -> None:
        for name in ("upload_bytes", "upload_pixels", "waiting"):
            check_int(name, getattr(self, name), 1)
        check_int("thumbnails", self.thumbnails, 0)
        token = self.token
        if token is not None and (
            len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable()
        ):
            raise ParameterError(
                f"token: expected {_LEAST_TOKEN} printable characters of ASCII or more, "
                f"got {len(token)}"
            )
        if self.token is None and not self.hosts <= LOOPBACK:
            raise ParameterError("token: expected one where others than this machine are served")
