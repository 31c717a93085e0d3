"""The server itself, over sockets: no path leads anywhere, and slow clients are given up."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

pytest.importorskip("web_site")

# As `hashret serve`, but less patient, so that a test need not wait.
_CODE = """
import sys
import hashret.web.server as server
from hashret.web import Settings, bind, create_app
server._HEAD = 1.0
bound = bind("127.0.0.1", 0)
print(bound.address, flush=True)
server.serve(create_app(sys.argv[1], Settings(body_seconds=1.0)), [bound.socket])
"""


@pytest.fixture(scope="module")
def port(folder):
    command = [sys.executable, "-c", _CODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline().rpartition(":")[2])
        process.send_signal(signal.SIGINT)
        process.wait(20)


def ask(port: int, data: bytes, seconds: float = 10.0) -> bytes:
    """Send bytes, and return all that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(data)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


def get(port: int, target: str) -> tuple[int, bytes]:
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = ask(port, head.encode("utf-8"))
    return int(answer.split(b" ", 2)[1]), answer


def test_it_answers(port):
    status, answer = get(port, "/health")
    assert status == 200
    assert b"content-security-policy" in answer
    assert b"uvicorn" not in answer.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/..%2fsite.py",
        "/static/%2e%2e/site.py",
        "/static/%2e%2e%2fsite.py",
        "/static/..%5csite.py",
        "/static/..%c0%afsite.py",
        "/static/%252e%252e%252fsite.py",
        "/static/....//site.py",
        "/static//etc/passwd",
        "/static/%00",
        "/images/../api/info",
        "/images/1/..%2f..%2f..%2fetc%2fpasswd",
        "/images/1/%2e%2e",
        "/images/%2fetc%2fpasswd/thumbnail",
        "/images/1%00/thumbnail",
        "/images/file:%2f%2f%2fetc%2fpasswd/thumbnail",
        "/api/images/..%2f..%2fcatalogue.sqlite",
        "/api/images/1/../../../.hashret/catalogue.sqlite",
        "/.hashret/catalogue.sqlite",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/\\..\\..\\etc\\passwd",
    ],
)
def test_no_path_leads_anywhere(port, path):
    status, answer = get(port, path)
    assert status in (400, 404, 405, 422), answer
    assert b"root:" not in answer
    assert b"import" not in answer
    assert b"SQLite" not in answer


def test_what_is_no_http_is_refused(port):
    assert ask(port, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").startswith(b"HTTP/1.1 400")
    long = b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n"
    with suppress(ConnectionError):
        assert ask(port, long).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("start", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: local"])
def test_a_head_that_does_not_come_is_given_up(port, start):
    started = time.monotonic()
    with suppress(ConnectionError):
        assert ask(port, start) == b""
    assert time.monotonic() - started < 5


def test_a_body_that_does_not_come_is_given_up(port):
    head = b"POST /api/search/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
    started = time.monotonic()
    assert ask(port, head).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - started < 5


_ENDLESS = """
import hashret.web.server as server
server._STUCK = 0.3
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000):
        await send({"type": "http.response.body", "body": bytes(10**5), "more_body": True})
    await send({"type": "http.response.body"})
bound = server.bind("127.0.0.1", 0)
print(bound.address, flush=True)
server.serve(application, [bound.socket])
"""


def test_an_answer_that_is_not_taken_is_given_up():
    command = [sys.executable, "-c", _ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(2)
            taken = 0
            with suppress(ConnectionError):
                while part := connection.recv(2**20):
                    taken += len(part)
        assert taken < 10**8
        process.terminate()


def test_one_that_is_slow_keeps_nobody_waiting(port):
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET / HT")
    assert get(port, "/api/info")[0] == 200
    for connection in slow:
        connection.close()
