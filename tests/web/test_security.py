"""Who may ask, for what and how much; what is refused is refused with the right status."""

from __future__ import annotations

import io
import os
import struct
import zlib

import pytest
from PIL import Image
from web_site import served

from hashret.errors import ParameterError
from hashret.web import Settings, hosts_of
from hashret.web.guard import session_of

TOKEN = "a token of some length"


@pytest.fixture(scope="module")
def private(folder):
    settings = Settings(token=TOKEN, hosts=hosts_of("0.0.0.0", ["photos.example"]))
    with served(folder, settings, base_url="http://photos.example") as client:
        yield client


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:8765", "", "127.0.0.1.evil"]
)
def test_a_name_that_is_not_ours_is_refused(client, host):
    assert client.get("/api/info", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "LOCALHOST"])
def test_our_own_names_are_fine(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1234"},
        {"origin": "http://localhost.evil.example"},
        {"origin": ""},
        {"origin": "http://["},
        {"origin": "http://[localhost"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_are_refused(client, headers):
    body = {"kind": "keep", "images": [1]}
    assert client.post("/api/decisions", json=body, headers=headers).status_code == 403
    assert client.delete("/api/decisions/1", headers=headers).status_code == 403
    assert client.post("/api/bulk", json={"kind": "keep"}, headers=headers).status_code == 403
    assert client.post("/api/bulk/undo", headers=headers).status_code == 403
    assert client.get("/api/info", headers=headers).status_code == 403
    assert client.get("/api/decisions").json()["decisions"] == []


def test_headers_that_come_twice_are_refused(client):
    for name in ("host", "origin", "content-length", "authorization"):
        headers = [("host", "localhost"), (name, "localhost"), (name, "localhost")]
        assert client.get("/api/info", headers=headers).status_code == 400


def test_every_answer_has_the_headers_of_defence(client):
    for path in ("/", "/api/info", "/static/base.css", "/nowhere", "/login"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_without_the_token_nothing_but_the_door(private):
    for path in ("/api/info", "/images/1/thumbnail", "/metrics", "/openapi.json", "/nowhere"):
        answer = private.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert private.post("/api/search/upload", content=b"x").status_code == 401
    assert private.post("/api/bulk", json={"kind": "quarantine"}).status_code == 401
    assert private.post("/api/bulk/undo").status_code == 401
    assert private.get("/", headers={"accept": "text/html"}).headers["location"] == "/login"
    assert private.get("/health").status_code == 200
    assert private.get("/static/base.css").status_code == 200
    assert "<script" not in private.get("/login").text


@pytest.mark.parametrize(
    "given", ["Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", TOKEN, "é"]
)
def test_a_wrong_token_is_none(private, given):
    headers = {"authorization": given.encode()}
    assert private.get("/api/info", headers=headers).status_code == 401


def test_the_token_opens(private):
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert private.get("/api/info", headers=headers).status_code == 200
    cookie = {"cookie": f"hashret_session={TOKEN}"}
    assert private.get("/api/info", headers=cookie).status_code == 401
    assert private.post("/login", data={"token": "wrong"}).status_code == 403
    answer = private.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert TOKEN not in said
    assert private.get("/api/info").status_code == 200
    private.cookies.clear()


@pytest.mark.parametrize(
    "others",
    ['prefs={"a":1}', "odd", "=", "a=b c, d", 'q="open', "é=ü", "hashret_session=old", ";;"],
)
def test_odd_cookies_of_other_servers_keep_nobody_out(private, others):
    mine = f"hashret_session={session_of(TOKEN)}"
    for given in (f"{others}; {mine}", f"{mine}; {others}", f"{others};{mine};{others}"):
        headers = {"cookie": given.encode()}
        assert private.get("/api/info", headers=headers).status_code == 200
    twice = [("cookie", others.encode()), ("cookie", mine), ("cookie", b"a=b")]
    assert private.get("/api/info", headers=twice).status_code == 200
    assert private.get("/api/info", headers={"cookie": others.encode()}).status_code == 401


@pytest.mark.parametrize(
    "values",
    [
        {"token": "short"},
        {"token": "\n" * 20},
        {"token": "ü" * 20},
        {"hosts": frozenset({"photos.example"})},
        {"upload_bytes": 0},
        {"waiting": 0},
    ],
)
def test_settings_that_are_unsafe_are_refused(values):
    with pytest.raises(ParameterError):
        Settings(**values)


def png(width: int, height: int) -> bytes:
    """A picture of a few bytes that says it is that large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + tail

    rows = zlib.compress(bytes(min(10**8, (3 * width + 1) * height)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def saved(format: str, size: tuple[int, int], **options) -> bytes:
    """A picture of one colour, of many pixels in few bytes."""
    buffer = io.BytesIO()
    Image.new("L", size).save(buffer, format, **options)
    return buffer.getvalue()


SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"no picture", 422),
        (SVG, 422),
        (b"%PDF-1.7\n", 422),
        (b"\xff\xd8\xff\xe0" + bytes(100), 422),
        (png(20_000, 20_000), 422),
        (png(2**31 - 1, 2**31 - 1), 422),
        (saved("GIF", (8000, 8000)), 422),
        (saved("TIFF", (8000, 8000), compression="tiff_lzw"), 422),
        (saved("WEBP", (8000, 8000), lossless=True), 422),
        (saved("JPEG", (100, 100))[:300], 422),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 422),
    ],
    ids=[
        "empty",
        "text",
        "svg",
        "pdf",
        "damaged",
        "bomb",
        "huge",
        "gif",
        "tiff",
        "webp",
        "cut",
        "eps",
    ],
)
def test_uploads_that_are_no_picture_are_refused(client, data, status):
    answer = client.post("/api/search/upload", content=data)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    site = client.app._application.state.site
    assert os.listdir(site.folder.name) == []
    assert str(site.folder.name) not in answer.text


def test_uploads_that_are_too_large_are_refused(folder):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    settings = Settings(upload_bytes=5000, upload_pixels=3000)
    with served(folder, settings) as client:
        assert client.post("/api/search/upload", content=bytes(5001)).status_code == 413

        def endless():
            for _ in range(100):
                yield bytes(1000)

        # Without a length, it is counted as it comes.
        assert client.post("/api/search/upload", content=endless()).status_code == 413
        assert client.post("/api/search/upload", content=buffer.getvalue()).status_code == 422
        assert client.post("/api/decisions", content=bytes(2**20 + 1)).status_code == 413
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "1e3", " ", "9" * 40])
def test_lengths_that_are_no_number_are_refused(client, length):
    answer = client.post("/api/search/upload", headers={"content-length": length})
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"kind": "x", "images": [1, 2]}', b'{"kind": "keep"}',
     b'{"kind": "keep", "images": []}', b'{"kind": "keep", "images": ["1; DROP TABLE images"]}',
     b'{"kind": "keep", "images": [1.5]}', b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_decisions_that_are_none_are_refused(client, body):
    headers = {"content-type": "application/json"}
    answer = client.post("/api/decisions", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    unknown = {"kind": "keep", "images": [2**62]}
    assert client.post("/api/decisions", json=unknown).status_code == 400
    assert client.get("/api/decisions").json()["decisions"] == []
