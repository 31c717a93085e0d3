"""Many clients at a time: none is forgotten, and who comes when all is full is told so."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

pytest.importorskip("web_site")

import httpx
from web_site import serving

CLIENTS, EACH = 60, 2


@pytest.fixture(scope="module")
def url(folder):
    with serving(folder) as url:
        yield url


def answers(url, ask):
    """Return what so many clients are answered that ask at once, each again and again."""

    async def run():
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client:

            async def one(number):
                return [await ask(client, number + turn) for turn in range(EACH)]

            return [one for part in await asyncio.gather(*map(one, range(CLIENTS))) for one in part]

    return asyncio.run(run())


def test_searches_by_id_are_all_answered(url):
    found = answers(url, lambda client, n: client.get(f"/api/search/{n % 8 + 1}?k=3"))
    assert Counter(one.status_code for one in found) == {200: CLIENTS * EACH}
    for one in found:
        (first, *_) = one.json()["results"]
        assert first["id"] == int(one.url.path.rpartition("/")[2])


def test_uploads_are_answered_or_told_to_come_again(url, folder):
    data = (folder / "2024" / "1.png").read_bytes()
    found = answers(url, lambda client, _: client.post("/api/search/upload?k=1", content=data))
    assert {one.status_code for one in found} == {200, 503}
    for one in found:
        if one.status_code == 503:
            assert int(one.headers["retry-after"]) > 0
        else:
            assert one.json()["results"][0]["name"] == "1.png"
