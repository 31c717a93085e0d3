"""One bad file costs only itself, whatever its decoder does: a whole update of a collection."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pathspec")
if sys.platform != "linux":
    pytest.skip("the memory of a process is limited on Linux", allow_module_level=True)

from collection_rows import start_workers_with, updated
from fuzz.mutations import mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import encoded
from PIL import Image

from hashret.collection.encoders import new_encoder
from hashret.images.reading import Limits
from hashret.images.reading.image import read_picture

LIMITS = Limits(seconds=2.0, memory=2**28)
# Of a new worker, on a machine with other things to do.
START_SECONDS = 20.0
# A format whose decoder does what a file says.
DECODER = """
import os, signal, stat, time
from PIL import Image, ImageFile

def sleep():
    time.sleep(10**6)

def spin():
    while True: pass

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def abort():
    os.abort()

def killed():
    os.kill(os.getpid(), signal.SIGKILL)

def leave():
    os._exit(0)

def close():
    os.closerange(0, 100)

def allocate():
    return bytearray(8 << 30)

def hoard():
    held = []
    while True: held.append(bytearray(1 << 20))

def recurse():
    recurse()

def interrupt():
    raise KeyboardInterrupt

def exit():
    raise SystemExit("bye")

def babble():
    for descriptor in range(20):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"{}" * 500 + b"\\n")
        except OSError: pass

class Trouble(ImageFile.ImageFile):
    format = "TROUBLE"
    def _open(self):
        self._size, self._mode = (8, 8), "RGB"
        globals()[self.fp.read().split()[1].decode()]()
        self.tile = []

Image.register_open("TROUBLE", Trouble, lambda head: head.startswith(b"TROUBLE "))
"""
TROUBLES = {
    "sleep": "not read within 2 s",
    "spin": "not read within 2 s",
    "crash": "SIGSEGV",
    "abort": "SIGABRT",
    "killed": "SIGKILL",
    "leave": "status 0",
    "close": "its decoder",
    "allocate": "needs more than 256 MiB",
    "hoard": "needs more than 256 MiB",
    "recurse": "not a readable image",
    "interrupt": "its decoder",
    "exit": "its decoder",
    "babble": "its decoder wrote among the answers",
}
LATE = frozenset({"sleep", "spin"})


@pytest.fixture
def trouble(monkeypatch, tmp_path):
    start_workers_with(monkeypatch, tmp_path / "site", DECODER)


def picture(seed: int) -> bytes:
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    large = Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC)
    return encoded(large, "JPEG" if seed % 2 else "PNG")


def code_of(data: bytes) -> bytes:
    """The code of a picture that is read and encoded alone, in this process."""
    encoder = new_encoder("perceptual", "")
    pixels = read_picture(data, encoder.side, LIMITS.pixels).pixels
    return encoder.encode([pixels])[0].tobytes()


CODES = {seed: code_of(picture(seed)) for seed in range(40)}


def check(root: Path, sound: dict[str, int], bad: dict[str, bytes], late: int) -> dict:
    """Update the folder; return its rows, once those of the sound pictures are right."""
    for name, seed in sound.items():
        (root / name).write_bytes(picture(seed))
    for name, data in bad.items():
        (root / name).write_bytes(data)
    before = time.monotonic()
    rows = updated(root, limits=LIMITS, workers=2)
    took = time.monotonic() - before
    assert took < START_SECONDS * (1 + len(bad)) + LIMITS.seconds * late
    assert rows.keys() == {os.fsencode(name) for name in (*sound, *bad)}
    for name, seed in sound.items():
        row = rows[os.fsencode(name)]
        assert (row.state, row.code) == ("present", CODES[seed]), (name, row)
    for name in bad:
        row = rows[os.fsencode(name)]
        assert row.state == "present" or row.reason, (name, row)
    return rows


@pytest.mark.parametrize("kind", TROUBLES)
def test_each_trouble_costs_its_file(trouble, tmp_path, kind):
    root = tmp_path / "root"
    root.mkdir()
    sound = {f"{seed}.jpg": seed for seed in range(6)}
    rows = check(root, sound, {"bad.jpg": b"TROUBLE %s" % kind.encode()}, kind in LATE)
    row = rows[b"bad.jpg"]
    assert row.state == "skipped"
    assert TROUBLES[kind] in row.reason


BAD = st.one_of(
    st.sampled_from(sorted(TROUBLES.keys() - LATE)).map(lambda kind: b"TROUBLE %s" % kind.encode()),
    st.binary(max_size=200),
    st.builds(
        lambda seed, other: mutated(random.Random(seed), picture(seed % 40), [picture(other)]),
        st.integers(0, 10**9),
        st.integers(0, 39),
    ),
)


@settings(max_examples=3, deadline=None)
@given(
    # Half of them end their worker, and the start of another is what takes the time.
    st.lists(BAD | st.integers(0, 39), min_size=10, max_size=16),
    st.lists(st.sampled_from(sorted(LATE)), max_size=1),
    st.randoms(use_true_random=False),
)
def test_bad_files_at_random_places(given_files, late, chance):
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as folder:
        start_workers_with(patched, Path(folder, "site"), DECODER)
        files = [*given_files, *(b"TROUBLE %s" % kind.encode() for kind in late)]
        chance.shuffle(files)
        named = {f"{place:02}.jpg": file for place, file in enumerate(files)}
        sound = {name: file for name, file in named.items() if isinstance(file, int)}
        bad = {name: file for name, file in named.items() if isinstance(file, bytes)}
        root = Path(folder, "root")
        root.mkdir()
        check(root, sound, bad, len(late))
