"""A bounded queue: who comes when all is full is told to come again, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("web_site")

import httpx
from web_site import write

from hashret.images.reading import Limits, Read, Skipped
from hashret.web import Settings, create_app
from hashret.web.decoding import Decoder
from hashret.web.lanes import Busy, Lane


def test_a_lane_refuses_what_it_has_no_room_for():
    async def run():
        lane, gate = Lane(1, 2), threading.Event()
        tasks = [asyncio.ensure_future(lane.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await lane.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*tasks) == [True] * 3
        assert await lane.run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        assert await lane.run(lambda: 8) == 8

    asyncio.run(run())


def test_a_decoder_answers_again_and_again(tmp_path):
    paths = []
    for number in range(6):
        write(tmp_path / f"{number}.png", number)
        paths.append(bytes(tmp_path / f"{number}.png"))
    (tmp_path / "bad.png").write_bytes(b"bad")
    decoder = Decoder(64, Limits(), 1, 20)
    for _ in range(2):
        futures = [decoder.submit(path) for path in [*paths, bytes(tmp_path / "bad.png")]]
        results = [future.result(20) for future in futures]
        assert [type(one) for one in results] == [Read] * 6 + [Skipped]
        assert max(results[0].pixels.shape) == 64
    # One that is no longer wanted is not waited for.
    futures = [decoder.submit(path) for path in paths]
    futures[-1].cancel()
    assert all(future.result(20) for future in futures[:-1])
    decoder.close()
    with pytest.raises(Busy):
        decoder.submit(paths[0])


def test_a_decoder_refuses_what_it_has_no_room_for(tmp_path):
    write(tmp_path / "a.png", 1)
    decoder = Decoder(64, Limits(), 1, 2)
    futures = [decoder.submit(bytes(tmp_path / "a.png")) for _ in range(3)]
    with pytest.raises(Busy):
        decoder.submit(bytes(tmp_path / "a.png"))
    assert all(isinstance(future.result(20), Read) for future in futures)
    decoder.close()


def test_many_uploads_at_once_get_an_answer_or_503(folder):
    data = (folder / "2024" / "1.png").read_bytes()

    async def run():
        app = create_app(folder, Settings(waiting=3))
        inner = app._application
        async with inner.router.lifespan_context(inner):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                asks = [client.post("/api/search/upload", content=data) for _ in range(40)]
                return await asyncio.gather(*asks)

    answers = asyncio.run(run())
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 4
    assert all(one.headers["retry-after"] for one in answers if one.status_code == 503)
