"""The page at scale: a million images, 400,000 groups of duplicates, 200 clients at a time.

    python -m benchmarks.page STORE --images 1000000 --photos FOLDER

A server runs in a process of its own, and is asked over HTTP by others. The collection is that of
`benchmarks.collection_scale`, made if `STORE` is not there: codes of real photographs, changed in
as many ways as `--seconds` gives time for, and others that are these with some bits changed. Its
groups are synthetic, two files each. Uploads are pictures of the folder that is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

from hashret.collection import Collection
from hashret.web.filling import key_of
from hashret.web.groups import Entry, GroupTable
from hashret.web.thumbnails import make_thumbnails

from .collection_scale import real_codes, write_store

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[int]]


class Server:
    """``hashret serve`` in a process, and how long it took until it answered."""

    def __init__(self, store: Path) -> None:
        command = [sys.executable, "-m", "hashret", "serve", "--port", "0", "--store", str(store)]
        start = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        address = self._process.stdout.readline().split()[0]
        self.port = int(address.rstrip("/").rpartition(":")[2])
        asyncio.run(self.ask("/health"))
        self.seconds = time.perf_counter() - start

    @property
    def mebibytes(self) -> float:
        """Resident, of the process that answers, less files that are mapped.

        Processes that decode are not counted.
        """
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"RssAnon:\s+(\d+)", status)[0]) / 1024

    async def ask(self, path: str) -> tuple[float, bytes]:
        """Return seconds and body of an answer over a new connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        start = time.perf_counter()
        status, body = await ask(reader, writer, f"GET {path}")
        assert status == 200, (path, status, body)
        seconds = time.perf_counter() - start
        writer.close()
        return seconds, body

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)


@contextmanager
def serving(store: Path) -> Iterator[Server]:
    """Run a server for as long as the block takes."""
    server = Server(store)
    try:
        yield server
    finally:
        server.end()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, body: bytes = b""
) -> tuple[int, bytes]:
    """Send a request over a connection that stays; return status and body of the answer."""
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    status = int(answer.split(b" ", 2)[1])
    assert status != 503 or b"retry-after" in answer
    length = int(re.findall(rb"content-length: (\d+)", answer)[0])
    return status, await reader.readexactly(length)


def time_requests(server: Server, images: int) -> None:
    """Print the middle of some requests of each kind, in ms: over HTTP, and the server's own."""
    paths = {
        "search by id": lambda n: f"/api/search/{n * 7919 % images + 1}?k=60",
        "search, taken >= 2020": lambda n: f"/api/search/{n * 7919 % images + 1}?where=taken>=2020",
        "search, in a folder": lambda n: f"/api/search/{n * 7919 % images + 1}?where=folder=0012",
        "latest images": lambda n: "/api/images?limit=90",
        "images of a folder": lambda n: "/api/images?limit=90&where=folder=0012",
        "folders": lambda n: "/api/folders",
        "first groups": lambda n: "/api/groups?limit=50",
        "what there is": lambda n: "/api/info",
    }
    for name, path in paths.items():
        answers = [asyncio.run(server.ask(path(n))) for n in range(1, 8)]
        times = [1e3 * seconds for seconds, _ in answers]
        own = [
            1e3 * found["seconds"] for _, body in answers if "seconds" in (found := as_dict(body))
        ]
        said = f", of these in the search {middle(own):.1f}" if own else ""
        print(f"{name}: first {times[0]:.1f} ms, then {middle(times[1:]):.1f}{said}", flush=True)


def as_dict(body: bytes) -> dict[str, Any]:
    """Return an answer that is a JSON object, else an empty one."""
    found = json.loads(body)
    return found if isinstance(found, dict) else {}


def middle(values: list[float]) -> float:
    """Return the median, of an even number the greater."""
    return sorted(values)[len(values) // 2]


def fill_table(store: Path, groups: int) -> None:
    """Write a table of synthetic groups as if they were those of the collection."""

    def entry(number: int) -> Entry:
        place = {
            "id": 2 * number - 1,
            "name": f"a photograph of no great interest {number}.jpg",
            "folder": f"photos/a year/a month/somewhere {number % 1000}",
            "format": "JPEG",
            "width": 4000,
            "height": 3000,
            "bytes": 3_000_000,
        }
        more = {"id": 2 * number, "tier": "near", "distance": 3, "transform": None}
        body = {"keep": place, "members": [{**place, **more}]}
        return Entry(number, number * 7919 % 1_000_003, 2, body)

    folder = store / "web"
    os.makedirs(folder, exist_ok=True)
    for old in folder.glob("groups-*"):
        old.unlink()
    table = GroupTable(str(folder / "groups-0.sqlite"))
    source = map(entry, range(1, groups + 1))
    while chunk := list(islice(source, 20_000)):
        table.add(chunk)
    with Collection.open(store) as collection:
        table.note("key", key_of(collection))
    table.close()


async def page_groups(server: Server) -> None:
    """Print how long all pages of groups take, and what they cost in memory."""
    before = server.mebibytes
    first, body = await server.ask("/api/groups?limit=50")
    found, times = json.loads(body), [first]
    while found["after"] is not None and len(times) < 100:
        seconds, body = await server.ask(f"/api/groups?limit=50&after={found['after']}")
        found = json.loads(body)
        times.append(seconds)
    print(
        f"{found['open']:,} groups: first page {1e3 * first:.0f} ms, {len(times)} pages "
        f"{1e3 * middle(times):.0f} ms in the middle, {1e3 * max(times):.0f} ms at most, "
        f"{server.mebibytes - before:+.1f} MiB",
        flush=True,
    )


def by_id(images: int) -> Client:
    """Return a client that searches by one id after another."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> int:
        status, _ = await ask(reader, writer, f"GET /api/search/{n * 7919 % images + 1}?k=30")
        return status

    return one


def by_upload(pictures: list[bytes]) -> Client:
    """Return a client that searches by one picture after another, and waits when it is told to."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> int:
        body = pictures[n % len(pictures)]
        status, _ = await ask(reader, writer, "POST /api/search/upload?k=30", body)
        if status == 503:
            await asyncio.sleep(2)
        return status

    return one


async def crowd(server: Server, client: Client, clients: int, seconds: float) -> Counter[int]:
    """Print what so many clients at a time were answered, how fast, and what memory it took."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds
    numbers = count(1)

    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while time.monotonic() < end:
            start = time.perf_counter()
            status = await asyncio.wait_for(client(reader, writer, next(numbers)), 30)
            statuses[status] += 1
            if status == 200:
                times.append(time.perf_counter() - start)
        writer.close()

    memory = [server.mebibytes]
    tasks = asyncio.gather(*(run() for _ in range(clients)))
    while not tasks.done():
        await asyncio.wait([tasks], timeout=seconds / 4)
        memory.append(server.mebibytes)
    await tasks
    times.sort()
    print(
        f"{clients} clients, {seconds:.0f} s: {dict(statuses)}, {len(times) / seconds:.0f}/s, "
        f"median {1e3 * middle(times):.0f} ms, p99 {1e3 * times[int(0.99 * len(times))]:.0f}, "
        f"at most {1e3 * times[-1]:.0f}; MiB {', '.join(f'{one:.0f}' for one in memory)}",
        flush=True,
    )
    return statuses


def prepare(folder: Path, images: int, photos: Path, seconds: float) -> None:
    """Make the collection."""
    codes = real_codes(photos, seconds)
    print(f"{len(codes)} codes of real photographs, the others are synthetic", flush=True)
    os.makedirs(folder / "photos", exist_ok=True)
    write_store(folder / "store", folder / "photos", codes, images)


def time_thumbnails(photos: Path) -> None:
    """Print what a thumbnail that is made ahead takes, of photographs of a folder."""
    with tempfile.TemporaryDirectory() as store:
        with Collection.create([os.fspath(photos)], store) as collection:
            collection.update(["perceptual"])
        start = sum(os.times()[:4])
        make_thumbnails(store, "1000000")
        seconds = sum(os.times()[:4]) - start
        sizes = [path.stat().st_size for path in Path(store, "thumbnails").rglob("*.jpg")]
    print(
        f"a thumbnail: {1e3 * seconds / len(sizes):.1f} ms of processor, "
        f"{sum(sizes) / len(sizes) / 1e3:.1f} kB, of {len(sizes)} photographs"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="Of making codes.")
    parser.add_argument("--groups", type=int, default=400_000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--minute", type=float, default=60.0, help="Seconds of each crowd.")
    given = parser.parse_args()
    store = given.store / "store"
    if not store.exists():
        prepare(given.store, given.images, given.photos, given.seconds)
    fill_table(store, given.groups)
    pictures = [path.read_bytes() for path in sorted(given.photos.glob("*.jpg"))[:50]]
    with serving(store) as server:
        print(f"answers {server.seconds:.2f} s after its start, {server.mebibytes:.0f} MiB")
        asyncio.run(page_groups(server))
        time_requests(server, given.images)
        for name, client in (("by id", by_id(given.images)), ("by uploads", by_upload(pictures))):
            print(name, end=": ")
            asyncio.run(crowd(server, client, given.clients, given.minute))
    time_thumbnails(given.photos)


if __name__ == "__main__":
    main()
