"""The page itself, its files, and logging in."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader

from ..guard import COOKIE, session_of
from ..site import Current

__all__ = ["STATIC", "router"]

router = APIRouter(include_in_schema=False)

_HERE = Path(__file__).parent.parent
STATIC = _HERE / "static"
_TEMPLATES = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True)
# For each wrong token, so that guessing is slow.
_PAUSE = 1.0
_LONGEST_FORM = 4096


@router.get("/")
async def page() -> HTMLResponse:
    """Return the page."""
    return _rendered("page.html")


@router.get("/login")
async def login_page() -> HTMLResponse:
    """Return the page that asks for the token."""
    return _rendered("login.html", wrong=False)


@router.post("/login")
async def login(request: Request, site: Current) -> Response:
    """Give a session to who knows the token."""
    body = await request.body()
    token = site.settings.token
    given = parse_qs(body[:_LONGEST_FORM].decode("utf-8", "replace")).get("token", [""])[0]
    if token is None or not hmac.compare_digest(given.strip().encode(), token.encode()):
        await asyncio.sleep(_PAUSE)
        return _rendered("login.html", wrong=True, status=403)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, session_of(token), httponly=True, samesite="strict", path="/")
    return answer


def _rendered(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status)
