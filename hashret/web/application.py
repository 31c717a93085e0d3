"""The FastAPI application that serves one collection."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from .. import __version__
from ..errors import (
    HashretError,
    IdError,
    LockedError,
    MissingExtraError,
    ParameterError,
    UnavailableError,
)
from .answers import Refusal
from .guard import Guard
from .lanes import Busy
from .metrics import Metrics
from .routes import ROUTERS
from .routes.page import STATIC
from .settings import Settings
from .site import Site

__all__ = ["create_app"]

# The first that fits. What a message may tell of this machine is not passed on.
_ANSWERS: tuple[tuple[type[Exception], int, str | None], ...] = (
    (Busy, 503, None),
    (LockedError, 503, "the collection is being changed by another program; try again soon"),
    (ParameterError, 400, None),
    (IdError, 404, None),
    (MissingExtraError, 501, None),
    (UnavailableError, 503, "parts of the index cannot be reached now; try again soon"),
    (HashretError, 409, None),
    (sqlite3.OperationalError, 503, "the catalogue cannot be read now"),
    (PermissionError, 403, "the collection cannot be changed here: its store is read-only"),
)
_RETRY = "2"
# What any request may be answered with.
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal}
    for status in (400, 401, 403, 404, 408, 409, 413, 421, 422, 500, 501, 503)
}


def create_app(
    store: str | os.PathLike[str],
    settings: Settings | None = None,
    load: Callable[..., Any] | None = None,
) -> Any:
    """Make the application that serves a collection.

    Parameters
    ----------
    store : path
        A store, or the folder that has one.
    settings : Settings, optional
    load : callable, optional
        What opens the indexes that are searched, see
        :meth:`hashret.collection.Collection.search_by`.

    Returns
    -------
    application : ASGI application
        Opens the collection when it starts.
    """
    settings = settings or Settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.site = site = Site(store, settings, metrics, load)
        yield
        site.close()

    app = FastAPI(
        title="hashret",
        version=__version__,
        description="A collection of images, searched by similarity.",
        lifespan=lifespan,
        # They load their parts from elsewhere; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        responses=_REFUSALS,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for kind, *_ in _ANSWERS:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    return Guard(app, settings, metrics)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    status, said = next(
        (status, said) for kind, status, said in _ANSWERS if isinstance(error, kind)
    )
    headers = {"retry-after": _RETRY} if status == 503 else {}
    return JSONResponse({"detail": said or str(error)}, status, headers)


async def _tell_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
    return JSONResponse({"detail": "; ".join(said)}, 422)
