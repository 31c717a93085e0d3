"""The page and the JSON API that serve a collection.

==================== ===========================================================
``settings.py``      what a site allows: :class:`Settings`
``lanes.py``         bounded work: who comes when all is full is told to come again
``decoding.py``      pictures decoded in worker processes that stay
``library.py``       the collection as many requests read it, and one changes it
``thumbnails.py``    small JPEGs in the store, those of the latest images made ahead
``pictures.py``      images as JPEGs, kept in the store where it can be written
``groups.py``        groups of duplicates in a table that is paged by key
``filling.py``       that table filled
``finding.py``       that table kept up with the collection
``clearing.py``      the files of a group that can go to the quarantine
``bulk.py``          many groups decided on at once, in the background
``projection.py``    codes laid out in the plane
``mapping.py``       the map of a collection, in a file
``maps.py``          that map made when it is asked for, and kept
``jobs.py``          filling and mapping in processes of their own, in the background
``work.py``          what runs in those
``matches.py``       the images that fulfil a filter, for the next request with it
``folders.py``       the folders of a collection in time
``guard.py``         what every request passes: Host, Origin, token, sizes, headers
``metrics.py``       what is counted, for Prometheus
``answers.py``       the shapes of JSON
``site.py``          all this together, of one collection
``routes/``          what is answered at which address, a file a subject
``application.py``   the FastAPI application: :func:`create_app`
``server.py``        a server that gives up on slow clients: :func:`serve`
==================== ===========================================================

Images are named by their ids: no address has a path in it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..extras import import_extra
from .settings import Settings

if TYPE_CHECKING:
    from .application import create_app
    from .server import bind, hosts_of, serve

__all__ = ["Settings", "bind", "create_app", "hosts_of", "serve"]

_HOMES = {
    "create_app": ".application",
    "bind": ".server",
    "hosts_of": ".server",
    "serve": ".server",
}


# What a job is started with does without a server, whose packages take most of a second to import.
def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Before anything that imports them, so that a missing one is named with its extra.
    for package in ("fastapi", "jinja2", "uvicorn", "prometheus_client"):
        import_extra(package, "serve")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
