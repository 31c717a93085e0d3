"""A small collection, with copies and files that cannot be read, and the site that serves it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

for _package in ("fastapi", "jinja2", "uvicorn", "prometheus_client", "httpx", "PIL", "pathspec"):
    pytest.importorskip(_package)

from fastapi.testclient import TestClient  # noqa: E402
from PIL import Image  # noqa: E402

from hashret.collection import Collection  # noqa: E402
from hashret.web import create_app  # noqa: E402

SCREENS = {"screen": {"width": 1400, "height": 900}, "telephone": {"width": 390, "height": 844}}
_SERVER = """
import sys
from hashret.web import bind, create_app, serve
bound = bind("127.0.0.1", 0)
print(bound.address, flush=True)
serve(create_app(sys.argv[1]), [bound.socket])
"""
ODD = b"<b onmouseover=x>&\xff\n" + b" a name longer than any card" * 6 + b".png"


def write(path, seed):
    """Write a picture with detail enough that its code means something."""
    rng = np.random.default_rng(seed)
    total = np.zeros((128, 160, 3))
    for size in (3, 6, 12, 24, 48):
        small = Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8))
        total += np.asarray(small.resize((160, 128), Image.Resampling.BICUBIC)) / size**0.5
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255 * (total - total.min()) / np.ptp(total))).save(path)


def fill(root):
    """Write pictures, smaller copies of two, an equal file, an odd name, and two bad files."""
    for number in range(8):
        write(root / "2024" / f"{number}.png", number)
    for number in (1, 2):
        (root / "copies").mkdir(exist_ok=True)
        with Image.open(root / "2024" / f"{number}.png") as image:
            image.resize((120, 96)).save(root / "copies" / f"small {number}.jpg", quality=90)
    (root / "copies" / "3.png").write_bytes((root / "2024" / "3.png").read_bytes())
    write(root / "odd.png", 20)
    os.rename(root / "odd.png", os.fsencode(root) + b"/" + ODD)
    (root / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (root / "gone.png").write_bytes(b"")
    with Collection.create([root]) as collection:
        collection.update(["perceptual"], workers=1)
    return root


def served(folder, settings=None, **options):
    options = {"base_url": "http://localhost", "follow_redirects": False} | options
    return TestClient(create_app(folder, settings), **options)


def find_groups(client):
    """Return the open groups of a site when all are found."""
    end = time.monotonic() + 120
    while (groups := client.get("/api/groups").json())["finding"] or not groups["known"]:
        assert time.monotonic() < end
        time.sleep(0.02)
    return groups


@contextmanager
def serving(folder):
    """Serve a collection from a process of its own, and give its address."""
    command = [sys.executable, "-c", _SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://{process.stdout.readline().strip()}/"
        finally:
            process.terminate()
