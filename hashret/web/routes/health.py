"""``/health`` and ``/metrics``: for what watches over a server."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..site import Current

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(site: Current) -> dict[str, str]:
    """Tell that the server lives, and can read its collection; everyone may ask."""
    await site.read(lambda collection: collection.catalogue.generation)
    return {"status": "fine"}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(site: Current) -> Response:
    """Return what is counted, as Prometheus reads it."""
    return Response(site.metrics.text(), media_type="text/plain; version=0.0.4")
